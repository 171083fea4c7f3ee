import math
from collections.abc import Callable, Iterable
from copy import deepcopy

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from trainables.config import Adam as AdamConfig
from trainables.config import AdamW as AdamWConfig
from trainables.config import OptimConfig, Sgd, SmallCnn
from trainables.models import Classifier, build_model, stages_of
from trainables.training.optim import build_optimizer, build_schedule, rate_factor


def test_warm_up_is_linear_and_the_rest_half_a_cosine() -> None:
    factors = [rate_factor(step, warmup_steps=3, steps=7, final_fraction=0.2) for step in range(8)]
    half = math.sqrt(0.5)
    cosine = [1, (1 + half) / 2, 1 / 2, (1 - half) / 2, 0]
    assert factors == pytest.approx([0.25, 0.5, 0.75, *(0.2 + 0.8 * each for each in cosine)])


def test_without_warm_up_the_first_step_is_at_the_peak() -> None:
    factors = [rate_factor(step, warmup_steps=0, steps=2, final_fraction=0) for step in range(3)]
    assert factors == pytest.approx([1, 0.5, 0])


def test_a_warm_up_may_end_between_two_steps() -> None:
    factors = [rate_factor(step, warmup_steps=1.5, steps=3, final_fraction=0) for step in range(4)]
    assert factors == pytest.approx([0.4, 0.8, 0.5 * (1 + math.cos(math.pi / 3)), 0])


def test_the_rate_stays_at_its_end() -> None:
    assert rate_factor(9, warmup_steps=0, steps=4, final_fraction=0.1) == pytest.approx(0.1)


@pytest.mark.parametrize(
    "config",
    [AdamWConfig(learning_rate=0.4), AdamConfig(learning_rate=0.4), Sgd(learning_rate=0.4)],
    ids=["adamw", "adam", "sgd"],
)
def test_schedule_scales_every_group_by_the_steps_done(config: OptimConfig) -> None:
    optimizer = build_optimizer(config, nn.Linear(2, 2))
    schedule = build_schedule(config, optimizer, epochs=3, steps_per_epoch=2)
    rates = []
    for _ in range(6):
        rates.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        schedule.step()
    expected = [0.4 * rate_factor(step, warmup_steps=2, steps=6, final_fraction=0) for step in range(6)]
    assert rates == [pytest.approx([rate, rate]) for rate in expected]


@pytest.mark.parametrize(
    "config", [AdamWConfig(learning_rate=0.1, weight_decay=0.5), Sgd(learning_rate=0.1, weight_decay=0.5)]
)
def test_decay_shrinks_matrices_alone(config: OptimConfig) -> None:
    torch.manual_seed(0)
    model = build_model(SmallCnn(width=4, norm="group", head_bias=True), num_classes=3).model
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    build_optimizer(config, model).step()
    # Nesterov momentum 0.9 takes 1 + 0.9 times the first step's gradient.
    kept = 0.95 if isinstance(config, AdamWConfig) else 1 - 0.05 * 1.9
    for name, parameter in model.named_parameters():
        expected = before[name] * (kept if parameter.ndim >= 2 else 1)
        torch.testing.assert_close(parameter.detach(), expected, rtol=1e-5, atol=0)


@pytest.mark.parametrize(
    ("config", "plain"),
    [
        (
            AdamConfig(learning_rate=0.1, weight_decay=0.5, decay_biases_and_norms=True),
            lambda parameters: Adam(parameters, lr=0.1, weight_decay=0.5),
        ),
        (
            Sgd(learning_rate=0.1, weight_decay=0.5, momentum=0.8, nesterov=False, decay_biases_and_norms=True),
            lambda parameters: SGD(parameters, lr=0.1, weight_decay=0.5, momentum=0.8),
        ),
    ],
    ids=["adam", "sgd"],
)
def test_a_published_recipe_is_torch_s_own(
    config: OptimConfig, plain: Callable[[Iterable[nn.Parameter]], Optimizer]
) -> None:
    torch.manual_seed(0)
    ours = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2))
    theirs = deepcopy(ours)
    inputs = torch.randn(5, 3)
    for network, optimizer in ((ours, build_optimizer(config, ours)), (theirs, plain(theirs.parameters()))):
        for _ in range(3):
            optimizer.zero_grad()
            network(inputs).square().sum().backward()
            optimizer.step()
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict(), rtol=0, atol=0)


