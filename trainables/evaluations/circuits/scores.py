"""How much of a pair's margin each node, and each edge between nodes, carries by gradients.

The scores are those of attribution patching with integrated gradients on activations: Hanna et al. 2024, "Have Faith
in Faithfulness" (EAP-IG), and Marks et al. 2024, "Sparse Feature Circuits".
B batch, C channels, N nodes, E edges, S ends of stages.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from trainables.evaluations.circuits.pairs import PairBatch
from trainables.evaluations.circuits.stage_ends import StagedNetwork
from trainables.evaluations.rivals import margins

STEPS = 5
"""Points on the way from corrupt to clean, in the middle of five equal parts; five as in Hanna et al."""

Edge = tuple[int, int]
"""Two nodes, of an end and of the next one."""


def node_scores(network: StagedNetwork, batch: PairBatch) -> Tensor:
    """Return what each node's corrupt value takes from the margin, by integrated gradients: signed, B x N.

    `sum_p (a - a') mean_k dm/da` at `a' + (k - 1/2) / 5 (a - a')`, over positions p of the clean value a and the
    corrupt value a'. All nodes of an end are moved together, so that their sum is close to `m(clean) - m(corrupt)`.
    """
    clean, corrupt = network.activations(batch.clean_BCHW), network.activations(batch.corrupt_BCHW)
    found = []
    for number, (own, other) in enumerate(zip(clean, corrupt, strict=True)):
        gradients = [
            _gradient(network, batch, number, other + (step + 0.5) / STEPS * (own - other)) for step in range(STEPS)
        ]
        found.append(_summed((own - other) * torch.stack(gradients).mean(0)))
    return torch.cat(found, dim=1)


def _gradient(network: StagedNetwork, batch: PairBatch, number: int, channels: Tensor) -> Tensor:
    """Return the margin's gradient at these channels of one end."""
    leaf = channels.requires_grad_()
    with network.changed(lambda place, passed: leaf.clone() if place == number else passed):
        logits_BK = network.model(batch.clean_BCHW).logits
    (gradient,) = torch.autograd.grad(margins(logits_BK, batch.labels_B, batch.rivals_B).sum(), leaf)
    return gradient


def edge_scores(network: StagedNetwork, batch: PairBatch, edges: Sequence[Edge]) -> Tensor:
    """Return what node u takes from the margin through node v alone of the next end: signed, B x E.

    `sum_p (a_u - a_u') d/da_u sum_q (dm/da_v) a_v`, with the gradients at the clean image (Marks et al. 2024). Over
    all v, a node's edges sum to its gradient at the clean image times the difference.
    """
    corrupt = network.activations(batch.corrupt_BCHW)
    clean: list[Tensor] = []

    def keep(number: int, channels: Tensor) -> Tensor:
        clean.append(channels if number else channels.detach().requires_grad_())
        return clean[-1].clone()

    with network.changed(keep):
        logits_BK = network.model(batch.clean_BCHW).logits
    margin_B = margins(logits_BK, batch.labels_B, batch.rivals_B)
    gradients = torch.autograd.grad(margin_B.sum(), clean, retain_graph=True)
    scores_BE = torch.zeros(len(margin_B), len(edges), device=margin_B.device)
    places = network.places
    for target in dict.fromkeys(end for _, end in edges):
        number, channel = places[target]
        through = (gradients[number].detach()[:, channel] * clean[number][:, channel]).sum()
        (gradient,) = torch.autograd.grad(through, clean[number - 1], retain_graph=True)
        taken_BC = _summed((clean[number - 1].detach() - corrupt[number - 1]) * gradient)
        for position, (source, end) in enumerate(edges):
            if end == target:
                scores_BE[:, position] = taken_BC[:, places[source][1]]
    return scores_BE


def magnitudes(network: StagedNetwork, batch: PairBatch) -> Tensor:
    """Return each node's mean absolute value over the positions of the clean image: B x N."""
    clean = network.activations(batch.clean_BCHW)
    return torch.cat([channels.abs().flatten(2).mean(2) for channels in clean], dim=1)


def _summed(channels: Tensor) -> Tensor:
    """Sum over positions: B x C."""
    return channels.flatten(2).sum(2)
