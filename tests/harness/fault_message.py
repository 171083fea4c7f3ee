"""What a test that injects a fault has read, for the table of `make chaos`."""

import re
from collections.abc import Iterable
from typing import Any

FOLDER = re.compile(r"(file://)?/\S*?/pytest-of-[^/\s]+/pytest-\d+/[^/\s:;,')]+")
PROCESS = re.compile(r"\b127\.0\.0\.1:\d+")
WARNING = re.compile(r"^WARNING +\S+ (.+)$", re.MULTILINE)
MAX_LETTERS = 300


def note_message(item: Any, lines: Iterable[str]) -> None:
    """Add the last of `lines` to the properties of a test that injects a fault, unless it has a message."""
    written = [line for line in lines if line.strip()]
    known = any(name == "message" for name, _ in item.user_properties)
    if written and not known and item.get_closest_marker("fault") is not None:
        item.user_properties.append(("message", shown(written[-1])))


def shown(line: str) -> str:
    """Return the line without what differs from run to run: folders of tests and ports.

    >>> shown("no /tmp/pytest-of-me/pytest-7/test_it0/a at 127.0.0.1:4711")
    'no …/a at 127.0.0.1:…'
    """
    return PROCESS.sub("127.0.0.1:…", FOLDER.sub("…", line))[:MAX_LETTERS]


def warnings_in(sections: Iterable[tuple[str, str]]) -> list[str]:
    """Return the warnings among a test report's captured logs."""
    return [text for name, log in sections if "log" in name for text in WARNING.findall(log)]
