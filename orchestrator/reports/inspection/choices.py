"""What a reader of the page chooses among, and what each run shows then."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shown:
    """What one run shows of a choice."""

    run: str
    facts: str
    """A sentence."""
    card: str | None
    """An image as a data URI."""
    heads: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    """Of a table; the first cell names the row."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One entry of a list."""

    label: str
    shown: Sequence[Shown]
