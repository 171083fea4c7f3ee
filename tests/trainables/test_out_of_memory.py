"""Memory that is lacking is one line, whichever library asked for it."""

import numpy as np
import pytest
import torch

from trainables.out_of_memory import naming_memory

BYTES = 2**47
"""More than a process can address."""


def test_torch_and_numpy_are_named_alike() -> None:
    for allocate in (lambda: torch.empty(BYTES, dtype=torch.uint8), lambda: np.empty(BYTES, dtype=np.uint8)):
        with (
            pytest.raises(MemoryError, match=r"^out of memory \([^\n]*allocate[^\n]*\): lower x$"),
            naming_memory("lower x"),
        ):
            allocate()


def test_device_is_named_too() -> None:
    with (
        pytest.raises(MemoryError, match=r"out of memory \(CUDA out of memory\. Tried\): lower x"),
        naming_memory("lower x"),
    ):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried\nto")


def test_other_errors_stay() -> None:
    with pytest.raises(RuntimeError, match="must match the size"), naming_memory("lower x"):
        torch.ones(2) + torch.ones(3)
