"""Strict JSON files: written by rename, and named in the error where they are broken."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trainables.atomic_file import atomic_file


class BrokenFileError(ValueError):
    """A file that is not what it should be, for example cut short by a full disk; the message names it."""


def parse_json(text: str, source: str) -> Any:
    """Return the value in `text`; BrokenFileError names `source` if it is no JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BrokenFileError(f"{source}: not valid JSON: {error}") from error


def parse_object(text: str, source: str) -> dict[str, Any]:
    """Return the object in `text`; BrokenFileError names `source` if there is none."""
    value = parse_json(text, source)
    if not isinstance(value, dict):
        raise BrokenFileError(f"{source}: expected a JSON object, found {type(value).__name__}")
    return value


def read_text(path: Path) -> str:
    """Return the file's text; BrokenFileError names one that is no UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise BrokenFileError(f"{path}: not a text in UTF-8: {error}") from error


def read_json(path: Path) -> Any:
    """Return the parsed file, or None when there is none; BrokenFileError names one that is no JSON."""
    return parse_json(read_text(path), str(path)) if path.exists() else None


def read_object(path: Path) -> dict[str, Any]:
    """Return the object in the file, or an empty one when there is no file; BrokenFileError names another file."""
    return parse_object(read_text(path), str(path)) if path.exists() else {}


def write_json(path: Path, value: Any) -> None:
    """Write strict JSON; a number that is not finite becomes null."""
    write_text(path, json.dumps(finite(value), indent=2) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` by rename, making its folder; OSError names `path`."""
    content = text.encode("utf-8")
    with atomic_file(path) as file:
        file.write(content)


def time_ms(path: Path) -> int:
    """Return when the file was written, in milliseconds since 1970; 0 where there is none."""
    return path.stat().st_mtime_ns // 1_000_000 if path.exists() else 0


def finite(value: Any) -> Any:
    """Return `value` with None for every number in it that is not finite, which JSON cannot hold."""
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
