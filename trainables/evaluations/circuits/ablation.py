"""What is left of the difference between clean and corrupt where a network keeps some of its nodes alone.

P pairs, B batch, N nodes, Q circuits.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Self, get_args

import torch
from torch import Tensor

from trainables.evaluations.base import EvaluationContext
from trainables.evaluations.circuits.pairs import Kind, PairBatch, Pairs
from trainables.evaluations.circuits.stage_ends import StagedNetwork
from trainables.evaluations.result import NotPossibleError
from trainables.evaluations.rivals import margins

Ablation = Literal["resample", "mean"]
"""What an ablated node holds: its value in the corrupt image, or its mean over other images at each position."""
ABLATIONS: tuple[Ablation, ...] = get_args(Ablation)


@dataclass(frozen=True, eq=False)
class Experiment:
    """A network, the kind of its pairs, and what mean ablation holds; it measures pairs a batch at a time."""

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
        """Return what `measure` returns for each pair, joined in the first dimension, in float64 on the CPU.

        Raises:
            NotPossibleError: It is not finite.
        """
        found = torch.cat([measure(batch).double().cpu() for _, batch in self._batches(pairs)])
        if not found.isfinite().all():
            raise NotPossibleError("the network's features, logits or their gradients are not all finite")
        return found

    def full(self, pairs: Pairs) -> Tensor:
        """Return `m(clean) - m(corrupt)` of the whole network, P."""
        return self.over(pairs, lambda batch: full_effects(self.network, batch))

    def effects(self, pairs: Pairs, circuits: Sequence[Tensor], ablation: Ablation) -> Tensor:
        """Return `m_C(clean) - m_C(corrupt)` of each circuit C, Q x P.

        All nodes outside of C hold the same for both images, so that no other path carries the difference. With the
        values of the corrupt image, `m_C(corrupt)` is the whole network's.

        Args:
            pairs: Those measured on.
            circuits: Which nodes are kept: bool 1 x N, or P x N where each pair has another circuit.
            ablation: What all other nodes hold.
        """
        means = self.means if ablation == "mean" else None
        found = [
            circuit_effects(self.network, batch, [kept if len(kept) == 1 else kept[rows_B] for kept in circuits], means)
            for rows_B, batch in self._batches(pairs)
        ]
        return torch.cat(found, dim=1)

    def _batches(self, pairs: Pairs) -> Iterator[tuple[Tensor, PairBatch]]:
        for rows_B in torch.split(torch.arange(len(pairs)), self.batch_size):
            yield rows_B, pairs.batch(self.kind, rows_B, self.device)


def full_effects(network: StagedNetwork, batch: PairBatch) -> Tensor:
    with torch.no_grad():
        clean_B, corrupt_B = (_margins(network, batch, images) for images in (batch.clean_BCHW, batch.corrupt_BCHW))
    return clean_B - corrupt_B


def circuit_effects(
    network: StagedNetwork, batch: PairBatch, circuits: Sequence[Tensor], means: Sequence[Tensor] | None
) -> Tensor:
    """Return the circuits' effects, Q x B on the CPU; without `means`, others hold the corrupt image's values."""
    with torch.no_grad():
        held = network.activations(batch.corrupt_BCHW) if means is None else means
        whole_B = _margins(network, batch, batch.corrupt_BCHW)
        found = []
        for kept_BN in circuits:
            clean_B = _ablated_margins(network, batch, batch.clean_BCHW, kept_BN, held)
            corrupt_B = (
                whole_B if means is None else _ablated_margins(network, batch, batch.corrupt_BCHW, kept_BN, held)
            )
            found.append((clean_B - corrupt_B).cpu())
    return torch.stack(found)


def _ablated_margins(
    network: StagedNetwork, batch: PairBatch, images_BCHW: Tensor, kept_BN: Tensor, held: Sequence[Tensor]
) -> Tensor:
    kept = network.by_end(kept_BN.to(images_BCHW.device))

    def ablate(number: int, channels: Tensor) -> Tensor:
        is_kept = kept[number].view(*kept[number].shape, *[1] * (channels.ndim - 2))
        return torch.where(is_kept, channels, held[number])

    with network.changed(ablate):
        return _margins(network, batch, images_BCHW)


def _margins(network: StagedNetwork, batch: PairBatch, images_BCHW: Tensor) -> Tensor:
    return margins(network.model(images_BCHW).logits, batch.labels_B, batch.rivals_B)
