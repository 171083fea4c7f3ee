"""Every generator follows from (seed, epoch, rank), so that none needs saving."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def derive_seed(*parts: int) -> int:
    """Return 63 bits that depend on every part and on their order."""
    text = ",".join(map(str, parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


@contextmanager
def torch_threads(count: float) -> Iterator[None]:
    """Run torch's operators on `count` cores, rounded down but at least one, and restore the number after."""
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, int(count)))
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def fastest_convolutions(device: torch.device) -> Iterator[None]:
    """On CUDA, let cuDNN time its convolutions once for each shape and use the fastest; restore its choice after.

    All batches of a training have one shape. Elsewhere nothing changes.
    """
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = before or device.type == "cuda"
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before
