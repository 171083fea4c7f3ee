"""How the marks of trials tell their objectives apart: a shape for each loss with its parts, whatever their weights."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.results.formatting import is_cross_entropy, objective_group
from orchestrator.results.trial_rows import TrialRow

PLAIN = "diamond"
SYMBOLS = ("circle", "square", "triangle-up", "cross", "star", "triangle-down", "bowtie")
REST = "x"


@dataclass(frozen=True, slots=True)
class ObjectiveMark:
    """A shape, and the trials that have it."""

    name: str
    symbol: str
    rows: Sequence[TrialRow]


def objective_marks(rows: Sequence[TrialRow]) -> list[ObjectiveMark]:
    """Return a mark for each group of objectives, the largest first.

    Plain cross-entropy always has the diamond. Where there are more groups than shapes, the smallest share the last.
    """
    plain = [row for row in rows if is_cross_entropy(row)]
    others = [row for row in rows if not is_cross_entropy(row)]
    sizes = Counter(objective_group(row) for row in others)
    names = sorted(sizes, key=lambda name: (-sizes[name], name))
    shown = names[: len(SYMBOLS)]
    marks = [ObjectiveMark(objective_group(plain[0]), PLAIN, plain)] if plain else []
    for name, symbol in zip(shown, SYMBOLS, strict=False):
        marks.append(ObjectiveMark(name, symbol, [row for row in others if objective_group(row) == name]))
    rest = [row for row in others if objective_group(row) not in shown]
    return [*marks, ObjectiveMark("any other", REST, rest)] if rest else marks
