"""Names of earlier versions: where they are read, that each is logged once, and that hashes stay."""

import logging
from pathlib import Path
from typing import Any

import pytest
import yaml

from trainables.config import (
    ConfigError,
    config_hash,
    current_name,
    experiment_from_tree,
    load_experiment,
    override,
    parse_assignments,
    read_tree,
    to_yaml,
    with_current_names,
    with_first_names,
)
from trainables.config.renamed import RENAMED, _log_once

OLD = {
    "data": {"kind": "imagenet_s", "root": "/data", "masked_repeats": 10},
    "evaluation": {"suite": {"pictures": {"gallery_images": 3}}},
}
NEW = {
    "data": {"kind": "imagenet_s", "root": "/data", "oversample_masked": 10},
    "evaluation": {"suite": {"images": {"gallery_images": 3}}},
}


@pytest.fixture(autouse=True)
def _nothing_logged_yet() -> None:
    _log_once.cache_clear()


def test_file_of_an_earlier_version_is_the_same_config(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(OLD), encoding="utf-8")
    config, same = (
        experiment_from_tree(override(read_tree(path), {field: 5}))
        for field in ("data.masked_repeats", "data.oversample_masked")
    )
    assert config == same
    assert load_experiment(path) == experiment_from_tree(NEW)
    assert yaml.safe_load(to_yaml(config))["data"]["oversample_masked"] == 5
    assert not any(name in to_yaml(config) for name in ("masked_repeats", "pictures"))


@pytest.mark.parametrize(
    ("assignment", "overrides"),
    [
        ("data.masked_repeats=2", {"data.oversample_masked": 2}),
        ("evaluation.suite.pictures.gallery_images=2", {"evaluation.suite.images.gallery_images": 2}),
        ("evaluation.suite.pictures={gallery_images: 2}", {"evaluation.suite.images": {"gallery_images": 2}}),
    ],
)
def test_assignment_of_an_old_name_sets_the_new_one(assignment: str, overrides: dict[str, Any]) -> None:
    assert parse_assignments([assignment]) == overrides


def test_override_finds_a_section_under_either_name() -> None:
    by_section = {"evaluation.suite": {"pictures": {"gallery_images": 2}}}
    for overrides in ({"evaluation.suite.pictures.gallery_images": 2}, by_section):
        assert override(NEW, overrides)["evaluation"]["suite"] == {"images": {"gallery_images": 2}}
    assert override(OLD, {"data.oversample_masked": 2})["data"]["oversample_masked"] == 2


def test_names_within_other_names_stay() -> None:
    tree = {"data.masked_repeats_2": 1, "pictures": 2, 3: {"masked_repeats": 4}}
    assert with_current_names(tree) == tree
    assert current_name("data.masked") == "data.masked"


def test_old_and_new_name_together_are_refused() -> None:
    tree = {"data": {**OLD["data"], "oversample_masked": 3}}
    with pytest.raises(
        ConfigError, match=r"data\.masked_repeats is the old name of data\.oversample_masked, and both are given"
    ):
        experiment_from_tree(tree)


def test_each_old_name_is_logged_once_and_a_new_one_never(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="trainables.config"):
        for tree in (NEW, OLD, OLD, {"data": OLD["data"]}):
            experiment_from_tree(tree)
        parse_assignments(["data.masked_repeats=2"])
    assert caplog.messages == [
        "data.masked_repeats is now called data.oversample_masked; the old name is still read",
        "evaluation.suite.pictures is now called evaluation.suite.images; the old name is still read",
    ]


def test_hash_is_what_earlier_versions_computed() -> None:
    """Taken from the last commit that knew the old names alone: MLflow's runs carry it as a tag."""
    held_out = {"data.validation.source": "held_out"}
    for tree in (OLD, NEW):
        assert config_hash(experiment_from_tree(override(tree, held_out))) == "81bffd4d597d"
    once = experiment_from_tree(override({"data": {"kind": "imagenet_s", "root": "/data"}}, held_out))
    assert config_hash(once) == "caefdf1acc08"
    assert config_hash(experiment_from_tree(override({}, held_out))) == "54dc0d91dff4"


def test_first_names_are_the_old_ones() -> None:
    assert with_first_names(NEW) == OLD
    assert with_first_names(dict.fromkeys(RENAMED.values(), 0)) == dict.fromkeys(RENAMED, 0)
