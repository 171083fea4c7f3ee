"""The training loop and what it needs to know of its surroundings."""

from trainables.training.context import LocalContext, RunContext, default_device
from trainables.training.loop import fit
from trainables.training.seeding import derive_seed, torch_threads

__all__ = ["LocalContext", "RunContext", "default_device", "derive_seed", "fit", "torch_threads"]
