"""Random numbers of the suite: each purpose has its own generator, so that no evaluation changes another's."""

import hashlib

import torch


def generator(seed: int, purpose: str) -> torch.Generator:
    """Return a generator on the CPU that depends on both arguments alone."""
    return torch.Generator().manual_seed(seed_of(seed, purpose))


def seed_of(seed: int, purpose: str) -> int:
    """Return 32 bits that depend on both arguments, for libraries that take a seed."""
    return int.from_bytes(hashlib.sha256(f"{seed},{purpose}".encode()).digest()[:4], "big")
