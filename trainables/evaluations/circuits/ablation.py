"""What is left of the difference between clean and corrupt where a network keeps some of its nodes alone.

B batch, N nodes, Q circuits.
"""

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor

from trainables.evaluations.circuits.pairs import PairBatch, margins
from trainables.evaluations.circuits.stage_ends import StagedNetwork

Ablation = Literal["resample", "mean"]
"""What an ablated node holds: its value in the corrupt image, or its mean over other images at each position."""
ABLATIONS: tuple[Ablation, ...] = get_args(Ablation)


def full_effects(network: StagedNetwork, batch: PairBatch) -> Tensor:
    """Return `m(clean) - m(corrupt)` of the whole network, float64 on the CPU, of shape B."""
    with torch.no_grad():
        clean_B, corrupt_B = (_margins(network, batch, images) for images in (batch.clean_BCHW, batch.corrupt_BCHW))
    return (clean_B - corrupt_B).double().cpu()


def circuit_effects(
    network: StagedNetwork, batch: PairBatch, circuits: Sequence[Tensor], means: Sequence[Tensor] | None
) -> Tensor:
    """Return `m_C(clean) - m_C(corrupt)` of each circuit C, float64 on the CPU, Q x B.

    All nodes outside of C hold the same for both images, so that no other path carries the difference. With the values
    of the corrupt image, `m_C(corrupt)` is the whole network's.

    Args:
        network: Of which parts are kept.
        batch: The pairs.
        circuits: Which nodes are kept: bool B x N, or 1 x N for all pairs.
        means: Of each end, the mean channels that ablated nodes hold; None takes those of the corrupt image.
    """
    with torch.no_grad():
        held = network.activations(batch.corrupt_BCHW) if means is None else means
        whole_B = _margins(network, batch, batch.corrupt_BCHW)
        found = []
        for kept_BN in circuits:
            clean_B = _ablated_margins(network, batch, batch.clean_BCHW, kept_BN, held)
            corrupt_B = (
                whole_B if means is None else _ablated_margins(network, batch, batch.corrupt_BCHW, kept_BN, held)
            )
            found.append((clean_B - corrupt_B).double().cpu())
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
