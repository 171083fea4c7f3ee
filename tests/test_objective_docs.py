"""docs/objectives.md names every objective, part and field, and what it sets can be set."""

import re
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from trainables.config import ExperimentConfig, experiment_from_tree, override, parse_assignments

TEXT = (Path(__file__).resolve().parents[1] / "docs" / "objectives.md").read_text(encoding="utf-8")
EXAMPLES = [line for line in TEXT.splitlines() if re.match(r"(campaign train digits )?--set ", line)]
KINDS: dict[str, type[BaseModel]] = {
    variant.model_fields["kind"].default: variant
    for variant in get_args(ExperimentConfig.model_fields["objective"].annotation)
}


@pytest.mark.parametrize("example", EXAMPLES)
def test_example_loads(example: str) -> None:
    assignments = re.findall(r"--set (\S+)", example)
    assert all(re.match(r"(objective|optim|training|resources)\.", assignment) for assignment in assignments)
    experiment_from_tree(override({}, parse_assignments(assignments)))


def test_every_kind_is_set_in_an_example() -> None:
    assert set(re.findall(r"--set objective\.kind=(\w+)", "\n".join(EXAMPLES))) == set(KINDS)


def sections(section: type[BaseModel]) -> list[type[BaseModel]]:
    """Return a section and those that its optional fields hold."""
    inner = [part for field in section.model_fields.values() for part in get_args(field.annotation)]
    return [section, *(part for part in inner if isinstance(part, type) and issubclass(part, BaseModel))]


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_named(kind: str) -> None:
    for section in sections(KINDS[kind]):
        for name in section.model_fields:
            assert re.search(rf"\b{name}\b", TEXT), name