def test_adam_adds_its_decay_to_the_gradient() -> None:
    """The first step of Adam has the length of the rate, whatever the gradient; AdamW's decay comes on top of it."""
    layer = nn.Linear(1, 1, bias=False)
    for kind, expected in ((AdamConfig, 2 - 0.1), (AdamWConfig, 2 * (1 - 0.1 * 0.5) - 0.1)):
        nn.init.constant_(layer.weight, 2.0)
        layer.weight.grad = torch.full((1, 1), 0.25)
        build_optimizer(kind(learning_rate=0.1, weight_decay=0.5), layer).step()
        assert layer.weight.item() == pytest.approx(expected, abs=1e-6)


def test_every_parameter_is_updated_by_the_optimiser_of_the_config() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2))
    adamw, sgd = build_optimizer(AdamWConfig(), model), build_optimizer(Sgd(momentum=0.8), model)
    assert isinstance(adamw, AdamW)
    assert isinstance(sgd, SGD)
    assert {(group["momentum"], group["nesterov"]) for group in sgd.param_groups} == {(0.8, True)}
    for optimizer in (adamw, sgd):
        held = [id(parameter) for group in optimizer.param_groups for parameter in group["params"]]
        assert sorted(held) == sorted(map(id, model.parameters()))


def rates_of(config: OptimConfig, model: Classifier) -> dict[str, float]:
    """Return the learning rate of each parameter by name."""
    optimizer = build_optimizer(config, model, stages_of(model))
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    rates = {names[id(each)]: float(group["lr"]) for group in optimizer.param_groups for each in group["params"]}
    assert rates.keys() == {*names.values()}
    return rates


def test_rates_fall_from_the_head_to_the_first_stage() -> None:
    """As BEiT's layer decay: the head has the whole rate, the last stage it times the factor."""
    model = build_model(SmallCnn(width=4, cam_stride=4), num_classes=3).model
    rates = rates_of(AdamWConfig(learning_rate=0.8, layer_decay=0.5, head_multiplier=3.0), model)
    assert rates["head.weight"] == pytest.approx(2.4)
    for block, expected in ((4, 0.4), (3, 0.2), (2, 0.1), (1, 0.05)):
        found = [rate for name, rate in rates.items() if name.startswith(f"trunk.block{block}.")]
        assert found == pytest.approx([expected] * 3)


def test_the_head_alone_may_have_another_rate() -> None:
    model = build_model(SmallCnn(width=4), num_classes=3).model
    rates = rates_of(Sgd(learning_rate=0.1, head_multiplier=10.0), model)
    assert {rate for name, rate in rates.items() if name.startswith("trunk.")} == {0.1}
    assert rates["head.weight"] == pytest.approx(1.0)


def test_layers_of_other_rates_decay_by_the_same_rule() -> None:
    model = build_model(SmallCnn(width=4, norm="group", head_bias=True), num_classes=3).model
    optimizer = build_optimizer(AdamWConfig(weight_decay=0.3, layer_decay=0.5), model, stages_of(model))
    decays = {
        parameter.ndim >= 2: group["weight_decay"] for group in optimizer.param_groups for parameter in group["params"]
    }
    assert decays == {True: 0.3, False: 0.0}
    assert len(optimizer.param_groups) == 2 * 6


def test_without_factors_there_are_two_groups_as_before() -> None:
    model = build_model(SmallCnn(width=4, norm="group"), num_classes=3).model
    optimizer = build_optimizer(AdamWConfig(), model, stages_of(model))
    expected = [[p for p in model.parameters() if (p.ndim >= 2) == matrices] for matrices in (True, False)]
    assert [list(map(id, group["params"])) for group in optimizer.param_groups] == [list(map(id, e)) for e in expected]
