"""Text files that list the images of a set, one a line."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from trainables.config import ConfigError

_NUM_NAMED = 5


def read_lines(path: Path, *, remedy: str) -> dict[str, str]:
    """Return the lines by where they stand, `<path>, line <number>`, without comments and empty ones.

    Args:
        remedy: What a message says of a file that is not there: what is looked for, and what to set.

    Raises:
        ConfigError: The file cannot be read, is not in UTF-8, or lists nothing.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"data.root: {path} cannot be read ({error.strerror}); {remedy}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"data.root: {path} is not in UTF-8: {error}") from error
    lines = {
        f"{path}, line {number}": line
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.startswith("#")
    }
    if not lines:
        raise ConfigError(f"data.root: {path} lists no images")
    return lines


def check_once(path: Path, names: Iterable[str]) -> None:
    """Raise ConfigError where a list names an image more than once."""
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise ConfigError(f"data.root: {path} lists more than once: {', '.join(twice)}")


def check_apart(train: Path, train_names: Iterable[str], val: Path, val_names: Iterable[str]) -> None:
    """Raise ConfigError where an image is in both lists."""
    both = sorted(set(train_names) & set(val_names))
    if both:
        raise ConfigError(
            f"data.root: {train} and {val} both list {len(both)} of the images: {first_few(both)}; "
            "an image must be in one of them alone"
        )


def first_few(names: list[str]) -> str:
    """Return the first names, and dots where there are more."""
    return f"{', '.join(names[:_NUM_NAMED])}{' ...' if len(names) > _NUM_NAMED else ''}"
