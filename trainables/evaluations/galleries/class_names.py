"""Class names as names of files, and as words on an image."""

import re
from collections import Counter
from collections.abc import Sequence

from trainables.drawing.lettering import drawable, latin

MAX_LETTERS = 60
"""Of a class's name, so that the file's stays within what file systems allow."""


def file_names(names: Sequence[str]) -> list[str]:
    """Return a name of ASCII letters, digits, `-` and `_` for each name, no two equal, whatever their case.

    A name of which nothing is left becomes `class`; those that would be equal get their position appended.
    """
    stems = [_stem(name) for name in names]
    counts = Counter(stem.lower() for stem in stems)
    unique = {stem for stem, count in counts.items() if count == 1}
    return [
        stem if stem.lower() in unique else _not_in(unique, f"{stem}-{position}") for position, stem in enumerate(stems)
    ]


def readable_names(names: Sequence[str]) -> list[str]:
    """Return the names with spaces for `_`, and with their position where a letter of theirs cannot be drawn."""
    texts = [drawable(name.replace("_", " ")) for name in names]
    return [
        text if text.count("?") == name.count("?") else f"{text} ({position})"
        for position, (name, text) in enumerate(zip(names, texts, strict=True))
    ]


def _stem(name: str) -> str:
    letters = "".join(map(latin, name))
    return re.sub(r"[^A-Za-z0-9-]+", "_", letters)[:MAX_LETTERS].strip("_-") or "class"


def _not_in(taken: set[str], name: str) -> str:
    """Return `name`, or `name` and a mark that no other name ends with where it is taken."""
    return f"{name}_" if name.lower() in taken else name
