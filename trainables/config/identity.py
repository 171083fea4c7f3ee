"""A config's canonical form, and the hash that identifies what it computes."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from trainables.config.experiment import ExperimentConfig
from trainables.config.renamed import with_first_names
from trainables.config.section import Section, marks


def to_yaml(config: ExperimentConfig) -> str:
    """Dump every field, defaults included, so that the file alone replays the trial."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)


def flatten(config: ExperimentConfig) -> dict[str, Any]:
    """Return the fields by dotted key, `{"optim.learning_rate": 0.001, ...}`, in a fixed order.

    The settings of the evaluation suite are left out: each of its results carries its own. The text of a network's file
    is named by its SHA-256.
    """
    fields = dict(leaves(config.model_dump(mode="json", exclude={"evaluation": {"suite"}})))
    if "model.source" in fields:
        fields["model.source"] = hashlib.sha256(fields["model.source"].encode()).hexdigest()
    return fields


def config_hash(config: ExperimentConfig) -> str:
    """Return 12 hex digits of the SHA-256 of what decides the numbers.

    Left out are the folders in which data lie, the resources per process, of which the number of workers stays, and
    the evaluation suite, which measures what is trained and does not change it. Renamed fields count under their first
    names, and fields that were added later only where they change what was done before: a config keeps its hash.
    """
    tree = _fields(config, without=("location", "measurement"))
    tree["resources"] = {"workers": config.resources.workers}
    text = json.dumps(with_first_names(tree), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def as_first_written(config: ExperimentConfig) -> dict[str, Any]:
    """Return the fields as the version that first had them would.

    Those added later are left out at their defaults, and a default that was changed counts as the first one.
    """
    return _fields(config, without=())


def _fields(section: BaseModel, *, without: tuple[str, ...]) -> dict[str, Any]:
    """Return a section's fields, without those of the given marks and those that were added later and not set."""
    return {
        name: _plain(_first_value(getattr(section, name), field), without=without)
        for name, field in type(section).model_fields.items()
        if not any(marks(field).get(mark) for mark in without)
        and not ("added_later" in marks(field) and getattr(section, name) == _before(field))
    }


def _before(field: FieldInfo) -> object:
    """Return the value at which a field that was added later does what earlier versions did."""
    before = marks(field).get("before")
    return field.default if before is None else type(field.default).model_validate(before)


def _first_value(value: object, field: FieldInfo) -> object:
    return marks(field).get("first_default", value) if value == field.default else value


def _plain(value: object, *, without: tuple[str, ...]) -> Any:
    if isinstance(value, Section):
        return _fields(value, without=without)
    if isinstance(value, dict):
        return {key: _plain(item, without=without) for key, item in value.items()}
    return value


def leaves(tree: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Return the fields of a tree by dotted key, in its order; an empty section counts as a field."""
    found: list[tuple[str, Any]] = []
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            found += leaves(value, f"{prefix}{key}.")
        else:
            found.append((f"{prefix}{key}", value))
    return found
