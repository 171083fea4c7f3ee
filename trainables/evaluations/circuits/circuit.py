"""One circuit of a network: found on one half of the pairs, verified by ablation on the other.

P pairs, N nodes, S sizes, M nodes that are tested one by one, E edges.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor

from trainables.evaluations.circuits.ablation import ABLATIONS, Ablation, Experiment
from trainables.evaluations.circuits.faithfulness import Resamples, even, faithfulness, sizes_needed
from trainables.evaluations.circuits.pairs import Halves, Pairs
from trainables.evaluations.circuits.scores import Edge, edge_scores, magnitudes, node_scores
from trainables.evaluations.circuits.size_curve import SizeCurve, plain_sizes, refined_curve, size_curve

Order = Literal["score", "random", "magnitude"]
"""In which order a circuit gets its nodes; a random order is another for each pair."""
ORDERS: tuple[Order, ...] = get_args(Order)
MAX_TESTED = 16
"""Nodes of a circuit that are ablated one by one and drawn: those of the highest scores."""
NUM_TICKS = 5
"""Steps of `find_circuit`."""


@dataclass(frozen=True, eq=False)
class Scores:
    """Means over the pairs that a circuit is found on."""

    absolute_N: Tensor
    signed_N: Tensor
    order_N: Tensor
    """The nodes in the order in which circuits get them, by absolute score."""
    by_magnitude_N: Tensor
    """The same by the size of their activations."""
    size: int | None = None
    """Nodes by score that reach a faithfulness of 0.8 on these pairs; None where no circuit is found."""

    @property
    def tested(self) -> list[int]:
        return self.order_N[: min(self.size or 0, MAX_TESTED)].tolist()


class CircuitTests(NamedTuple):
    """Effects under ablation, in float64."""

    kept: Mapping[Ablation, Tensor]
    """P: with the circuit kept; nan where there is none."""
    rest: Mapping[Ablation, Tensor]
    """P: with the circuit ablated and the rest kept."""
    single_MP: Tensor
    """Of the network without one node of those tested."""
    without_MP: Tensor
    """Of the circuit without one node."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Circuit:
    """Scores, and the effects `m(clean) - m(corrupt)` of the pairs that verify them, in float64."""

    scores: Scores
    full_P: Tensor
    """Of the whole network."""
    resamples: Resamples
    sizes: tuple[int, ...]
    """Those that all curves have."""
    curves: Mapping[tuple[Ablation, Order], SizeCurve]
    """By score there are more sizes around the threshold."""
    tests: CircuitTests
    edges: Mapping[Edge, tuple[float, float]]
    """Between tested nodes: mean absolute and mean score over the pairs that the circuit was found on."""


def find_circuit(
    experiment: Experiment, halves: Halves, generator: torch.Generator, tick: Callable[[], None]
) -> Circuit:
    """Score all nodes and choose how many are kept on one half of the pairs; ablate on the other.

    A circuit is found where the margin falls beyond noise on both halves.
    """
    found, verified = halves.found, halves.verified
    resamples = Resamples.of(len(verified), generator)
    scores, full_P = _scores(experiment, found), experiment.full(verified)
    if resamples.mean(full_P).low > 0:
        size = _size(experiment, found, scores.order_N, Resamples.of(len(found), generator))
        scores = replace(scores, size=size)
    tick()
    curves: dict[tuple[Ablation, Order], SizeCurve] = {}
    random_PN = torch.stack([torch.randperm(len(scores.order_N), generator=generator) for _ in range(len(verified))])
    for ablation in ABLATIONS:
        curves[ablation, "score"] = refined_curve(experiment, verified, scores.order_N, ablation, full_P)
        curves[ablation, "random"] = size_curve(experiment, verified, random_PN, ablation, full_P)
        by_magnitude_1N = scores.by_magnitude_N[None]
        curves[ablation, "magnitude"] = size_curve(experiment, verified, by_magnitude_1N, ablation, full_P)
        tick()
    tests = _tests(experiment, verified, scores)
    tick()
    edges = _edges(experiment, found, scores.tested)
    tick()
    return Circuit(
        scores=scores,
        full_P=full_P,
        resamples=resamples,
        sizes=plain_sizes(experiment),
        curves=curves,
        tests=tests,
        edges=edges,
    )


