"""Random numbers of the evaluation suite: each purpose has a generator of its own, so that no part moves another's."""

import hashlib

import torch


def generator(seed: int, purpose: str) -> torch.Generator:
    """Return a generator on the CPU that depends on both arguments alone."""
    return torch.Generator().manual_seed(seed_of(seed, purpose))


def seed_of(seed: int, purpose: str) -> int:
    """Return 32 bits that depend on both arguments, for libraries that take a seed."""
    return int.from_bytes(hashlib.sha256(f"{seed},{purpose}".encode()).digest()[:4], "big")
