"""An epoch kept in the middle, when a machine of the trial is about to be taken away, and resumed elsewhere.

Without a notice nothing is kept: an epoch is otherwise the unit of all that a trial commits.
"""

import math
import time
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from trainables.data import Batch
from trainables.training.context import RunContext
from trainables.training.learner import Learner

CHECKS = 20
"""How often a short epoch is asked whether there is a notice: workers wait for each other each time."""
MAX_STEPS = 50
"""How many steps of a long epoch may pass between: with steps of up to two seconds, within a notice of two minutes."""


@dataclass(slots=True)
class PartialEpoch:
    """What one worker has summed up of an epoch."""

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
    """Keep the epoch so far if there is a notice; all workers call it together, after every step.

    Which steps ask is a matter of their numbers alone, on which all workers agree. The last one does not: the epoch's
    own commit is next.
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
        context.folder.save_partial_epoch({**learner.state(), "epoch": epoch, "step": partial.step, "shares": shares})


def restore_partial_epoch(context: RunContext, learner: Learner, *, epoch: int) -> PartialEpoch:
    """Return the epoch as it was kept, with the learner and the generators as they were, or a new one.

    What was kept of another epoch, by another number of workers, or is not seen by all of them, does not count.
    """
    kept = context.folder.load_partial_epoch(context.device)
    found = (kept["epoch"], kept["step"], len(kept["shares"])) if kept else None
    if set(context.gather(found)) != {found} or kept is None or found is None:
        return PartialEpoch()
    if (found[0], found[2]) != (epoch, context.world_size):
        return PartialEpoch()
    share: dict[str, Any] = kept["shares"][context.rank]
    learner.load(kept)
    learner.load_buffers(share["buffers"])
    _set_generators(share["generators"], context.device)
    return PartialEpoch(
        step=kept["step"],
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