def balanced_order(values: Sequence[Tensor]) -> Tensor:
    """Return the nodes so that the first of them hold about the same share of each stage's sum of values.

    Everything passes through each stage, so a circuit is no stronger than its weakest stage. A node's place is decided
    by the share of its stage that nodes of higher values hold; of equal shares the earlier stage comes first.

    Args:
        values: Of the channels of each end, not negative.
    """
    shares = []
    for values_C in values:
        sorted_C, places_C = values_C.sort(descending=True, stable=True)
        above_C = (sorted_C.cumsum(0) - sorted_C) / sorted_C.sum().clamp(min=torch.finfo(sorted_C.dtype).tiny)
        shares.append(torch.empty_like(values_C).scatter_(0, places_C, above_C))
    return torch.cat(shares).argsort(stable=True)


def _scores(experiment: Experiment, found: Pairs) -> Scores:
    network = experiment.network
    signed_PN = experiment.over(found, lambda batch: node_scores(network, batch))
    magnitude_N = experiment.over(found, lambda batch: magnitudes(network, batch)).mean(0)
    absolute_N = signed_PN.abs().mean(0)
    return Scores(
        absolute_N=absolute_N,
        signed_N=signed_PN.mean(0),
        order_N=balanced_order(network.by_end(absolute_N)),
        by_magnitude_N=balanced_order(network.by_end(magnitude_N)),
    )


def _size(experiment: Experiment, found: Pairs, order_N: Tensor, resamples: Resamples) -> int | None:
    full_P = experiment.full(found)
    if not resamples.mean(full_P).low > 0:
        return None
    curve = refined_curve(experiment, found, order_N, "resample", full_P)
    return int(sizes_needed(faithfulness(curve.effects_SP, full_P, even(len(found))), curve.sizes))


def _tests(experiment: Experiment, pairs: Pairs, scores: Scores) -> CircuitTests:
    if scores.size is None:
        nothing_P = torch.full((len(pairs),), torch.nan, dtype=torch.float64)
        nothing = dict.fromkeys(ABLATIONS, nothing_P)
        none_MP = nothing_P[None][:0]
        return CircuitTests(kept=nothing, rest=nothing, single_MP=none_MP, without_MP=none_MP)
    circuit_1N = (scores.order_N.argsort() < scores.size)[None]
    kept: dict[Ablation, Tensor] = {}
    rest: dict[Ablation, Tensor] = {}
    for ablation in ABLATIONS:
        kept[ablation], rest[ablation] = experiment.effects(pairs, [circuit_1N, ~circuit_1N], ablation)
    one_MN = torch.nn.functional.one_hot(torch.tensor(scores.tested), circuit_1N.shape[1]).bool()
    return CircuitTests(
        kept=kept,
        rest=rest,
        single_MP=experiment.effects(pairs, torch.split(~one_MN, 1), "resample"),
        without_MP=experiment.effects(pairs, torch.split(circuit_1N & ~one_MN, 1), "resample"),
    )


def _edges(experiment: Experiment, pairs: Pairs, tested: Sequence[int]) -> dict[Edge, tuple[float, float]]:
    places = experiment.network.places
    edges = [(u, v) for u in tested for v in tested if places[v][0] == places[u][0] + 1]
    if not edges:
        return {}
    scores_PE = experiment.over(pairs, lambda batch: edge_scores(experiment.network, batch, edges))
    means_E2 = torch.stack([scores_PE.abs().mean(0), scores_PE.mean(0)], dim=1).tolist()
    return {edge: (absolute, signed) for edge, (absolute, signed) in zip(edges, means_E2, strict=True)}
