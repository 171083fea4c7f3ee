"""Which settings tell trials apart."""

from collections.abc import Mapping, Sequence
from typing import Any


def varying(configs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the fields of flat configs in which they differ, in their order.

    Of a part that some have and others have not, fields with one value where they are go without saying: those of its
    fields that have several stand for it, or else its first.
    """
    fields = dict.fromkeys(field for config in configs for field in config)
    values = {field: {repr(config.get(field)) for config in configs} for field in fields}
    several = [field for field in fields if len(values[field] - {repr(None)}) > 1]
    told = {_section(field) for field in several}
    kept = []
    for field in fields:
        is_new = len(values[field]) > 1 and _section(field) not in told
        if field in several or is_new:
            kept.append(field)
            told.add(_section(field))
    return kept


def _section(field: str) -> str:
    return field.rpartition(".")[0]
