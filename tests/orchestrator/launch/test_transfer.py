"""How settings go from one scale to another: the numbers by hand, and the losses that they keep as they were.

B batch, K classes, F features, H W map.
"""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from orchestrator.launch.transfer import Scales, transfer
from trainables.cams import contrastive_cams, hirescam
from trainables.config import ConfigError, ExperimentConfig, experiment_from_tree, override
from trainables.losses import contrastive_cross_entropy
from trainables.losses.divergence import mask_divergence
from trainables.losses.sliced_wasserstein import distance_along, sliced_wasserstein

Loss = Callable[..., Tensor]


def config(**overrides: Any) -> ExperimentConfig:
    fields = {name.replace("__", "."): value for name, value in overrides.items()}
    return experiment_from_tree(override({"data": {"kind": "spurious_digits"}}, fields), source="test")


def scales(old: ExperimentConfig, new: ExperimentConfig, *, num_classes: tuple[int, int] = (10, 10)) -> Scales:
    counts = {id(old): num_classes[0], id(new): num_classes[1]}
    return Scales(old, new, lambda experiment: counts[id(experiment)])


@pytest.mark.parametrize(("kind", "rate"), [("sgd", 0.16), ("adamw", 0.04)])
def test_learning_rate_goes_with_the_batch(kind: str, rate: float) -> None:
    old = config(optim__kind=kind, optim__learning_rate=0.01, training__batch_size=16)
    new = config(optim__kind=kind, optim__learning_rate=0.01, training__batch_size=256)
    assert transfer(["learning_rate_with_batch"], scales(old, new)) == {"optim.learning_rate": pytest.approx(rate)}


def test_optimiser_of_another_kind_has_a_rate_of_its_own() -> None:
    old = config(training__batch_size=16)
    new = config(optim__kind="sgd", training__batch_size=256)
    assert transfer(["learning_rate_with_batch"], scales(old, new)) == {}


def test_average_forgets_as_much_in_an_epoch() -> None:
    old, new = (config(training__ema_decay=0.99, training__batch_size=size) for size in (64, 256))
    ((field, decay),) = transfer(["ema_decay_with_batch"], scales(old, new)).items()
    assert field == "training.ema_decay"
    num_pictures = 25600
    assert decay ** (num_pictures / 256) == pytest.approx(0.99 ** (num_pictures / 64))


def test_what_is_not_there_or_not_changed_is_left_alone() -> None:
    rules = [
        "learning_rate_with_batch",
        "ema_decay_with_batch",
        "divergence_with_grid",
        "wasserstein_with_grid_and_classes",
    ]
    assert transfer(rules, scales(config(), config(training__epochs=99))) == {}
    parts = {"objective__divergence": {"weight": 1}, "training__ema_decay": 0.9}
    assert transfer(rules, scales(config(**parts), config(**parts, training__epochs=99))) == {}


def test_unknown_rule_is_named_with_the_valid_ones() -> None:
    with pytest.raises(ConfigError, match=r"no rule epochs_with_moon; valid rules: learning_rate_with_batch, "):
        transfer(["epochs_with_moon"], scales(config(), config()))


