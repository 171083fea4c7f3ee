"""A network of the user's: what it must keep, which errors there are, and that its file travels in the config."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from tests.trainables.conftest import CPU, MakeConfig, Train
from tests.trainables.models.networks import images_of
from tests.trainables.models.test_contract import check_identity
from trainables.config import (
    ConfigError,
    ExperimentConfig,
    config_hash,
    experiment_from_tree,
    flatten,
    override,
    to_yaml,
)
from trainables.json_file import read_json
from trainables.models import BuiltModel, build_model
from trainables.trial import load_model

NETWORK = """
import torch
from torch import nn


class MyNet(nn.Module):
    def __init__(self, width=8, num_classes=10):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, width, 3, stride=2, padding=1), nn.ReLU())
        self.body = nn.Sequential(nn.Conv2d(width, width, 3, stride=2, padding=1), nn.ReLU())
        self.fc = nn.Linear(width, num_classes)

    def forward_features(self, images):
        return self.body(self.stem(images))

    def forward(self, images):
        return self.fc(self.forward_features(images).mean((2, 3)))
"""

Edits = tuple[str, ...]


def write(folder: Path, text: str = NETWORK) -> Path:
    path = folder / "my_net.py"
    path.write_text(text, encoding="utf-8")
    return path


def config_of(path: Path, **fields: Any) -> ExperimentConfig:
    return experiment_from_tree({"model": {"kind": f"{path}:MyNet", **fields}})


def build(path: Path, **fields: Any) -> BuiltModel:
    return build_model(config_of(path, **fields).model, num_classes=5, image_size=32)


def changed(old: str, new: str) -> str:
    assert old in NETWORK
    return NETWORK.replace(old, new)


def test_its_features_are_its_map_and_the_linear_layer_is_new(tmp_path: Path) -> None:
    built = build(write(tmp_path), arguments={"width": 6}, head_bias=True)
    check_identity(built.model.eval(), images_of(32), side=8)
    assert built.model.head.in_features == 6
    assert built.edits == ()
    assert built.model.stages == (("network.stem",), ("network.body",))
    assert sorted(name for name, _ in built.model.named_parameters()) == [
        "head.bias",
        "head.weight",
        *(f"trunk.network.{part}.0.{tensor}" for part in ("body", "stem") for tensor in ("bias", "weight")),
    ]


@pytest.mark.parametrize(
    ("old", "new", "edits"),
    [
        ("num_classes)\n", "num_classes)\n        self.requires_grad_(False)\n", ()),
        (
            "    def forward_features",
            "    @torch.no_grad()\n    def forward_features",
            (
                "not trained, for forward_features passes no gradient on to it: stem.0.weight, stem.0.bias, "
                "body.0.weight and 1 more",
            ),
        ),
    ],
)
def test_a_frozen_backbone_trains_its_linear_layer_alone(old: str, new: str, edits: Edits, tmp_path: Path) -> None:
    built = build(write(tmp_path, changed(old, new)))
    assert built.edits == (*edits, "head: no bias")
    assert [name for name, each in built.model.named_parameters() if each.requires_grad] == ["head.weight"]
    check_identity(built.model.eval(), images_of(32), side=8)


def test_strides_are_taken_away_where_they_lead_below_the_map(tmp_path: Path) -> None:
    pooled = changed(
        "padding=1), nn.ReLU())\n        self.fc", "padding=1), nn.ReLU(), nn.MaxPool2d(2))\n        self.fc"
    )
    path = write(tmp_path, pooled)
    assert build(path).model(images_of(32)).features.shape[2:] == (4, 4)
    built = build(path, cam_stride=4)
    assert built.edits == ("body.2: no pooling", "head: no bias")
    check_identity(built.model.eval(), images_of(32), side=8)


DIFFERENT = r"they differ by [\d.e+]+ of the largest value; no norm, activation or other pooling may stand between"
CASES = {
    "no method": (
        changed("forward_features", "features"),
        "it has no forward_features(images); let that method return what is pooled, B x F x H x W, and let forward "
        "call it",
    ),
    "no map": (
        changed("return self.body(self.stem(images))", "return self.body(self.stem(images)).mean(3)"),
        "forward_features returns shape 2x8x8 for 2 images, not B x F x H x W",
    ),
    "maximum": (
        changed(".mean((2, 3))", ".amax((2, 3))"),
        f"its linear layer fc does not get the mean of forward_features: {DIFFERENT}",
    ),
    "norm between": (
        changed(
            "self.fc(self.forward_features(images).mean((2, 3)))",
            "self.fc(torch.nn.functional.layer_norm(self.forward_features(images).mean((2, 3)), (8,)))",
        ),
        f"its linear layer fc does not get the mean of forward_features: {DIFFERENT}",
    ),
    "softmax": (
        changed(
            "return self.fc(self.forward_features(images).mean((2, 3)))",
            "return self.fc(self.forward_features(images).mean((2, 3))).softmax(1)",
        ),
        f"forward does not return what its last linear layer fc does: {DIFFERENT}",
    ),
    "factor of 1": (
        changed("(2, 3)))", "(2, 3)) * self.scale)").replace(
            "        self.fc =", "        self.scale = nn.Parameter(torch.ones(width))\n        self.fc ="
        ),
        f"its linear layer fc does not get the mean of forward_features: {DIFFERENT}",
    ),
    "temperature of 1": (
        changed("(2, 3)))", "(2, 3))) / self.temperature").replace(
            "        self.fc =", "        self.temperature = nn.Parameter(torch.tensor(1.0))\n        self.fc ="
        ),
        f"forward does not return what its last linear layer fc does: {DIFFERENT}",
    ),
    "sum with nothing": (
        changed("(2, 3)))", "(2, 3)) + self.shift)").replace(
            "        self.fc =", "        self.shift = nn.Parameter(torch.zeros(width))\n        self.fc ="
        ),
        f"its linear layer fc does not get the mean of forward_features: {DIFFERENT}",
    ),
    "not finite": (
        changed("return self.body(self.stem(images))", "return self.body(self.stem(images)) * float('nan')"),
        "its linear layer fc does not get the mean of forward_features: one of them is not finite",
    ),
    "flattened": (
        changed("nn.Linear(width", "nn.Linear(64 * width").replace(".mean((2, 3))", ".flatten(1)"),
        "its linear layer fc does not get the mean of forward_features: the shapes differ, and the layer gets 2x512",
    ),
    "convolution": (
        changed("nn.Linear(width, num_classes)", "nn.Conv2d(width, num_classes, 1)").replace(
            "mean((2, 3))", "mean((2, 3), keepdim=True)"
        ),
        "forward calls no nn.Linear; a linear layer of the mean of the features is what it should end in",
    ),
    "tuple": (
        changed(".mean((2, 3)))", ".mean((2, 3))), None"),
        "forward returns a tuple, not one tensor of logits",
    ),
}
BODY = "return self.body(self.stem(images))"
FAILURES = {
    "size": (
        changed("return self.fc(", "assert images.shape[-1] == 64, 'size'\n        return self.fc("),
        "AssertionError: size (line 17)",
    ),
    "name": (changed(BODY, f"{BODY} * factor"), "NameError: name 'factor' is not defined (line 14)"),
    "import": (changed(BODY, f"import none\n        {BODY}"), "ModuleNotFoundError: No module named 'none' (line 14)"),
    "division": (changed(BODY, f"{BODY} * (1 / 0)"), "ZeroDivisionError: division by zero (line 14)"),
    "copy": (
        changed("        self.fc = ", "        self.rows = (row for row in ())\n        self.fc = "),
        "TypeError: cannot pickle 'generator' object",
    ),
    "gradient": (
        changed(BODY, f"{BODY}.sub(0, alpha=1 / (1 - torch.is_grad_enabled()))"),
        "ZeroDivisionError: division by zero (line 14)",
    ),
}


@pytest.mark.parametrize("case", FAILURES)
def test_what_the_users_code_raises_is_an_error_of_one_line(case: str, tmp_path: Path) -> None:
    text, reason = FAILURES[case]
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        build(path)
    assert str(caught.value) == f"model.file = {path}: MyNet fails at 32 px: {reason}"


def test_random_numbers_of_a_files_first_run_change_no_weights(tmp_path: Path) -> None:
    path = write(tmp_path, f"{NETWORK}\ntorch.manual_seed(77)\n")

    def weight() -> torch.Tensor:
        torch.manual_seed(1)
        return build(path).model.trunk.network.stem[0].weight

    assert torch.equal(weight(), weight())  # The second build takes the module of the first.


def test_a_factor_that_is_not_trained_may_be_1(tmp_path: Path) -> None:
    constant = changed("(2, 3)))", "(2, 3)) * self.scale)").replace(
        "        self.fc =",
        "        self.scale = nn.Parameter(torch.ones(width), requires_grad=False)\n        self.fc =",
    )
    check_identity(build(write(tmp_path, constant)).model.eval(), images_of(32), side=8)


def test_a_linear_layer_may_be_called_by_name(tmp_path: Path) -> None:
    built = build(write(tmp_path, changed("return self.fc(", "return self.fc(input=")))
    assert built.model.head.in_features == 8


@pytest.mark.parametrize("case", CASES)
def test_the_error_says_which_part_fails_and_by_how_much(case: str, tmp_path: Path) -> None:
    text, reason = CASES[case]
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        build(path)
    message = str(caught.value)
    start = f"model.file = {path}: MyNet: "
    assert message.startswith(start)
    assert re.fullmatch(reason if DIFFERENT in reason else re.escape(reason), message.removeprefix(start)), message


@pytest.mark.parametrize(
    ("text", "arguments", "reason"),
    [
        ("class Other: pass", {}, "defines no MyNet"),
        ("MyNet = 3", {}, ": MyNet is no subclass of torch.nn.Module"),
        ("import torch\n1 / 0", {}, " cannot be imported: ZeroDivisionError: division by zero (line 2)"),
        ("def f(:", {}, " cannot be imported: SyntaxError: "),
        (NETWORK, {"depth": 3}, ": MyNet cannot be built with model.arguments = {'depth': 3}: TypeError: "),
    ],
)
def test_a_class_that_cannot_be_had_is_an_error_of_one_line(
    text: str, arguments: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        build(path, arguments=arguments)
    assert reason in str(caught.value)
    assert str(caught.value).startswith(f"model.file = {path}")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_an_error_of_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        config_of(tmp_path / "none.py")
    assert str(caught.value) == f"config: model.file = {tmp_path}/none.py cannot be read: No such file or directory"


def test_a_home_that_is_not_there_is_an_error_of_one_line() -> None:
    with pytest.raises(ConfigError) as caught:
        config_of(Path("~nobody-here/net.py"))
    assert str(caught.value) == (
        "config: model.file = ~nobody-here/net.py cannot be read: Could not determine home directory."
    )


def overridden(tree: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return override({"model": tree}, {f"model.{name}": value for name, value in fields.items()})["model"]


def test_the_short_kind_is_written_out_before_anything_is_set() -> None:
    short = {"kind": "a.py:A", "arguments": {"width": 4}, "cam_stride": 8}
    own = {"kind": "own", "file": "a.py", "name": "A", "cam_stride": 8}
    assert overridden(short) == own | {"arguments": {"width": 4}}
    assert overridden(short, name="B") == own | {"name": "B"}
    assert overridden(short, file="v2.py") == own | {"file": "v2.py", "arguments": {"width": 4}}
    assert overridden(short, kind="b.py:B") == own | {"file": "b.py", "name": "B"}
    trained = own | {"file": "/of/a.py", "arguments": {"width": 4}, "source": "text"}
    assert overridden(trained, kind="a.py:A") == own | {"arguments": {"width": 4}}
    assert overridden({"kind": "resnet18", "cam_stride": 8}, kind="a.py:A") == {
        "kind": "own",
        "file": "a.py",
        "name": "A",
    }


def test_an_argument_may_be_called_kind() -> None:
    model = {
        "kind": "own",
        "file": "a.py",
        "name": "A",
        "arguments": {"width": 4, "block": {"kind": "wide", "depth": 2}},
    }
    found = overridden(model, **{"arguments.kind": "large", "arguments.block.kind": "deep"})
    assert found["arguments"] == {"width": 4, "kind": "large", "block": {"kind": "deep", "depth": 2}}
    found = overridden(model, **{"arguments": {"width": 8}, "arguments.kind": "large"})
    assert found["arguments"] == {"width": 8, "kind": "large"}


def test_a_short_kind_and_another_class_or_file_exclude_each_other() -> None:
    reason = "model.kind = a.py:A says model.name = A, and model.name = B is given too; remove one of them"
    for of_tree, overrides in (({"kind": "a.py:A", "name": "B"}, {}), ({}, {"kind": "a.py:A", "name": "B"})):
        with pytest.raises(ConfigError) as caught:
            overridden(of_tree, **overrides)
        assert str(caught.value) == reason
    with pytest.raises(ConfigError) as caught:
        experiment_from_tree({"model": {"kind": "a.py:A", "file": "b.py"}})
    assert str(caught.value) == (
        "config: model.kind = a.py:A says model.file = a.py, and model.file = b.py is given too; remove one of them"
    )


def test_the_config_alone_replays_the_network(tmp_path: Path) -> None:
    path = write(tmp_path)
    config = config_of(path)
    path.unlink()
    again = experiment_from_tree(yaml.safe_load(to_yaml(config)))
    assert again == config
    check_identity(build_model(again.model, num_classes=5, image_size=32).model, images_of(32), side=8)


def test_the_text_is_part_of_the_identity_and_the_place_of_its_file_is_not(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    config, moved = config_of(write(tmp_path)), config_of(write(tmp_path / "other"))
    assert config_hash(config) == config_hash(moved)
    other = config_of(write(tmp_path, changed("nn.ReLU()", "nn.GELU()")))
    assert config_hash(other) != config_hash(config)
    assert len(flatten(config)["model.source"]) == 64


def test_another_file_is_read_and_an_old_text_forgotten(tmp_path: Path) -> None:
    tree = config_of(write(tmp_path)).model_dump(mode="json")
    (tmp_path / "other").mkdir()
    path = write(tmp_path / "other", changed("nn.ReLU()", "nn.GELU()"))
    again = experiment_from_tree(override(tree, {"model.file": str(path)}))
    assert again.model == config_of(path).model


def test_a_trial_goes_on_and_is_loaded_without_the_file(make_config: MakeConfig, train: Train, tmp_path: Path) -> None:
    path = write(tmp_path)
    config = make_config(
        {"model.kind": f"{path}:MyNet", "data.num_train": 16, "data.num_test": 10, "training.epochs": 1}
    )
    path.unlink()
    folder = train(config)
    model = load_model(folder, CPU)
    assert model.head.in_features == 8
    source = read_json(folder.path / "model.json")["source_sha256"]
    assert source == flatten(config)["model.source"]
    output = model(torch.rand(1, 3, config.data.image_size, config.data.image_size))
    assert output.logits.isfinite().all()
