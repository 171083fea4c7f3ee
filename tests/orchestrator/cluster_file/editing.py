"""Edits of the tree of a cluster file, each of which must find what it changes."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

Tree = dict[str, Any]
Edit = Callable[[Tree], None]


def edited(tree: Tree, *edits: Edit) -> Tree:
    """Return a copy of `tree` after `edits`."""
    copy = deepcopy(tree)
    for edit in edits:
        edit(copy)
    return copy


def put(path: str, value: Any) -> Edit:
    """Set a field, keys joined by `/`, with `|` for a `/` within a key; sections on the way are there already."""
    *parents, key = (key.replace("|", "/") for key in path.split("/"))

    def edit(tree: Tree) -> None:
        at(tree, parents)[key] = deepcopy(value)

    return edit


def drop(path: str) -> Edit:
    """Remove a field that is there."""
    *parents, key = (key.replace("|", "/") for key in path.split("/"))

    def edit(tree: Tree) -> None:
        del at(tree, parents)[key]

    return edit


def swap(field: str, old: str, new: str) -> Edit:
    """Replace words in the commands of a field that hold them."""

    def edit(tree: Tree) -> None:
        assert any(old in command for command in tree[field]), f"{field} has no {old!r}"
        tree[field] = [command.replace(old, new) for command in tree[field]]

    return edit


def both(*edits: Edit) -> Edit:
    """Edit in this order."""

    def edit(tree: Tree) -> None:
        for each in edits:
            each(tree)

    return edit


def at(tree: Tree, keys: list[str]) -> Tree:
    for key in keys:
        tree = tree[key]
    return tree
