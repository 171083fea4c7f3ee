"""Losses that compare the embeddings of a batch with each other.

B embeddings, D dimensions.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from trainables.config import SupCon, Triplet
from trainables.losses.checks import check_shape
from trainables.losses.precision import loss_dtype

EmbeddingLoss = Callable[[Tensor, Tensor], Tensor]
"""From embeddings_BD and labels_B of a whole batch to the mean loss."""


def supervised_contrastive(embeddings_BD: Tensor, labels_B: Tensor, *, temperature: float) -> Tensor:
    """Return the supervised contrastive loss, the mean over i of

    `L_i = -1/|P(i)| sum_(p in P(i)) log( exp(z_i . z_p / t) / sum_(a != i) exp(z_i . z_a / t) )`

    with embeddings z of length 1, and P(i) the others of i's class; `L_i` is 0 where there are none. It is computed in
    float32 at least. Source: Khosla et al. 2020, eq. 2.

    Args:
        embeddings_BD: Of any length; two views of an image are two of them.

    Raises:
        ValueError: If shapes disagree or the temperature is not above 0.
    """
    _check(embeddings_BD, labels_B)
    if not temperature > 0:
        raise ValueError(f"temperature = {temperature}; expected a number above 0")
    # Not pytorch-metric-learning's SupConLoss: that is 0 for a batch of one class, and its mean leaves zeros out.
    with torch.autocast(embeddings_BD.device.type, enabled=False):
        unit_BD = functional.normalize(embeddings_BD.to(loss_dtype(embeddings_BD)), dim=1)
        similarity_BB = unit_BD @ unit_BD.T / temperature
        itself_BB = torch.eye(len(labels_B), dtype=torch.bool, device=labels_B.device)
        lowest = torch.finfo(similarity_BB.dtype).min
        log_sum_B1 = similarity_BB.masked_fill(itself_BB, lowest).logsumexp(1, keepdim=True)
        positive_BB = (labels_B[:, None] == labels_B) & ~itself_BB
        of_positives_B = torch.where(positive_BB, log_sum_B1 - similarity_BB, 0.0).sum(1)
        return (of_positives_B / positive_BB.sum(1).clamp(min=1)).mean()


def semi_hard_triplet(margin: float) -> EmbeddingLoss:
    """Return the triplet loss, the mean of `d(a, p) - d(a, n) + margin` over the semi-hard triplets of a batch.

    Anchor a and positive p are of one class, the negative n is of another, d is the Euclidean distance of embeddings as
    they are, and a triplet is semi-hard where `d(a, p) < d(a, n) < d(a, p) + margin`. Without any the loss is 0.
    Memory grows with the cube of the batch. Source: Schroff et al. 2015, eq. 4.

    Raises:
        ValueError: If the margin is not above 0, or shapes disagree.
    """
    from pytorch_metric_learning.distances import LpDistance
    from pytorch_metric_learning.losses import TripletMarginLoss
    from pytorch_metric_learning.miners import TripletMarginMiner

    if not margin > 0:
        raise ValueError(f"margin = {margin}; expected a number above 0")
    distance = LpDistance(normalize_embeddings=False, p=2, power=1)
    miner = TripletMarginMiner(margin=margin, type_of_triplets="semihard", distance=distance)
    loss = TripletMarginLoss(margin=margin, distance=distance)

    def triplet(embeddings_BD: Tensor, labels_B: Tensor) -> Tensor:
        _check(embeddings_BD, labels_B)
        with torch.autocast(embeddings_BD.device.type, enabled=False):
            # In float64, for torch.cdist multiplies, and the products of large embeddings take the others' digits.
            wide_BD = embeddings_BD.double()
            mean: Tensor = loss(wide_BD, labels_B, miner(wide_BD, labels_B))
        return mean.to(loss_dtype(embeddings_BD))

    return triplet


def _build_supcon(config: SupCon) -> EmbeddingLoss:
    return partial(supervised_contrastive, temperature=config.temperature)


def _build_triplet(config: Triplet) -> EmbeddingLoss:
    return semi_hard_triplet(config.margin)


EMBEDDING_LOSSES: dict[str, Callable[[Any], EmbeddingLoss]] = {"supcon": _build_supcon, "triplet": _build_triplet}


def build_embedding_loss(config: SupCon | Triplet) -> EmbeddingLoss:
    """Build the loss of an objective that trains an embedding."""
    if config.kind not in EMBEDDING_LOSSES:
        raise ValueError(
            f"objective.kind = {config.kind!r} trains no embedding; valid kinds: {', '.join(EMBEDDING_LOSSES)}"
        )
    return EMBEDDING_LOSSES[config.kind](config)


def _check(embeddings_BD: Tensor, labels_B: Tensor) -> None:
    if embeddings_BD.ndim != 2:
        raise ValueError(f"embeddings have the shape {tuple(embeddings_BD.shape)}; expected B,D")
    check_shape("labels", labels_B, embeddings_BD.shape[:1])
