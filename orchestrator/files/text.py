"""Counts, lists and durations as text, the same in every command."""

import re
from collections.abc import Sequence

SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}
"""Unit -> seconds."""


def plural(number: int, noun: str) -> str:
    """Return `1 trial`, `2 trials` or `no trials`; `noun` is one that takes an s."""
    return f"{number or 'no'} {noun if number == 1 else f'{noun}s'}"


def listing(words: Sequence[str]) -> str:
    """Return `a`, `a and b` or `a, b and c`."""
    *start, last = words
    return f"{', '.join(start)} and {last}" if start else last


def format_seconds(seconds: float) -> str:
    """Return `1h02m`, `2m05s` or `7s`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes:02d}m"
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"


def parse_seconds(text: str) -> float:
    """Return the seconds of `90`, `90s`, `30m` or `1.5h`; ValueError for any other text, and for none."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text.strip())
    seconds = float(found[1]) * SECONDS[found[2]] if found else 0.0
    if not seconds:
        raise ValueError(f"found {text!r}; expected a duration such as 90s, 30m or 2h")
    return seconds
