"""What a test that injects a fault has read, for the table of `make chaos`."""

import re
from collections.abc import Callable, Iterable
from typing import Any

NoteMessage = Callable[[Iterable[str]], None]
"""`note_message` for one test."""
WARNING = re.compile(r"^(?:\S+ \S+\t)?WARNING +\S+ (?:-- )?(.+)$", re.MULTILINE)
"""As pytest writes a warning, or as Ray does, whose start changes how all handlers write."""


def note_message(item: Any, lines: Iterable[str]) -> None:
    """Add the last of `lines` to the properties of a test that injects a fault, unless it has a message."""
    written = [line for line in lines if line.strip()]
    known = any(name == "message" for name, _ in item.user_properties)
    if written and not known and item.get_closest_marker("fault") is not None:
        item.user_properties.append(("message", written[-1]))


def warnings_in(sections: Iterable[tuple[str, str]]) -> list[str]:
    """Return the warnings among a test report's captured logs."""
    return [text for name, log in sections if "log" in name for text in WARNING.findall(log)]
