"""How ContrastiveCAMs move when PGD moves the image.

N samples, B batch, C channels, K classes, H W image or map.
"""

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from trainables.cams import contrastive_cams, hirescam, influence, reduce_background
from trainables.data import Batch
from trainables.evaluations.adversarial.attacked_panels import ClassPair, attacked_panels
from trainables.evaluations.adversarial.attacks import STEPS_TO_RADIUS, Attacked, attackable, climb
from trainables.evaluations.adversarial.ball import Ball
from trainables.evaluations.adversarial.robustness import attack_all, share, stage_tick
from trainables.evaluations.attribution.maps import at_image_resolution, of_class
from trainables.evaluations.attribution.similarity import MIN_SIDE, structural_similarities
from trainables.evaluations.base import EvalSpec, EvaluationContext
from trainables.evaluations.influence import influence_shares
from trainables.evaluations.result import EvaluationResult, Metrics, by_image
from trainables.evaluations.rivals import check_rival, strongest_rivals


@dataclass(frozen=True, slots=True, eq=False)
class _Explained:
    """Maps of images and their influence, on the CPU."""

    maps_NHW: Tensor
    """The ContrastiveCAM `H_predicted - H_rival` of the pair of classes, at the image's size."""
    foreground_N: Tensor
    background_N: Tensor
    """Influence of the label's ContrastiveCAMs on the background; `foreground_N` is that on the object."""


def _run(context: EvaluationContext) -> EvaluationResult:
    check_rival(context.model)
    batch, ball = context.sampled, Ball("linf", context.settings.adversarial.linf)
    attacked = _attack(context, batch, ball)
    logits_NK = context.logits(batch.images_BCHW)
    predicted_N = logits_NK.argmax(1)
    pair = ClassPair(predicted_N, strongest_rivals(logits_NK, predicted_N))
    before = _explain(context, batch, batch.images_BCHW, pair)
    after = _explain(context, batch, attacked.images_BCHW, pair)
    similarity_N = structural_similarities(before.maps_NHW, after.maps_NHW)
    return EvaluationResult(
        {"adversarial/maps/ssim": similarity_N.nanmean().item(), **_shares(batch, before, after)},
        images=attacked_panels(context, batch, attacked, pair),
        settings={**_settings(context, batch, attacked), "num_empty_maps": int(similarity_N.isnan().sum())},
        samples={
            "correct": by_image(batch.ids, predicted_N == batch.labels_B),
            "adversarial/maps/ssim": by_image(batch.ids, similarity_N),
        },
    )


def _attack(context: EvaluationContext, batch: Batch, ball: Ball) -> Attacked:
    """Climb from one random start by all steps: where an image that is fooled would rest, maps have hardly moved."""
    generator = context.generator(f"adversarial/maps/{ball.name}")
    step, steps = ball.eps / STEPS_TO_RADIUS, context.settings.adversarial.steps
    with attackable(context.model) as logits_of:

        def attack(images_BCHW: Tensor, labels_B: Tensor) -> Attacked:
            start_BCHW = ball.random(images_BCHW, generator)
            return climb(logits_of, start_BCHW, images_BCHW, labels_B, ball, step=step, steps=steps, stop=False)

        tick = stage_tick(context, 0, 1, len(batch))
        return attack_all(context, batch.images_BCHW, batch.labels_B, attack, tick=tick)


def _explain(context: EvaluationContext, batch: Batch, images_NCHW: Tensor, pair: ClassPair) -> _Explained:
    inputs = (images_NCHW, batch.labels_B, batch.background_BHW, pair.predicted_N, pair.rivals_N)
    with torch.inference_mode():
        chunks = [
            _explain_batch(context, *(tensor.to(context.device) for tensor in chunk))
            for chunk in zip(*map(context.chunks, inputs), strict=True)
        ]
    return _Explained(
        **{field.name: torch.cat([getattr(chunk, field.name) for chunk in chunks]) for field in fields(_Explained)}
    )


def _explain_batch(
    context: EvaluationContext,
    images_BCHW: Tensor,
    labels_B: Tensor,
    background_BHW: Tensor,
    predicted_B: Tensor,
    rivals_B: Tensor,
) -> _Explained:
    features_BFHW = context.model(images_BCHW).features.float()
    cams_BKHW = hirescam(features_BFHW, context.model.head.weight)
    maps_BHW = of_class(cams_BKHW, predicted_B) - of_class(cams_BKHW, rivals_B)
    size = [max(side, MIN_SIDE) for side in images_BCHW.shape[-2:]]
    on_grid_BHW = reduce_background(background_BHW, cams_BKHW.shape[-2:])
    foreground_B, background_B = influence(contrastive_cams(cams_BKHW, labels_B), on_grid_BHW)
    return _Explained(at_image_resolution(maps_BHW, size).cpu(), foreground_B.cpu(), background_B.cpu())


def _shares(batch: Batch, before: _Explained, after: _Explained) -> Metrics:
    """Return the background's share of the influence with and without an attack, or nothing without any mask."""
    has_mask_N = batch.has_mask_B
    if not has_mask_N.any():
        return {}
    return {
        f"adversarial/maps/influence_share_{name}": influence_shares(
            maps.foreground_N[has_mask_N], maps.background_N[has_mask_N]
        )["background/influence_share"]
        for name, maps in (("clean", before), ("attacked", after))
    }


def _settings(context: EvaluationContext, batch: Batch, attacked: Attacked) -> dict[str, object]:
    settings = context.settings.adversarial
    return {
        "num_pictures": len(batch),
        "num_without_mask": int((~batch.has_mask_B).sum()),
        "influence_shares": "of images with a mask" if batch.has_mask_B.any() else "left out: no image has a mask",
        "seed": context.settings.seed,
        "linf": settings.linf,
        "steps": settings.steps,
        "step": f"eps/{STEPS_TO_RADIUS}",
        "restarts": 1,
        "accuracy_attacked": share(~attacked.fooled_B),
        "similarity": "SSIM of maps at the image's size, stretched to [0, 1]",
    }


ATTACKED_MAPS = EvalSpec(
    name="attacked_maps",
    category="adversarial",
    directions={
        "adversarial/maps/influence_share_clean": "min",
        "adversarial/maps/influence_share_attacked": "min",
        "adversarial/maps/ssim": "max",
    },
    run=_run,
    definition=2,  # 1 had masks that were not aligned with their images.
)
