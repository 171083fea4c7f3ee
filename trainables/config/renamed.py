"""Settings that had another name in earlier versions, by which they are still read."""

import logging
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from trainables.config.error import ConfigError

logger = logging.getLogger(__name__)

RENAMED = {
    "data.masked_repeats": "data.oversample_masked",
    "evaluation.suite.pictures": "evaluation.suite.images",
    "average_with_batch": "ema_decay_with_batch",
}
"""Old name -> new name, of a config field by dotted key or of a scale's rule."""


def current_name(name: str) -> str:
    """Return the name of today for a field, a field within it, or a rule; an old name is logged once a process."""
    for old, new in RENAMED.items():
        if name == old or name.startswith(f"{old}."):
            _log_once(old, new)
            return new + name.removeprefix(old)
    return name


def with_current_names(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Return a config tree, or values by dotted key, under the names of today.

    Raises:
        ConfigError: It has a field under the old and the new name.
    """
    return _renamed(tree, current_name)


def with_first_names(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Return a config tree, or values by dotted key, under the names that hashes are taken of: those of old."""
    return _renamed(tree, _first_name)


def _first_name(name: str) -> str:
    for old, new in RENAMED.items():
        if name == new or name.startswith(f"{new}."):
            return old + name.removeprefix(new)
    return name


def _renamed(tree: Mapping[str, Any], rename: Callable[[str], str], section: str = "") -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in tree.items():
        path = rename(f"{section}{key}")
        name = path.removeprefix(section) if isinstance(key, str) else key
        if name != key and name in tree:
            raise ConfigError(f"{section}{key} is the old name of {path}, and both are given; remove one of them")
        result[name] = _renamed(value, rename, f"{path}.") if isinstance(value, dict) else value
    return result


@cache
def _log_once(old: str, new: str) -> None:
    logger.warning("%s is now called %s; the old name is still read", old, new)
