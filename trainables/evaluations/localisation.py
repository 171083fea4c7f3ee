"""Whether what speaks for the predicted class lies on the object: energy pointing game and overlap with the mask.

The map of an image is the ContrastiveCAM of its predicted class against one rival, the class with the next highest
logit: the comparison that decided the prediction. Its positive part is enlarged bilinearly to the mask's size.
N samples, B batch, K classes, T thresholds, H W map or image.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from trainables.cams import contrastive_cams, hirescam
from trainables.evaluations.base import EvalSpec, EvaluationContext
from trainables.evaluations.masked_sample import MaskedSample, masked_sample
from trainables.evaluations.result import Curve, EvaluationResult, NotPossibleError, by_image
from trainables.evaluations.rivals import check_rival

CURVE_THRESHOLDS = tuple(step / 20 for step in range(20))
"""Where the overlap's curve is measured: a map may be broad or peaked, and no single threshold suits both."""
MIN_ENERGY = 1e-7
"""A map whose positive part sums to less, at the mask's size, points nowhere."""


def decisive_maps(cams_BKHW: Tensor, logits_BK: Tensor) -> Tensor:
    """Return `CC_(c,r) = H_c - H_r`, BHW, of the highest logit's class c against the next highest's r."""
    predicted_B, rival_B = logits_BK.topk(2, dim=1).indices.unbind(1)
    contrastive_BKHW = contrastive_cams(cams_BKHW, predicted_B)
    return torch.take_along_dim(contrastive_BKHW, rival_B.view(-1, 1, 1, 1), dim=1).squeeze(1)


def energy(maps_BHW: Tensor, size: Sequence[int]) -> Tensor:
    """Return the positive part of the maps, enlarged bilinearly to `size`."""
    positive_B1HW = maps_BHW.clamp(min=0).unsqueeze(1)
    return functional.interpolate(positive_B1HW, list(size), mode="bilinear", align_corners=False).squeeze(1)


def energy_on_object(energy_BHW: Tensor, object_BHW: Tensor) -> Tensor:
    """Return `sum a * object / sum a` of each map a >= 0, nan where it or the object is empty.

    Source: Wang et al. 2020, "Score-CAM", section 4.3.
    """
    shares_B = (energy_BHW * object_BHW).sum((1, 2)) / energy_BHW.sum((1, 2))
    return torch.where(_is_defined(energy_BHW, object_BHW), shares_B, torch.nan)


def overlap(energy_BHW: Tensor, object_BHW: Tensor, *, threshold: float) -> Tensor:
    """Return the intersection over union of the object and of where `a > threshold * max a`.

    A pixel counts with its share of object. The result is nan where a or the object is empty.
    """
    seen_BHW = (energy_BHW > threshold * energy_BHW.amax((1, 2), keepdim=True)).to(object_BHW.dtype)
    both_B = torch.minimum(seen_BHW, object_BHW).sum((1, 2))
    either_B = torch.maximum(seen_BHW, object_BHW).sum((1, 2))
    return torch.where(_is_defined(energy_BHW, object_BHW), both_B / either_B, torch.nan)


def _is_defined(energy_BHW: Tensor, object_BHW: Tensor) -> Tensor:
    return (energy_BHW.sum((1, 2)) >= MIN_ENERGY) & (object_BHW > 0).flatten(1).any(1)


def _run(context: EvaluationContext) -> EvaluationResult:
    check_rival(context.model)
    sample = masked_sample(context)
    threshold = context.settings.background.iou_threshold
    energy_N, overlap_TN = _measure(context, sample, (threshold, *CURVE_THRESHOLDS))
    num_empty = int(energy_N.isnan().sum())
    if num_empty == len(sample):
        raise NotPossibleError(f"none of the maps of {len(sample)} images has a positive part")
    curve_T = overlap_TN[1:].nanmean(1)
    best = int(curve_T.argmax())
    return EvaluationResult(
        {
            "localisation/energy_pointing_game": energy_N.nanmean().item(),
            "localisation/contrastive_iou": overlap_TN[0].nanmean().item(),
            "localisation/contrastive_iou_best": curve_T[best].item(),
        },
        curves=(_curve(curve_T),),
        settings={
            **sample.settings,
            "map": "ContrastiveCAM of the highest logit's class against the next highest's",
            "resampling": "bilinear",
            "iou_threshold": threshold,
            "iou_threshold_best": CURVE_THRESHOLDS[best],
            "min_energy": MIN_ENERGY,
            "num_empty_maps": num_empty,
        },
        samples={
            "localisation/energy_pointing_game": by_image(sample.ids, energy_N),
            "localisation/contrastive_iou": by_image(sample.ids, overlap_TN[0]),
            "localisation/contrastive_iou_best": by_image(sample.ids, overlap_TN[1 + best]),
        },
    )


def _measure(context: EvaluationContext, sample: MaskedSample, thresholds: Sequence[float]) -> tuple[Tensor, Tensor]:
    """Return each image's energy on the object and its overlap at each threshold, both float64."""
    energies, overlaps = [], []
    for indices_B in context.chunks(sample.indices):
        object_BHW = sample.object_NHW[indices_B]
        energy_BHW = _energy(context, sample.images_NCHW[indices_B])
        energies.append(energy_on_object(energy_BHW, object_BHW))
        overlaps.append(torch.stack([overlap(energy_BHW, object_BHW, threshold=one) for one in thresholds]))
        context.tick(int(indices_B[-1]) + 1, len(sample))
    return torch.cat(energies).double(), torch.cat(overlaps, 1).double()


def _curve(curve_T: Tensor) -> Curve:
    return Curve(
        chart="overlap of map and object",
        name="CC_(p,r)",
        x_label="threshold, share of the map's maximum",
        y_label="intersection over union",
        x=CURVE_THRESHOLDS,
        y=tuple(curve_T.tolist()),
    )


def _energy(context: EvaluationContext, images_BCHW: Tensor) -> Tensor:
    with torch.inference_mode():
        output = context.model(images_BCHW.to(context.device))
        cams_BKHW = hirescam(output.features.float(), context.model.head.weight)
        return energy(decisive_maps(cams_BKHW, output.logits.float()), images_BCHW.shape[-2:]).cpu()


LOCALISATION = EvalSpec(
    name="localisation",
    category="background",
    directions={
        "localisation/energy_pointing_game": "max",
        "localisation/contrastive_iou": "max",
        "localisation/contrastive_iou_best": "max",
    },
    run=_run,
    needs=frozenset({"masks"}),
    definition=2,  # 1 had masks that were not aligned with their images.
)
