"""What circuits keep of an effect by their number of nodes.

P pairs, N nodes, S sizes, Q sizes that are measured together.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from trainables.evaluations.circuits.ablation import Ablation, Experiment
from trainables.evaluations.circuits.faithfulness import even, faithfulness, log_sizes, sizes_needed
from trainables.evaluations.circuits.pairs import Pairs

NUM_REFINED = 6
"""Sizes that are measured between the first one that reaches the threshold and the one before it."""


class SizeCurve(NamedTuple):
    """Effects of circuits of each size."""

    sizes: tuple[int, ...]
    effects_SP: Tensor

    def at(self, sizes: Sequence[int]) -> Tensor:
        """Return the effects of some of the sizes."""
        return self.effects_SP[[self.sizes.index(size) for size in sizes]]


def plain_sizes(experiment: Experiment) -> tuple[int, ...]:
    """Return the sizes of all curves; a circuit with less nodes than stages carries nothing."""
    return log_sizes(len(experiment.network.ends), experiment.network.num_nodes)


def size_curve(experiment: Experiment, pairs: Pairs, order_PN: Tensor, ablation: Ablation, full_P: Tensor) -> SizeCurve:
    """Measure the effects of circuits of the first nodes of an order.

    Args:
        experiment: Of the network.
        pairs: Those measured on.
        order_PN: The nodes of each pair, or 1 x N for all pairs.
        ablation: What all other nodes hold.
        full_P: Effects of the whole network, which are those of the last size.
    """
    sizes = plain_sizes(experiment)
    effects_QP = _effects(experiment, pairs, order_PN, ablation, sizes[:-1])
    return SizeCurve(sizes, torch.cat([effects_QP, full_P[None]]))


def refined_curve(
    experiment: Experiment, pairs: Pairs, order_N: Tensor, ablation: Ablation, full_P: Tensor
) -> SizeCurve:
    """Measure the same for one order, with more sizes where the faithfulness first reaches 0.8."""
    curve = size_curve(experiment, pairs, order_N[None], ablation, full_P)
    more = sizes_between(curve.sizes, faithfulness(curve.effects_SP, full_P, even(len(full_P))))
    effects_QP = _effects(experiment, pairs, order_N[None], ablation, more)
    sizes_S = torch.tensor((*curve.sizes, *more))
    places_S = sizes_S.argsort()
    return SizeCurve(tuple(sizes_S[places_S].tolist()), torch.cat([curve.effects_SP, effects_QP])[places_S])


def sizes_between(sizes: tuple[int, ...], curve_1S: Tensor, num: int = NUM_REFINED) -> tuple[int, ...]:
    """Return at most `num` sizes, evenly between the first that reaches the threshold and the one before it."""
    needed_1 = sizes_needed(curve_1S, sizes)
    if needed_1.isnan() or int(needed_1) == sizes[0]:
        return ()
    high = int(needed_1)
    low = sizes[sizes.index(high) - 1]
    steps = (low + (high - low) * step / (num + 1) for step in range(1, num + 1))
    return tuple(size for size in dict.fromkeys(map(round, steps)) if low < size < high)


def _effects(
    experiment: Experiment, pairs: Pairs, order_PN: Tensor, ablation: Ablation, sizes: Sequence[int]
) -> Tensor:
    if not sizes:
        return torch.empty(0, len(pairs), dtype=torch.float64)
    ranks_PN = order_PN.argsort(1)
    return experiment.effects(pairs, [ranks_PN < size for size in sizes], ablation)
