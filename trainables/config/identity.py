"""A config's canonical form, and the hash that identifies what it computes."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import yaml
from pydantic import BaseModel

from trainables.config.experiment import ExperimentConfig
from trainables.config.renamed import with_first_names
from trainables.config.section import Section


def to_yaml(config: ExperimentConfig) -> str:
    """Dump every field, defaults included, so that the file alone replays the trial."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)


def flatten(config: ExperimentConfig) -> dict[str, Any]:
    """Return the fields by dotted key, `{"optim.learning_rate": 0.001, ...}`, in a fixed order.

    The settings of the evaluation suite are left out: each of its results carries its own.
    """
    return dict(leaves(config.model_dump(mode="json", exclude={"evaluation": {"suite"}})))


def config_hash(config: ExperimentConfig) -> str:
    """Return 12 hex digits of the SHA-256 of what decides the numbers.

    Left out are the folders in which data lie, the resources per process, of which the number of workers stays, and
    the evaluation suite, which measures what is trained and does not change it. Renamed fields count under their first
    names, so that a config keeps its hash.
    """
    tree = _identifying(config)
    tree["resources"] = {"workers": config.resources.workers}
    text = json.dumps(with_first_names(tree), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _identifying(section: BaseModel) -> dict[str, Any]:
    return {
        name: _identity_of(getattr(section, name))
        for name, field in type(section).model_fields.items()
        if not _is_marked(field.json_schema_extra)
    }


def _identity_of(value: object) -> Any:
    if isinstance(value, Section):
        return _identifying(value)
    if isinstance(value, dict):
        return {key: _identity_of(item) for key, item in value.items()}
    return value


def _is_marked(extra: object) -> bool:
    """Return whether a field says where things lie or what is measured, and not what is trained."""
    return isinstance(extra, dict) and bool(extra.get("location") or extra.get("measurement"))


def leaves(tree: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Return the fields of a tree by dotted key, in its order; an empty section counts as a field."""
    found: list[tuple[str, Any]] = []
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            found += leaves(value, f"{prefix}{key}.")
        else:
            found.append((f"{prefix}{key}", value))
    return found