@pytest.fixture
def image() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Features of a 3 x 3 map, head weights, labels, background."""
    generator = torch.Generator().manual_seed(0)
    features_BFHW = torch.randn(4, 6, 3, 3, generator=generator, dtype=torch.float64)
    weight_KF = torch.randn(5, 6, generator=generator, dtype=torch.float64)
    labels_B = torch.tensor([0, 1, 2, 4])
    background_BHW = (torch.rand(4, 3, 3, generator=generator, dtype=torch.float64) > 0.4).double()
    return features_BFHW, weight_KF, labels_B, background_BHW


def finer(tensor: Tensor) -> Tensor:
    """Cut each cell into four that are alike."""
    return tensor.repeat_interleave(2, -1).repeat_interleave(2, -2)


def on_both_grids(term: Loss, image: tuple[Tensor, ...], coarse: dict[str, Any], fine: dict[str, Any]) -> None:
    features_BFHW, weight_KF, labels_B, background_BHW = image

    def loss(features_BFHW: Tensor, background_BHW: Tensor, weight: float = 1.0, **settings: Any) -> Tensor:
        torch.manual_seed(0)
        maps_BKHW = contrastive_cams(hirescam(features_BFHW, weight_KF), labels_B)
        return weight * term(maps_BKHW, labels_B, background_BHW, **settings)

    expected_B = loss(features_BFHW, background_BHW, **coarse)
    torch.testing.assert_close(loss(finer(features_BFHW), finer(background_BHW), **fine), expected_B)
    assert not torch.allclose(loss(finer(features_BFHW), finer(background_BHW), **coarse), expected_B)


def test_background_weight_needs_no_rule(image: tuple[Tensor, Tensor, Tensor, Tensor]) -> None:
    features_BFHW, weight_KF, labels_B, background_BHW = image
    torch.testing.assert_close(
        contrastive_cross_entropy(
            finer(features_BFHW), weight_KF, labels_B, finer(background_BHW), background_weight=0.7
        ),
        contrastive_cross_entropy(features_BFHW, weight_KF, labels_B, background_BHW, background_weight=0.7),
    )


@pytest.mark.parametrize("num_classes", [2, 10, 919])
def test_background_weight_is_the_pull_on_the_background_against_that_on_the_object(num_classes: int) -> None:
    weight_KF = torch.eye(num_classes, dtype=torch.float64)
    features_BFHW = torch.full((1, num_classes, 1, 2), 1e-9, dtype=torch.float64)
    features_BFHW[:, 0] = 2e-9  # every map is just above 0, where the absolute value has a gradient
    features_BFHW.requires_grad_()
    background_BHW = torch.tensor([[[0.0, 1.0]]], dtype=torch.float64)
    labels_B = torch.tensor([0])
    contrastive_cross_entropy(
        features_BFHW, weight_KF, labels_B, background_BHW, background_weight=0.3
    ).sum().backward()
    assert features_BFHW.grad is not None
    on_object, on_background = features_BFHW.grad[0, 0, 0]
    assert on_background / on_object == pytest.approx(-0.3)


def test_divergence_is_the_same_on_a_finer_grid(image: tuple[Tensor, Tensor, Tensor, Tensor]) -> None:
    part = {"objective__divergence": {"weight": 1.0, "map_scale": 10.0}}
    old, new = (config(**part, model__cam_stride=stride) for stride in (8, 4))
    changes = transfer(["divergence_with_grid"], scales(old, new))
    assert changes == {"objective.divergence.map_scale": 40.0}
    on_both_grids(mask_divergence, image, {"map_scale": 10.0}, {"map_scale": 40.0})


def test_wasserstein_is_the_same_on_a_finer_grid(image: tuple[Tensor, Tensor, Tensor, Tensor]) -> None:
    part = {"objective__sliced_wasserstein": {"weight": 2.0}}
    old, new = (config(**part, model__cam_stride=stride) for stride in (8, 4))
    changes = transfer(["wasserstein_with_grid_and_classes"], scales(old, new))
    assert changes == {"objective.sliced_wasserstein.weight": 32.0}
    on_both_grids(sliced_wasserstein, image, {"weight": 2.0}, {"weight": 32.0})


def test_wasserstein_pulls_as_hard_among_more_classes() -> None:
    part = {"objective__sliced_wasserstein": {"weight": 2.0}}
    old, new = config(**part), config(**part)
    found = transfer(["wasserstein_with_grid_and_classes"], scales(old, new, num_classes=(10, 200)))
    weights = {10: 2.0, 200: found["objective.sliced_wasserstein.weight"]}
    pulls = {num_classes: weight * pull(num_classes) for num_classes, weight in weights.items()}
    assert pulls[200] == pytest.approx(pulls[10], rel=0.03)
    assert 2.0 * pull(200) > 1.5 * pulls[10]


def pull(num_classes: int) -> float:
    """Return the gradient of the distance on an object's cell of maps of zeros, summed over the rivals."""
    maps_BKHW = torch.zeros(1, num_classes, 4, 4, dtype=torch.float64, requires_grad=True)
    background_BHW = torch.zeros(1, 4, 4, dtype=torch.float64)
    background_BHW[:, 2:] = 1
    directions_MK = torch.randn(5000, num_classes, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    target_logit = torch.tensor(0.95 * (num_classes - 1) / 0.05).log().item()
    distance_B = distance_along(directions_MK, maps_BKHW, torch.tensor([0]), background_BHW, target_logit=target_logit)
    (gradient_BKHW,) = torch.autograd.grad(distance_B.sum(), maps_BKHW)
    return -gradient_BKHW[0, :, 0, 0].sum().item()
