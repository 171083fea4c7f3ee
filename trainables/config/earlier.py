"""Whole configs that earlier versions wrote, which lack fields of today."""

from collections.abc import Mapping
from typing import Any, get_args

from trainables.config.data import DataConfig
from trainables.config.experiment import ExperimentConfig
from trainables.config.section import Section, marks

_KINDS: dict[str, type[Section]] = {
    kind: variant
    for variant in get_args(get_args(DataConfig)[0])
    for kind in get_args(variant.model_fields["kind"].annotation)
}


def as_written_then(tree: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a tree with its data's missing fields as earlier versions had them, if one of them wrote the tree.

    They wrote every section and every field. A tree with gaps is its author's, who takes the defaults of today.
    """
    data = tree.get("data")
    if not isinstance(data, dict) or not ExperimentConfig.model_fields.keys() <= tree.keys():
        return tree
    fields = _KINDS[data["kind"]].model_fields if data.get("kind") in _KINDS else {}
    if not {name for name, field in fields.items() if not marks(field)} <= data.keys():
        return tree
    before = {name: marks(field)["before"] for name, field in fields.items() if "before" in marks(field)}
    return {**tree, "data": {**before, **data}}
