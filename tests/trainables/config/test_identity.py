"""A config's hash changes with what decides the numbers, and with nothing else."""

import os
import subprocess
import sys
from types import NoneType
from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic import BaseModel

from trainables.config import ExperimentConfig, as_first_written, config_hash, experiment_from_tree, flatten, leaves
from trainables.config.data import KINDS_WITH_SEVERAL_LABELS, without_masks
from trainables.config.masks import FolderMasks

PLACES = {
    "data.cache",
    "data.cache_leaves_gib",
    "data.loader_processes",
    "data.prefetch_batches",
    "data.root",
    "data.shift.asirra.root",
    "data.shift.elsewhere.root",
    "data.val_shift.turned.root",
    "model.weights_file",
    "resources.cpus",
    "resources.gpus",
}
"""Fields that say where and on what a trial runs, and not what it computes."""
A_MASK_RULE = {"kind": "soft", "folder": "masks"}
NEED_MASKS = {
    "data.mask_subset",
    "objective.background_noise",
    "objective.background_swap",
    "objective.divergence",
    "objective.guidance",
    "objective.object_only",
    "objective.rrr",
    "objective.sliced_wasserstein",
}
NEED_ONE_LABEL = {
    "objective.class_weights",
    "objective.cutmix",
    "objective.dfr",
    "objective.divergence",
    "objective.guidance",
    "objective.sliced_wasserstein",
    "training.jtt",
    "training.sampling",
}


def owner_and_field(config: ExperimentConfig, key: str) -> tuple[BaseModel, str]:
    *parents, field = key.split(".")
    owner: Any = config
    for parent in parents:
        owner = owner[parent] if isinstance(owner, dict) else getattr(owner, parent)
    return owner, field


def another_value(annotation: Any, value: Any) -> Any:
    """Return a value that the field allows too; None where it allows no other."""
    if NoneType in get_args(annotation):
        annotation = next(choice for choice in get_args(annotation) if choice is not NoneType)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        required = {"weight": 0.5, "metric": "val/loss", "patience": 1, "epochs": 1, "upweight": 2, "share": 0.5}
        return {name: value for name, value in required.items() if name in annotation.model_fields}
    choices = [choice for choice in get_args(annotation) if choice != value]
    if get_origin(annotation) is Literal:
        return choices[0] if choices else None
    if value is None:
        return (
            A_MASK_RULE
            if annotation == FolderMasks
            else {int: 2, float: 0.5, str: "x", tuple[str, ...]: ("x",)}[annotation]
        )
    return another_of_its_type(value)


def another_of_its_type(value: Any) -> Any:
    match value:
        case bool():
            return not value
        case int():
            return 2 * value or 2
        case float():
            return value / 2 or 0.5
        case str():
            return f"2-{value}"
        case tuple():
            return (*value, "place")
        case dict():
            return {"new": {"kind": "image_folder", "root": "/new"}}
    raise AssertionError(f"no other value known for {value!r}")


