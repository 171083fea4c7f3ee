"""Frozen stages: what they leave alone, for how long, and which settings do not go with them."""

from collections import OrderedDict
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.trainables.conftest import CPU, MakeConfig, Train
from tests.trainables.training.conftest import learner_of
from trainables.config import ConfigError, ExperimentConfig
from trainables.data import build_data, training_batches
from trainables.models import build_model
from trainables.training import LocalContext
from trainables.training.build import build_task
from trainables.training.learner import Learner
from trainables.training.stage_rules import check_stages
from trainables.trial_folder import TrialFolder

NORMS = {"model.norm": "batch", "optim.weight_decay": 0.1}
TWO = {**NORMS, "training.freeze.stages": 2}
ALL = {**NORMS, "training.freeze.stages": "all"}


def changed_by(learner: Learner, config: ExperimentConfig, *, epoch: int) -> set[str]:
    """Train an epoch; return which tensors of the network it changed."""
    state: dict[str, Tensor] = learner.state()["model"]
    before = {name: value.clone() for name, value in state.items()}
    learner.begin(epoch)
    for batch in training_batches(build_data(config.data).train, batch_size=16, seed=0, epoch=epoch):
        learner.step(batch)
    return {name for name, value in learner.state()["model"].items() if not torch.equal(value, before[name])}


def tensors(learner: Learner, *prefixes: str) -> set[str]:
    """Return the network's tensors below some submodules, but for the constants of normalisation."""
    return {name for name in learner.state()["model"] if name.startswith(prefixes)}


def test_frozen_stages_keep_weights_and_statistics(make_config: MakeConfig, folder: TrialFolder) -> None:
    config = make_config(TWO)
    learner = learner_of(config, folder)
    expected = tensors(learner, "head", "trunk") - tensors(learner, "trunk.block1", "trunk.block2")
    assert changed_by(learner, config, epoch=1) == expected
    assert changed_by(learner, config, epoch=3) == expected


def test_all_stages_leave_the_head(make_config: MakeConfig, folder: TrialFolder) -> None:
    config = make_config(ALL)
    learner = learner_of(config, folder)
    assert changed_by(learner, config, epoch=1) == {"head.weight"}


def test_after_its_epochs_a_stage_is_trained(make_config: MakeConfig, folder: TrialFolder) -> None:
    config = make_config({**ALL, "training.freeze.epochs": 2})
    learner = learner_of(config, folder)
    assert [changed_by(learner, config, epoch=epoch) == {"head.weight"} for epoch in (1, 2)] == [True, True]
    assert len(learner.state()["optimizer"]["state"]) == 1
    assert changed_by(learner, config, epoch=3) == tensors(learner, "head", "trunk")
    assert len(learner.state()["optimizer"]["state"]) == len(list(learner.evaluated.parameters()))


def test_norms_of_frozen_stages_are_in_eval_mode_until_they_thaw(make_config: MakeConfig, folder: TrialFolder) -> None:
    learner = learner_of(make_config({**TWO, "training.freeze.epochs": 1}), folder)

    def modes() -> list[bool]:
        return [module.training for module in learner.evaluated.modules() if isinstance(module, nn.BatchNorm2d)]

    learner.begin(1)
    assert modes() == [False, False, True, True, True]
    learner.evaluated.eval()
    learner.begin(2)
    assert modes() == [True] * 5


def test_the_first_epochs_are_those_of_a_network_that_is_frozen_for_good(make_config: MakeConfig, train: Train) -> None:
    base = {**TWO, "training.epochs": 2, "optim.warmup_epochs": 0}
    for_good = train(make_config(base), "for-good").rows()
    thawed = train(make_config({**base, "training.freeze.epochs": 1}), "thawed").rows()
    assert thawed[0]["train/loss"] == for_good[0]["train/loss"]
    assert thawed[1]["train/loss"] != for_good[1]["train/loss"]


@pytest.mark.parametrize(("stages", "still_trained"), [(1, ["", "1", "drop_1"]), ("all", [])])
def test_layers_without_parameters_are_frozen_with_the_stage_before_them(
    make_config: MakeConfig, folder: TrialFolder, stages: int | str, still_trained: list[str]
) -> None:
    """They draw random numbers, or count statistics; the trunk itself may do so in its forward."""
    config = make_config({"training.freeze.stages": stages})
    model = build_model(config.model, num_classes=10).model
    norm = nn.BatchNorm2d(4, affine=False)
    layers = {"0": nn.Conv2d(3, 4, 4, 4), "norm_0": norm, "1": nn.Conv2d(4, 32, 1), "drop_1": nn.Dropout()}
    model.trunk = nn.Sequential(OrderedDict(layers))
    model.head = nn.Linear(32, 10, bias=False)
    model.stages = (("0",), ("1",))
    learner = learner_of(config, folder, model)
    learner.begin(1)
    assert [name for name, module in model.trunk.named_modules() if module.training] == still_trained


