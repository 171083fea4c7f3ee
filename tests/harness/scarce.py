"""A machine without room: real limits of the kernel on this process's files and memory."""

import gc
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch


@contextmanager
def file_size_limit(num_bytes: int) -> Iterator[None]:
    """Make every write beyond `num_bytes` of a file fail, as on a full disk, with `File too large`."""
    with _limit(resource.RLIMIT_FSIZE, num_bytes):
        yield


@contextmanager
def memory_limit(num_bytes: int) -> Iterator[None]:
    """Make every allocation fail that takes at least two times `num_bytes`.

    What the process has freed and not given back to the kernel would be room: blocks of `num_bytes` fill it.
    """
    gc.collect()  # What it frees later would be room.
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    with _limit(resource.RLIMIT_AS, pages * resource.getpagesize() + num_bytes):
        blocks = []
        with suppress(RuntimeError):
            while True:
                blocks.append(torch.empty(num_bytes, dtype=torch.uint8))
        if blocks:
            blocks.pop()
        yield
        blocks.clear()


@contextmanager
def _limit(kind: int, value: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (value, hard))
    try:
        yield
    finally:
        resource.setrlimit(kind, (soft, hard))
