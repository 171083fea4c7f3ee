"""The finished parts of a trial's evaluation, as they lie on disk."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainables.json_file import parse_object


@dataclass(frozen=True)
class Part:
    """One part: its file, its images, and a digest that tells one result from another."""

    name: str
    file: Path
    digest: str
    images: tuple[Path, ...]
    curves: tuple[Mapping[str, Any], ...]
    settings: Mapping[str, Any]
    samples: Mapping[str, Mapping[str, float | None]]
    """By metric, each image's value by its id."""
    seconds: float | None


def read_parts(folder: Path) -> tuple[Part, ...]:
    """Return the parts `<folder>/<part>.json`, with the images `<folder>/<part>/<name>.png`, by name.

    Raises:
        BrokenFileError: A file holds no JSON object; the message names it.
    """
    return tuple(_read_part(path) for path in sorted(folder.glob("*.json")))


def _read_part(path: Path) -> Part:
    document = parse_object(path.read_text(encoding="utf-8"), str(path))
    lasting = {name: value for name, value in document.items() if name != "seconds"}
    return Part(
        name=path.stem,
        file=path,
        digest=hashlib.sha256(json.dumps(lasting).encode()).hexdigest()[:12],
        images=tuple(sorted(path.with_suffix("").glob("*.png"))),
        curves=tuple(document.get("curves", ())),
        settings=document.get("settings", {}),
        samples=document.get("samples", {}),
        seconds=document.get("seconds"),
    )
