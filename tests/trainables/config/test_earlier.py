"""Configs that versions without a test set wrote: they validated on the set that they reported."""

from typing import Any

import pytest
import yaml

from trainables.config import ConfigError, ExperimentConfig, config_hash, experiment_from_tree, to_yaml

FOLDER = {"kind": "image_folder", "root": "/p"}
DIGITS_HASH = "3baf6f8f33b5"
DIGITS = {"optim": {"kind": "sgd", "momentum": 0.5}, "training": {"ema_decay": 0.9}}
"""A config of the last version without a test set, and its hash."""
FILES: list[dict[str, Any]] = [
    {"kind": "oxford_pet", "root": "/p"},
    {"kind": "imagenet_s", "root": "/p"},
    {"kind": "image_folder", "root": "/p"},
]


def dumped(tree: dict[str, Any]) -> dict[str, Any]:
    """Return the whole config as an earlier version wrote it."""
    whole: dict[str, Any] = yaml.safe_load(to_yaml(experiment_from_tree(tree)))
    for later in ("validation", "val_shift", "test"):
        whole["data"].pop(later, None)
    return whole


def source(config: ExperimentConfig) -> str:
    return config.data.validation.source


@pytest.mark.parametrize("data", [{"kind": "spurious_digits"}, *FILES])
def test_a_whole_config_without_the_field_keeps_its_meaning_and_its_hash(data: dict[str, Any]) -> None:
    earlier = experiment_from_tree(dumped({"data": data}))
    assert source(earlier) == "held_out"
    assert source(experiment_from_tree({"data": data})) == "cut"
    again = experiment_from_tree(yaml.safe_load(to_yaml(earlier)))
    assert again == earlier
    assert config_hash(again) == config_hash(earlier) != config_hash(experiment_from_tree({"data": data}))


def test_the_hash_of_a_stored_config_is_that_of_the_version_that_stored_it() -> None:
    assert config_hash(experiment_from_tree(dumped(DIGITS))) == DIGITS_HASH


@pytest.mark.parametrize("left_out", ["seed", "resources", "data.num_test", "data.kind"])
def test_a_config_with_gaps_is_its_author_s(left_out: str) -> None:
    whole = dumped({})
    section, _, field = left_out.rpartition(".")
    del (whole[section] if section else whole)[field]
    assert source(experiment_from_tree(whole)) == "cut"


def test_the_test_folder_is_part_of_the_hash() -> None:
    hashes = {config_hash(experiment_from_tree({"data": {**FOLDER, **fields}})) for fields in ({}, {"test": "t"})}
    assert len(hashes) == 2


def test_what_a_whole_config_says_stays() -> None:
    whole = dumped({})
    whole["data"]["validation"] = {"share": 0.1}
    assert source(experiment_from_tree(whole)) == "cut"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "cut"),
        ({"test": "test"}, "own"),
        ({"val": None, "test": "test"}, "cut"),
        ({"val": None, "test": "test", "validation": {"source": "held_out"}}, "held_out"),
        ({"test": "test", "validation": {"source": "own"}}, "own"),
    ],
)
def test_three_folders_are_taken_as_they_are(fields: dict[str, Any], expected: str) -> None:
    config = experiment_from_tree({"data": {**FOLDER, **fields}})
    assert source(config) == expected
    assert experiment_from_tree(yaml.safe_load(to_yaml(config))) == config


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"val": None}, "data.val = null and data.test = null leave no images to report; set data.test"),
        (
            {"test": "test", "validation": {"share": 0.1}},
            "data.validation.source = cut does not fit data.val = val and data.test = test; with both folders",
        ),
        ({"validation": {"source": "own"}}, "data.validation.source = own does not fit data.val = val and data.test ="),
        (
            {"kind": "oxford_pet", "validation": {"source": "own"}},
            "data.validation.source = own needs a validation set of the data's own, and data.kind = oxford_pet",
        ),
        ({"validation": {"share": 0.6}}, "data.validation.share: found 0.6; input should be less than or equal to 0.5"),
        (
            {"validation": {"source": "test"}},
            "data.validation.source: found 'test'; input should be 'cut', 'held_out' or 'own'",
        ),
    ],
)
def test_what_does_not_fit_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        experiment_from_tree({"data": {**FOLDER, **fields}})
    assert message in str(error.value)