def replaced(tree: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    """Return a copy of `tree` with one value changed, without the reset that `override` does for a `kind`."""
    field, _, rest = key.partition(".")
    return tree | {field: replaced(tree[field], rest, value) if rest else value}


def refused(config: ExperimentConfig) -> set[str]:
    """Return the fields that could have another value if data, labels, resources or a field with them were others."""
    alone = {"training.keep", "training.keep_metric", "data.test"}
    if config.resources.workers < 2 or not config.resources.gpus:
        alone |= {"training.sync_batchnorm"}
    if not config.data.has_groups:
        alone |= {"objective.group_dro"}
    if not config.data.has_groups or config.data.validation.source == "held_out":
        alone |= {"objective.dfr"}
    if not config.data.val_shift_names:
        alone |= {"evaluation.shift_every_epoch"}
    if config.data.kind in KINDS_WITH_SEVERAL_LABELS:
        return NEED_ONE_LABEL | alone
    return NEED_MASKS | alone if without_masks(config.data) else alone


def variants(config: ExperimentConfig) -> dict[str, ExperimentConfig]:
    """Return, by field, the config that differs in that field alone."""
    changed = {}
    for key in flatten(config).keys() - refused(config):
        owner, field = owner_and_field(config, key)
        value = another_value(type(owner).model_fields[field].annotation, getattr(owner, field))
        if value is not None:
            changed[key] = experiment_from_tree(replaced(config.model_dump(), key, value))
    return changed


def test_hash_follows_every_field_but_the_places(tree: dict[str, Any]) -> None:
    config = experiment_from_tree(tree)
    changed = variants(config)
    unchanged = {key for key, other in changed.items() if config_hash(other) == config_hash(config)}
    assert unchanged == PLACES & changed.keys()


def test_variants_leave_out_only_fields_without_a_choice(tree: dict[str, Any]) -> None:
    config = experiment_from_tree(tree)
    left_out = flatten(config).keys() - variants(config).keys()
    assert all(key.endswith("kind") for key in left_out - refused(config))
    assert all(other != config for other in variants(config).values())


def test_hash_follows_the_choice_of_an_epoch() -> None:
    chosen = [{}, *({"keep": "best", "keep_metric": metric} for metric in ("val/accuracy", "val/loss"))]
    assert len({config_hash(experiment_from_tree({"training": training})) for training in chosen}) == 3


def test_kinds_have_different_hashes() -> None:
    trees: list[dict[str, Any]] = [
        {},
        {"data": {"kind": "oxford_pet", "root": "/p"}},
        {"data": {"kind": "imagenet_s", "root": "/p"}},
        {"data": {"kind": "hard_imagenet", "root": "/p"}},
        {"data": {"kind": "image_folder", "root": "/p"}},
        {"data": {"kind": "table", "root": "/p", "table": "mine.csv"}},
        {"data": {"kind": "waterbirds", "root": "/p"}},
        {"data": {"kind": "cub", "root": "/p"}},
        {"data": {"kind": "pascal_voc", "root": "/p"}, "objective": {"kind": "binary_contrastive"}},
        {"data": {"kind": "pascal_voc", "root": "/p"}, "objective": {"kind": "binary_cross_entropy"}},
        {"model": {"kind": "resnet18", "cam_stride": 8}},
        {"model": {"kind": "resnet50", "cam_stride": 8}},
        {"objective": {"kind": "contrastive"}},
        {"optim": {"kind": "sgd"}},
        {"optim": {"kind": "adam"}},
    ]
    assert len({config_hash(experiment_from_tree(tree)) for tree in trees}) == len(trees)


def test_a_field_that_was_added_later_leaves_the_hash_as_it_was() -> None:
    """Taken from the last commit without `nesterov`, `decay_biases_and_norms` and `sync_batchnorm`."""
    held_out = {"data": {"validation": {"source": "held_out"}}}
    plain, other = (
        {**held_out, "optim": {"kind": "sgd"}},
        {**held_out, "optim": {"kind": "sgd", "momentum": 0.5}, "training": {"ema_decay": 0.9}},
    )
    assert config_hash(experiment_from_tree(plain)) == "e94619aa011d"
    assert config_hash(experiment_from_tree(other)) == "3baf6f8f33b5"
    hashes = {
        config_hash(experiment_from_tree({"optim": {"kind": "sgd", **fields}}))
        for fields in ({}, {"nesterov": False}, {"decay_biases_and_norms": True})
    }
    assert len(hashes) == 3


def test_fields_as_first_written_lack_what_was_added_later_and_not_set() -> None:
    sgd = experiment_from_tree({"optim": {"kind": "sgd", "decay_biases_and_norms": True}})
    later = {"nesterov", "sync_batchnorm", "layer_decay", "head_multiplier"}
    written = as_first_written(sgd)
    assert flatten(sgd).keys() - {key for key, _ in leaves(written)} >= {"optim.nesterov", "training.sync_batchnorm"}
    assert written["optim"] == {key: value for key, value in sgd.optim.model_dump().items() if key not in later}
    assert as_first_written(experiment_from_tree(written)) == written


def test_default_that_was_changed_counts_as_the_first_one() -> None:
    def queries(value: int) -> int:
        tree = {"evaluation": {"suite": {"adversarial": {"square_queries": value}}}}
        return as_first_written(experiment_from_tree(tree))["evaluation"]["suite"]["adversarial"]["square_queries"]

    assert [queries(value) for value in (5000, 200, 100)] == [200, 200, 100]


def test_hash_ignores_how_a_value_is_written() -> None:
    plain = experiment_from_tree({"optim": {"learning_rate": 0.001, "warmup_epochs": 1.0}, "seed": 1})
    other = experiment_from_tree({"seed": "1", "optim": {"warmup_epochs": 1, "learning_rate": "1e-3"}})
    assert config_hash(plain) == config_hash(other)


def test_hash_ignores_the_order_of_named_sets() -> None:
    sets = {name: {"kind": "image_folder", "root": f"/{name}"} for name in "ab"}
    orders = [sets, dict(reversed(sets.items()))]
    data = [{"kind": "oxford_pet", "root": "/p", "shift": order} for order in orders]
    assert len({config_hash(experiment_from_tree({"data": section})) for section in data}) == 1


def test_hash_is_twelve_hex_digits(tree: dict[str, Any]) -> None:
    digits = config_hash(experiment_from_tree(tree))
    assert len(digits) == 12
    assert set(digits) <= set("0123456789abcdef")


SCRIPT = """
from trainables.config import config_hash, experiment_from_tree
sets = {name: {"kind": "image_folder", "root": "/q"} for name in "abcdefgh"}
print(config_hash(experiment_from_tree({"data": {"kind": "oxford_pet", "root": "/p", "shift": sets}})))
"""


def test_hash_is_the_same_in_every_process() -> None:
    hashes = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(hashes) == 1


@pytest.mark.parametrize(
    ("key", "value"),
    [("seed", 0), ("data.kind", "spurious_digits"), ("training.clip_norm", None), ("model.cam_stride", 8)],
)
def test_flatten_gives_values_by_dotted_key(key: str, value: object) -> None:
    assert flatten(ExperimentConfig())[key] == value


def test_flatten_keeps_an_empty_mapping_as_a_value() -> None:
    assert flatten(experiment_from_tree({"data": {"kind": "oxford_pet", "root": "/p"}}))["data.shift"] == {}
