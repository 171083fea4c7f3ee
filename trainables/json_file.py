"""JSON text that says where it stands when it is broken."""

import json
from typing import Any


class BrokenFileError(ValueError):
    """A file that is not what it should be, for example cut short by a full disk; the message names it."""


def parse_json(text: str, source: str) -> Any:
    """Return the value in `text`; BrokenFileError names `source` if it is no JSON."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise BrokenFileError(f"{source}: not valid JSON: {error}") from error


def parse_object(text: str, source: str) -> dict[str, Any]:
    """Return the object in `text`; BrokenFileError names `source` if there is none."""
    value = parse_json(text, source)
    if not isinstance(value, dict):
        raise BrokenFileError(f"{source}: expected a JSON object, found {type(value).__name__}")
    return value
