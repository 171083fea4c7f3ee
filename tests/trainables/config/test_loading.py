"""YAML files and overrides become the config that they say."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from trainables.config import (
    AdamW,
    BinaryCrossEntropy,
    ConfigError,
    Contrastive,
    CrossEntropy,
    ExperimentConfig,
    ImageFolder,
    LabelledFolder,
    OxfordPet,
    PascalVoc,
    Sgd,
    SmallCnn,
    SpuriousDigits,
    Torchvision,
    experiment_from_tree,
    load_experiment,
    override,
    parse_assignments,
    read_tree,
    to_yaml,
)


def write(folder: Path, text: str) -> Path:
    path = folder / "experiment.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_empty_file_gives_the_defaults(tmp_path: Path) -> None:
    assert load_experiment(write(tmp_path, "")) == ExperimentConfig()


def test_file_sets_fields_and_leaves_the_rest(tmp_path: Path) -> None:
    config = load_experiment(write(tmp_path, "seed: 3\noptim: {kind: sgd, momentum: 0.5}\ntraining:\n  epochs: 4\n"))
    assert (config.seed, config.training.epochs) == (3, 4)
    assert config.optim == Sgd(momentum=0.5)
    assert config.data == SpuriousDigits()


def test_overrides_win_over_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, "training: {epochs: 4, batch_size: 32}")
    config = experiment_from_tree(override(read_tree(path), {"training.epochs": 8}))
    assert (config.training.epochs, config.training.batch_size) == (8, 32)


@pytest.mark.parametrize(
    ("section", "tree", "expected"),
    [
        ("data", {"num_train": 80}, SpuriousDigits(num_train=80)),
        ("data", {"kind": "oxford_pet", "root": "/p"}, OxfordPet(root="/p")),
        ("data", {"kind": "image_folder", "root": "/p"}, ImageFolder(root="/p")),
        ("objective", {"kind": "binary_cross_entropy"}, BinaryCrossEntropy()),
        ("model", {"width": 8}, SmallCnn(width=8)),
        ("model", {"kind": "resnet18", "cam_stride": 8}, Torchvision(kind="resnet18", cam_stride=8)),
        ("objective", {}, CrossEntropy()),
        ("objective", {"kind": "contrastive", "background_weight": 2}, Contrastive(background_weight=2.0)),
        ("optim", {"weight_decay": 0}, AdamW(weight_decay=0.0)),
    ],
)
def test_section_becomes_its_kind(section: str, tree: dict[str, Any], expected: object) -> None:
    assert getattr(experiment_from_tree({section: tree}), section) == expected


@pytest.mark.parametrize("year", [2007, "2007"])
def test_the_year_may_be_quoted(year: object) -> None:
    tree = {"data": {"kind": "pascal_voc", "root": "/p", "year": year}, "objective": {"kind": "binary_contrastive"}}
    assert experiment_from_tree(tree).data == PascalVoc(root="/p", year=2007)


@pytest.mark.parametrize("year", [2006, "2013", "VOC2012", True, 2012.5])
def test_a_year_without_segmentation_is_refused_with_those_there_are(year: object) -> None:
    tree = {"data": {"kind": "pascal_voc", "root": "/p", "year": year}, "objective": {"kind": "binary_contrastive"}}
    with pytest.raises(ConfigError, match=r"data\.year: found .*; input should be 2007, 2008, .* or 2012"):
        experiment_from_tree(tree)


def test_config_round_trips_through_yaml(tree: dict[str, Any], tmp_path: Path) -> None:
    config = experiment_from_tree(tree)
    assert load_experiment(write(tmp_path, to_yaml(config))) == config


def test_yaml_holds_every_field() -> None:
    assert "final_fraction: 0.0" in to_yaml(ExperimentConfig())
    assert "clip_norm: null" in to_yaml(ExperimentConfig())


def test_root_is_made_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/somebody")
    assert OxfordPet(root="images").root == str(tmp_path / "images")
    assert LabelledFolder(root="~/images").root == "/home/somebody/images"


def test_config_is_frozen(tree: dict[str, Any]) -> None:
    config = experiment_from_tree(tree)
    with pytest.raises(ValidationError, match="frozen"):
        config.seed = 1
    with pytest.raises(ValidationError, match="frozen"):
        config.data.image_size = 64


def test_config_takes_keywords_only() -> None:
    with pytest.raises(TypeError):
        Sgd(0.9)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        ("training.epochs=3", {"training.epochs": 3}),
        ("optim.learning_rate=0.5", {"optim.learning_rate": 0.5}),
        ("model.head_bias=true", {"model.head_bias": True}),
        ("training.clip_norm=null", {"training.clip_norm": None}),
        ("data.kind=oxford_pet", {"data.kind": "oxford_pet"}),
        ("data.root=/a=b", {"data.root": "/a=b"}),
        (" seed = 3", {"seed": 3}),
        ("data.shift={a: {root: /x}}", {"data.shift": {"a": {"root": "/x"}}}),
    ],
)
def test_assignment_is_read_as_yaml(assignment: str, expected: dict[str, Any]) -> None:
    assert parse_assignments([assignment]) == expected


def test_number_in_scientific_notation_is_a_number_in_the_config() -> None:
    config = experiment_from_tree(override({}, parse_assignments(["optim.learning_rate=1e-4"])))
    assert config.optim.learning_rate == 1e-4


def test_later_assignment_wins() -> None:
    assert parse_assignments(["seed=1", "seed=2"]) == {"seed": 2}


@pytest.mark.parametrize("assignment", ["seed", "=3", " =3"])
def test_assignment_without_key_and_value_is_refused(assignment: str) -> None:
    with pytest.raises(ConfigError, match=r"expected section\.field=value"):
        parse_assignments([assignment])


def test_assignment_of_broken_yaml_is_refused() -> None:
    with pytest.raises(ConfigError, match="not valid YAML"):
        parse_assignments(["data.shift={a: "])


def test_override_leaves_its_arguments_alone() -> None:
    tree = {"training": {"epochs": 1}}
    overrides = {"training.epochs": 2, "model.kind": "resnet18"}
    assert override(tree, overrides) == {"training": {"epochs": 2}, "model": {"kind": "resnet18"}}
    assert tree == {"training": {"epochs": 1}}
    assert overrides == {"training.epochs": 2, "model.kind": "resnet18"}


def test_another_kind_resets_its_section_only() -> None:
    tree = {"model": {"kind": "small_cnn", "width": 64}, "optim": {"kind": "sgd", "momentum": 0.5}}
    assert override(tree, {"model.kind": "resnet18"}) == {
        "model": {"kind": "resnet18"},
        "optim": {"kind": "sgd", "momentum": 0.5},
    }


def test_same_kind_keeps_its_section() -> None:
    tree = {"model": {"kind": "small_cnn", "width": 64}}
    assert override(tree, {"model.kind": "small_cnn"}) == tree


@pytest.mark.parametrize("keys", [("model.kind", "model.cam_stride"), ("model.cam_stride", "model.kind")])
def test_fields_beside_a_kind_survive_in_either_order(keys: tuple[str, str]) -> None:
    values = {"model.kind": "resnet18", "model.cam_stride": 16}
    result = override({"model": {"kind": "small_cnn", "width": 64}}, {key: values[key] for key in keys})
    assert result == {"model": {"kind": "resnet18", "cam_stride": 16}}


def test_part_that_is_switched_off_is_switched_on_by_one_of_its_fields() -> None:
    result = override({"objective": {"divergence": None}}, {"objective.divergence.weight": 2})
    assert result == {"objective": {"divergence": {"weight": 2}}}


def test_override_below_a_value_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"training\.epochs\.x: epochs is a value, not a section"):
        override({"training": {"epochs": 1}}, {"training.epochs.x": 2})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- 1\n- 2\n", "expected a mapping of sections, found list"),
        ("a: [", "not valid YAML"),
        ("\x00", "not valid YAML"),
    ],
)
def test_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError, match=message) as caught:
        read_tree(path)
    assert str(caught.value).startswith(str(path))


def test_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "image.yaml"
    path.write_bytes(b"\xff\xd8\xff")
    with pytest.raises(ConfigError, match="not valid YAML"):
        read_tree(path)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.yaml: cannot be read: No such file"):
        load_experiment(tmp_path / "absent.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed: 1\nseed: 2\n", "the key seed is there twice"),
        ("optim: {kind: sgd}\noptim: {momentum: 0.5}\n", "the key optim is there twice"),
        ("optim: {momentum: 0.1, momentum: 0.5}\n", "the key momentum is there twice"),
        ("a: " + "[" * 3000 + "]" * 3000, "not valid YAML"),
    ],
)
def test_file_that_says_two_things_or_nothing_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        read_tree(write(tmp_path, text))
    assert str(caught.value).startswith(str(tmp_path))


def test_assignment_with_a_key_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match="the key root is there twice"):
        parse_assignments(["data.shift={a: {root: /x, root: /y}}"])


def test_merged_keys_may_be_set_again(tmp_path: Path) -> None:
    path = write(tmp_path, "one: &one {a: 1, b: 2}\ntwo: {<<: *one, b: 3}\n")
    assert read_tree(path)["two"] == {"a": 1, "b": 3}
