"""Measurements on pairs of one kind, a batch at a time.

P pairs, B batch, N nodes, Q circuits.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from trainables.evaluations.base import EvaluationContext
from trainables.evaluations.circuits.ablation import Ablation, circuit_effects, full_effects
from trainables.evaluations.circuits.pairs import Kind, PairBatch, Pairs
from trainables.evaluations.circuits.stage_ends import StagedNetwork


@dataclass(frozen=True, eq=False)
class Experiment:
    """A network, the kind of its pairs, and what mean ablation holds."""

    network: StagedNetwork
    kind: Kind
    means: Sequence[Tensor]
    """Of each end, the mean channels of the clean images that circuits are found on, on the device."""
    device: torch.device
    batch_size: int

    @classmethod
    def of(cls, context: EvaluationContext, network: StagedNetwork, kind: Kind, found: Pairs) -> Self:
        """Measure the means."""
        sums: list[Tensor] = []
        for images_BCHW in context.chunks(found.clean_PCHW):
            channels = [each.sum(0, keepdim=True) for each in network.activations(images_BCHW.to(context.device))]
            sums = [before + more for before, more in zip(sums, channels, strict=True)] if sums else channels
        means = [each / len(found) for each in sums]
        return cls(network, kind, means, context.device, context.batch_size)

    def over(self, pairs: Pairs, measure: Callable[[PairBatch], Tensor]) -> Tensor:
        """Return what `measure` returns for each pair, joined in the first dimension, in float64 on the CPU."""
        return torch.cat([measure(batch).double().cpu() for _, batch in self._batches(pairs)])

    def full(self, pairs: Pairs) -> Tensor:
        """Return the effects of the whole network, P."""
        return self.over(pairs, lambda batch: full_effects(self.network, batch))

    def effects(self, pairs: Pairs, circuits: Sequence[Tensor], ablation: Ablation) -> Tensor:
        """Return the effects of circuits, Q x P, each bool 1 x N, or P x N where each pair has another."""
        means = self.means if ablation == "mean" else None
        found = [
            circuit_effects(self.network, batch, [kept if len(kept) == 1 else kept[rows_B] for kept in circuits], means)
            for rows_B, batch in self._batches(pairs)
        ]
        return torch.cat(found, dim=1)

    def _batches(self, pairs: Pairs) -> Iterator[tuple[Tensor, PairBatch]]:
        for rows_B in torch.split(torch.arange(len(pairs)), self.batch_size):
            yield rows_B, pairs.batch(self.kind, rows_B, self.device)
