"""An epoch that is interrupted by a preemption notice is saved, and resumed on another machine.

Without a notice nothing is saved in the middle of an epoch: a trial commits whole epochs.
"""

import math
import time
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from trainables.checkpoint import fitting
from trainables.data import Batch
from trainables.training.context import RunContext
from trainables.training.learner import Learner

CHECKS = 20
"""Checks for a notice in a short epoch; the workers wait for each other at each."""
MAX_STEPS = 50
"""Most steps between two checks in a long epoch: a notice of two minutes allows steps of up to two seconds."""


@dataclass(slots=True)
class PartialEpoch:
    """One worker's sums over the steps of an epoch so far."""

    step: int = 0
    totals: dict[str, Tensor] = field(default_factory=dict)
    num_images: int = 0
    num_unmasked: int = 0
    seconds_before: float = 0.0
    """Of training before the epoch was resumed."""
    started: float = field(default_factory=time.perf_counter)

    @property
    def seconds(self) -> float:
        return self.seconds_before + time.perf_counter() - self.started

    def add(self, sums: dict[str, Tensor], batch: Batch) -> None:
        """Count one step."""
        self.step += 1
        for name, total in sums.items():
            self.totals[name] = self.totals[name] + total if name in self.totals else total
        self.num_images += len(batch)
        self.num_unmasked += len(batch) - int(batch.has_mask_B.sum())


def save_on_preemption(
    context: RunContext, learner: Learner, partial: PartialEpoch, *, epoch: int, num_steps: int
) -> None:
    """Save the epoch so far if there is a notice; all workers call it together, after every step.

    The number of a step decides whether it checks, so that all workers do. The last step does not: the epoch is
    committed next.
    """
    interval = min(math.ceil(num_steps / CHECKS), MAX_STEPS)
    if partial.step % interval or partial.step == num_steps or not context.preemption_notice():
        return
    shares = context.gather(
        {
            "totals": {name: total.cpu() for name, total in partial.totals.items()},
            "num_images": partial.num_images,
            "num_unmasked": partial.num_unmasked,
            "seconds": partial.seconds,
            "buffers": learner.buffers(),
            "generators": _generators(context.device),
        }
    )
    if context.rank == 0:
        state = {**learner.state(), "epoch": epoch, "step": partial.step, "shares": shares}
        context.folder.checkpoints.save_partial_epoch(state)


def restore_partial_epoch(context: RunContext, learner: Learner, *, epoch: int) -> PartialEpoch:
    """Return the saved epoch, with learner and generators restored, or a new epoch.

    A file of another epoch or number of workers, or one that not all workers see, is ignored.
    """
    saved = context.folder.checkpoints.load_partial_epoch(context.device)
    place = (saved.get("epoch"), saved.get("step"), len(saved.get("shares", ()))) if saved else None
    if set(context.gather(place)) != {place} or saved is None or place is None:
        return PartialEpoch()
    if (place[0], place[2]) != (epoch, context.world_size):
        return PartialEpoch()
    share: dict[str, Any] = saved["shares"][context.rank]
    with fitting(context.folder.checkpoints.partial_epoch_path, remedy="remove it to train its epoch from the start"):
        learner.load(saved)
        learner.load_buffers(share["buffers"])
        _set_generators(share["generators"], context.device)
    return PartialEpoch(
        step=saved["step"],
        totals={name: total.to(context.device) for name, total in share["totals"].items()},
        num_images=share["num_images"],
        num_unmasked=share["num_unmasked"],
        seconds_before=share["seconds"],
    )


def _generators(device: torch.device) -> dict[str, Tensor]:
    states = {"cpu": torch.get_rng_state()}
    return states | ({"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else {})


def _set_generators(states: dict[str, Tensor], device: torch.device) -> None:
    torch.set_rng_state(states["cpu"].cpu())
    if "cuda" in states and device.type == "cuda":
        torch.cuda.set_rng_state(states["cuda"].cpu(), device)
