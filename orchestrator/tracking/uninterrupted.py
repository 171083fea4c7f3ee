"""Work that a stop signal does not tear."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def uninterrupted(function: Callable[[], T]) -> T:
    """Return what `function` returns; a KeyboardInterrupt that comes meanwhile is raised once it has ended.

    It runs in a thread: Python raises KeyboardInterrupt in the main thread alone.
    """
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(function).result()
