"""Errors of a machine or a device without memory, as torch and Python raise them."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

CPU_MESSAGES = ("can't allocate memory", "not enough memory")
"""Of torch's allocator for the CPU, which raises a plain RuntimeError."""


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether memory was lacking; a file that is read is then not at fault."""
    torch = sys.modules.get("torch")
    if isinstance(error, MemoryError) or (torch is not None and isinstance(error, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(message in str(error) for message in CPU_MESSAGES)


@contextmanager
def naming_memory(remedy: str) -> Iterator[None]:
    """Raise MemoryError with one line that ends in `remedy` where memory is lacking."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        first, *_ = str(error).splitlines() or [""]
        raise MemoryError(f"out of memory ({first[:200]}): {remedy}") from error
