"""The cells that concepts are fitted to, and how images are made of them.

N images, B batch, M cells, F features, J concepts, K classes, C channels, H W map, P = H*W cells of an image.
"""

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from trainables.cams import reduce_background
from trainables.data import Batch
from trainables.evaluations.base import EvaluationContext
from trainables.evaluations.concepts.activations import activations
from trainables.evaluations.result import NotPossibleError
from trainables.evaluations.rivals import strongest_rivals

MAX_CELLS = 10_000
"""Cells that the concepts are fitted to, equally many of each image."""


@dataclass(frozen=True, slots=True, eq=False)
class Readings:
    """By image, on the CPU in float64."""

    logits_NK: Tensor
    """Those of the whole network."""
    activations_NJHW: Tensor
    """How much of each concept each cell holds."""
    background_NHW: Tensor
    """Each cell's share of background; 0 without a mask."""
    error_N: Tensor
    """`sum_p |A_p - sum_j U_pj D_j|^2`."""
    square_N: Tensor
    """`sum_p |A_p|^2`."""
    total_NF: Tensor
    """`sum_p A_p`."""

    @property
    def amounts(self) -> Tensor:
        """The mean activation of each image's cells, NJ."""
        return self.activations_NJHW.mean((2, 3))

    @property
    def predicted(self) -> Tensor:
        """The class of the highest logit, N."""
        return self.logits_NK.argmax(1)

    @property
    def rivals(self) -> Tensor:
        """The class of the highest other logit, N."""
        return strongest_rivals(self.logits_NK, self.predicted)

    def sorted(self, order_J: Tensor) -> "Readings":
        """Return the readings with the concepts in that order."""
        return replace(self, activations_NJHW=self.activations_NJHW[:, order_J])

    def r2(self) -> float:
        """Return the share of the features' variance over all cells that the concepts reconstruct; nan without any."""
        num_cells = self.background_NHW.numel()
        variance = self.square_N.sum() - self.total_NF.sum(0).square().sum() / num_cells
        return (1 - self.error_N.sum() / variance).item() if variance > 0 else torch.nan


def training_cells(context: EvaluationContext) -> Tensor:
    """Return the features of at most `MAX_CELLS` cells of as many training images as a sample has, MF in float32."""
    images = context.data.train_unaugmented
    draws, generator = context.draws(images), context.generator("concepts/cells")
    num_each = max(1, MAX_CELLS // len(draws))
    chosen = []
    for start in range(0, len(draws), context.batch_size):
        batch = images.__getitems__(draws[start : start + context.batch_size])
        if len(batch):
            chosen.append(_some_cells(_encode(context, batch)[0], num_each, generator))
    if not chosen:
        raise NotPossibleError(f"none of the {len(draws)} sampled training images can be read")
    return torch.cat(chosen)


def read_concepts(context: EvaluationContext, batch: Batch, dictionary_JF: Tensor) -> Readings:
    """Return the readings of images; NotPossibleError where the network's output is not finite."""
    chunks = []
    for rows_B in context.chunks(torch.arange(len(batch))):
        part = batch.rows(rows_B)
        chunks.append(_read(*_encode(context, part), part.background_BHW, dictionary_JF))
    return Readings(
        **{field.name: torch.cat([getattr(chunk, field.name) for chunk in chunks]) for field in fields(Readings)}
    )


@torch.no_grad()
def _encode(context: EvaluationContext, batch: Batch) -> tuple[Tensor, Tensor]:
    """Return features_BFHW and logits_BK on the CPU, in float32 and float64."""
    output = context.model(batch.images_BCHW.to(context.device))
    features_BFHW, logits_BK = output.features.float().cpu(), output.logits.float().cpu().double()
    if not (features_BFHW.isfinite().all() and logits_BK.isfinite().all()):
        raise NotPossibleError("the network's features and logits are not all finite")
    return features_BFHW, logits_BK


def _some_cells(features_BFHW: Tensor, num_each: int, generator: torch.Generator) -> Tensor:
    cells_BPF = features_BFHW.flatten(2).mT
    places_BP = torch.rand(cells_BPF.shape[:2], generator=generator).argsort(1)[:, :num_each]
    return cells_BPF.take_along_dim(places_BP.unsqueeze(2), 1).flatten(0, 1)


def _read(features_BFHW: Tensor, logits_BK: Tensor, background_BHW: Tensor, dictionary_JF: Tensor) -> Readings:
    size = features_BFHW.shape[-2:]
    cells_BPF = features_BFHW.flatten(2).mT.double()
    found_BPJ = activations(cells_BPF.flatten(0, 1), dictionary_JF).view(*cells_BPF.shape[:2], -1)
    return Readings(
        logits_NK=logits_BK,
        activations_NJHW=found_BPJ.mT.reshape(len(cells_BPF), -1, *size),
        background_NHW=reduce_background(background_BHW, size).double(),
        error_N=(cells_BPF - found_BPJ @ dictionary_JF).square().sum((1, 2)),
        square_N=cells_BPF.square().sum((1, 2)),
        total_NF=cells_BPF.sum(1),
    )