class Wrapping(LocalContext):
    """Counts how often a network is wrapped, with the parameters that take a gradient then."""

    def __init__(self, folder: TrialFolder) -> None:
        super().__init__(folder, device=CPU)
        self.trained: list[int] = []

    def wrap(self, model: nn.Module) -> nn.Module:
        self.trained.append(sum(parameter.requires_grad for parameter in model.parameters()))
        return model


def test_a_network_is_wrapped_anew_when_its_stages_thaw(make_config: MakeConfig, folder: TrialFolder) -> None:
    config = make_config({**ALL, "training.freeze.epochs": 2})
    context = Wrapping(folder)
    learner = Learner(
        config, build_model(config.model, num_classes=10).model, build_task(config), context, steps_per_epoch=4
    )
    for epoch in (1, 2, 3, 4):
        learner.begin(epoch)
    assert context.trained == [1, 16]


def test_what_a_network_itself_leaves_out_does_not_thaw(make_config: MakeConfig, folder: TrialFolder) -> None:
    config = make_config({**ALL, "training.freeze.epochs": 1})
    model = build_model(config.model, num_classes=10).model
    unused = model.get_parameter("trunk.block3.norm.bias").requires_grad_(False)
    learner = learner_of(config, folder, model)
    learner.begin(2)
    assert [parameter for parameter in model.parameters() if not parameter.requires_grad] == [unused]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            {"training.freeze.stages": 6},
            "training.freeze.stages = 6 is more than the 5 stages of model.kind = small_cnn: block1, block2, block3, "
            "block4, block5; lower it, or set it to all",
        ),
        ({"training.freeze.stages": 5}, None),
        ({"optim.layer_decay": 0.5}, None),
    ],
)
def test_a_network_has_the_stages_that_are_named(
    make_config: MakeConfig, overrides: dict[str, Any], message: str | None
) -> None:
    if message is None:
        check_stages(make_config(overrides))
        return
    with pytest.raises(ConfigError) as caught:
        check_stages(make_config(overrides))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("overrides", "setting"),
    [
        ({"optim.layer_decay": 0.5}, "optim.layer_decay = 0.5"),
        ({"optim.head_multiplier": 10}, "optim.head_multiplier = 10"),
        ({"training.gradient_checkpointing": True}, "training.gradient_checkpointing = true"),
        ({"training.freeze": {}}, "training.freeze.stages = all"),
    ],
)
def test_a_network_without_stages_is_trained_as_a_whole(
    make_config: MakeConfig, overrides: dict[str, Any], setting: str
) -> None:
    config = make_config(overrides)
    model = build_model(config.model, num_classes=2).model
    model.stages = ()
    with pytest.raises(ConfigError) as caught:
        check_stages(config, model)
    assert str(caught.value) == (
        f"{setting} needs the stages of a network, and model.kind = small_cnn names none; leave it out, or name them "
        "in its Backbone"
    )
    check_stages(make_config({}), model)


NEVER_TRAINED = (
    " has no effect with training.freeze.stages = all and training.freeze.epochs = null, which never train the "
    "backbone; leave it out, or set training.freeze.epochs"
)


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        (
            {"objective.kind": "triplet"},
            "training.freeze.stages = all leaves nothing to train with objective.kind = triplet, which trains the "
            "backbone alone; freeze fewer stages, or set training.freeze to null",
        ),
        ({"optim.layer_decay": 0.5}, f"optim.layer_decay = 0.5{NEVER_TRAINED}"),
        ({"training.gradient_checkpointing": True}, f"training.gradient_checkpointing = true{NEVER_TRAINED}"),
    ],
)
def test_the_number_of_all_stages_has_the_rules_of_all(
    make_config: MakeConfig, overrides: dict[str, Any], reason: str
) -> None:
    check_stages(make_config({**overrides, "training.freeze.stages": 4}))
    with pytest.raises(ConfigError) as caught:
        check_stages(make_config({**overrides, "training.freeze.stages": 5}))
    assert str(caught.value) == f"training.freeze.stages = 5 are all stages of model.kind = small_cnn: {reason}"


def test_gradient_checkpointing_needs_stages_of_several_layers(make_config: MakeConfig) -> None:
    """A layer alone keeps nothing but its input."""
    config = make_config({"training.gradient_checkpointing": True})
    model = build_model(config.model, num_classes=2).model
    check_stages(config, model)
    model.trunk = nn.Sequential(nn.Conv2d(3, 4, 1))
    model.stages = (("0",),)
    with pytest.raises(ConfigError) as caught:
        check_stages(config, model)
    assert str(caught.value) == (
        "training.gradient_checkpointing = true has no effect: no stage of model.kind = small_cnn has submodules whose "
        "activations could be computed again; set it to false"
    )
