"""docs/evaluation.md defines every metric of the suite, and says in which direction it is better."""

import re
from pathlib import Path

import pytest

from trainables.evaluations import EVALUATIONS

TEXT = (Path(__file__).resolve().parents[1] / "docs" / "evaluation.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"`([a-z0-9_]+(?:/[a-z0-9_/*]+)?)` \| (↑|↓|·) \|", TEXT))
ARROWS = {"max": "↑", "min": "↓", None: "·"}


def documented(pattern: str) -> str:
    """Return the name that the page has for a map's metrics: it lists them once for all maps."""
    return re.sub(r"^attribution/[a-z_]+/", "attribution/*/", pattern)


@pytest.mark.parametrize("name", EVALUATIONS)
def test_every_metric_is_defined_with_its_direction(name: str) -> None:
    for pattern, direction in EVALUATIONS[name].directions.items():
        assert ROWS.get(documented(pattern)) == ARROWS[direction], pattern


@pytest.mark.parametrize("name", EVALUATIONS)
def test_every_evaluation_is_named(name: str) -> None:
    assert re.search(rf"^\| {name} \||`{name}`|`attribution-<map>`", TEXT, re.MULTILINE)


def test_no_other_metric_is_defined() -> None:
    reported = {documented(pattern) for spec in EVALUATIONS.values() for pattern in spec.directions}
    assert set(ROWS) <= reported
