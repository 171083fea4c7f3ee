"""Data sets as their publishers pack them: each is a function from a folder to a table."""

from trainables.data.sets.build import READERS, build_published_set

__all__ = ["READERS", "build_published_set"]
