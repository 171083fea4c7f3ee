"""All metrics of one kind of map, image by image.

N samples, B batch, H W image or map, S steps.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from trainables.config.suite import MapName
from trainables.data import Batch
from trainables.evaluations.attribution.completeness import COMPLETE, completeness_gaps
from trainables.evaluations.attribution.explained import Explained, Explainer
from trainables.evaluations.attribution.flipping import area_under, flipping_curves
from trainables.evaluations.attribution.localisation import localisations, objects_of, pointing_hits
from trainables.evaluations.attribution.maps import COSTLY, is_empty, is_flat
from trainables.evaluations.attribution.quantus_scores import complexities, sparsenesses
from trainables.evaluations.attribution.sensitivity import max_sensitivity
from trainables.evaluations.attribution.similarity import continuity, contrastivity
from trainables.evaluations.base import EvaluationContext

CHUNK = 32
"""Images measured at once, between two reports of progress."""


@dataclass(frozen=True, eq=False)
class Scores:
    """Values of images in their order, on the CPU; nan where one is not defined or not measured."""

    values_N: Mapping[str, Tensor]
    """By metric."""
    curve_NS: Tensor
    correct_N: Tensor
    empty_N: Tensor
    flat_N: Tensor


def scores_of(
    name: MapName, context: EvaluationContext, batch: Batch, *, flip_steps: int, costly: frozenset[str]
) -> Scores:
    """Measure the maps of the class that the network predicts; the network has to be frozen.

    Args:
        flip_steps: A divisor of H*W.
        costly: Ids of the images on which the costliest metrics are measured.
    """
    explainer = Explainer(name, context)
    chunks: list[Scores] = []
    for chunk in batch.split(math.ceil(len(batch) / min(CHUNK, context.batch_size))):
        chunks.append(_judge(explainer, chunk, flip_steps, costly))
        context.tick(sum(len(done.correct_N) for done in chunks), len(batch))
    return Scores(
        values_N={metric: torch.cat([chunk.values_N[metric] for chunk in chunks]) for metric in chunks[0].values_N},
        **{
            field.name: torch.cat([getattr(chunk, field.name) for chunk in chunks])
            for field in fields(Scores)
            if field.name != "values_N"
        },
    )


def _judge(explainer: Explainer, batch: Batch, flip_steps: int, costly: frozenset[str]) -> Scores:
    images = explainer.explained(batch)
    map_BHW, object_BHW = images.map_BHW, objects_of(batch.background_BHW, batch.has_mask_B)
    curve_BS = _curves(explainer, images, flip_steps)
    values_B = {
        "pixel_flipping": area_under(curve_BS),
        "pixel_flipping_normalised": area_under(curve_BS / curve_BS[:, :1]),
        **_against_further_maps(explainer, images, costly),
        "complexity": complexities(map_BHW),
        "sparseness": sparsenesses(map_BHW),
        "localisation": localisations(map_BHW, object_BHW),
        "pointing_game": pointing_hits(map_BHW, object_BHW),
    }
    if explainer.name in COMPLETE:
        values_B["completeness"] = completeness_gaps(
            explainer.name,
            explainer.context.model,
            images.logits_BK,
            images.own_grid_BHW,
            batch.images_BCHW.shape[1:],
        )
    return Scores(values_B, curve_BS, images.targets_B == batch.labels_B, is_empty(map_BHW), is_flat(map_BHW))


def _curves(explainer: Explainer, images: Explained, flip_steps: int) -> Tensor:
    return flipping_curves(
        explainer.context.model,
        images.images_BCHW.to(explainer.context.device),
        images.logits_BK,
        images.map_BHW,
        num_steps=flip_steps,
    )


def _against_further_maps(explainer: Explainer, images: Explained, costly: frozenset[str]) -> dict[str, Tensor]:
    few_B = torch.tensor([image in costly for image in images.ids])
    many_B = few_B if explainer.name in COSTLY else torch.ones_like(few_B)
    return {
        "continuity": _where(many_B, continuity, explainer, images),
        "max_sensitivity": _where(few_B, max_sensitivity, explainer, images),
        "contrastivity": _where(many_B, contrastivity, explainer, images),
    }


def _where(
    chosen_B: Tensor, metric: Callable[[Explainer, Explained], Tensor], explainer: Explainer, images: Explained
) -> Tensor:
    """Return the metric of the chosen images and nan of the others."""
    values_B = torch.full(chosen_B.shape, torch.nan, dtype=torch.float64)
    if chosen_B.any():
        values_B[chosen_B] = metric(explainer, images.pick(chosen_B)).double()
    return values_B
