"""Quality of a network's explanations: an evaluation for each kind of map.

N samples, S steps.
"""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from trainables.config.suite import MapName
from trainables.data import Batch
from trainables.evaluations.attribution.completeness import COMPLETE
from trainables.evaluations.attribution.flipping import even_steps
from trainables.evaluations.attribution.localisation import OBJECT_THRESHOLD, has_object, objects_of
from trainables.evaluations.attribution.maps import BLACK, MAPS
from trainables.evaluations.attribution.scores import Scores, scores_of
from trainables.evaluations.attribution.similarity import MIN_SIDE
from trainables.evaluations.base import Direction, EvalSpec, EvaluationContext
from trainables.evaluations.plain_logits import frozen
from trainables.evaluations.result import Curve, EvaluationResult, NotPossibleError, by_image

DIRECTIONS: dict[str, Direction] = {
    "pixel_flipping": "min",
    "pixel_flipping_normalised": "min",
    "continuity": "max",
    "max_sensitivity": "min",
    "complexity": "min",
    "sparseness": "max",
    "contrastivity": "min",
    "localisation": "max",
    "pointing_game": "max",
    "completeness": "min",
}
NEED_OBJECTS = ("localisation", "pointing_game")


def judge_map(name: MapName, context: EvaluationContext) -> EvaluationResult:
    """Measure one kind of map on the suite's sample, on the class that the network predicts for each image."""
    settings = context.settings.attribution
    if name not in settings.maps:
        raise NotPossibleError(f"{name} is not in evaluation.suite.attribution.maps")
    batch = context.sampled
    height, width = batch.images_BCHW.shape[-2:]
    if min(height, width) < MIN_SIDE:
        raise NotPossibleError(f"images of {height} x {width} pixels; SSIM needs {MIN_SIDE} x {MIN_SIDE} or more")
    flip_steps = even_steps(height * width, settings.flip_steps)
    costly = _spread(batch, settings.costly_sample)
    with frozen(context.model):
        scores = scores_of(name, context, batch, flip_steps=flip_steps, costly=costly)
    shows_object_N = has_object(objects_of(batch.background_BHW, batch.has_mask_B))
    kept = [metric for metric in scores.values_N if metric not in NEED_OBJECTS or shows_object_N.any()]
    return EvaluationResult(
        metrics={f"attribution/{name}/{metric}": _summary(metric, scores.values_N[metric]) for metric in kept},
        curves=(_mean_curve(name, scores.curve_NS),),
        settings=_settings(name, context, scores, flip_steps, kept) | _masks(batch, shows_object_N),
        samples={"correct": by_image(batch.ids, scores.correct_N)}
        | {f"attribution/{name}/{metric}": by_image(batch.ids, scores.values_N[metric]) for metric in kept},
    )


def _spread(batch: Batch, size: int) -> frozenset[str]:
    """Return the ids of `size` images, evenly spread over the sample."""
    positions = torch.linspace(0, len(batch) - 1, min(size, len(batch)))
    return frozenset(batch.ids[int(position)] for position in positions)


def _summary(metric: str, value_N: Tensor) -> float:
    """Return the mean over the images that have a value, and of completeness the worst; nan without any."""
    if metric == "completeness":
        return value_N.max().item()
    return value_N.double().nanmean().item()


def _mean_curve(name: MapName, curve_NS: Tensor) -> Curve:
    num_steps = curve_NS.shape[1] - 1
    return Curve(
        chart="pixel flipping",
        name=name,
        x_label="share of pixels turned black",
        y_label="probability of the predicted class",
        x=tuple(step / num_steps for step in range(num_steps + 1)),
        y=tuple(curve_NS.nanmean(0).tolist()),
    )


def _settings(
    name: MapName, context: EvaluationContext, scores: Scores, flip_steps: int, kept: list[str]
) -> dict[str, Any]:
    settings = context.settings.attribution
    own = {"integration_steps": settings.integration_steps} if name == "integrated_gradients" else {}
    return {
        "num_pictures": len(scores.correct_N),
        "num_measured": {metric: int(scores.values_N[metric].isfinite().sum()) for metric in kept},
        "num_empty_maps": int(scores.empty_N.sum()),
        "num_flat_maps": int(scores.flat_N.sum()),
        "seed": context.settings.seed,
        "target": "predicted class",
        "rival": "class of the highest other logit",
        "interpolation": "bilinear",
        "similarity": "SSIM of maps stretched to [0, 1]",
        "object": f"background below {OBJECT_THRESHOLD}",
        "flip_steps": flip_steps,
        "flip_to": BLACK,
        "noise_sigma": settings.noise_sigma,
        "sensitivity_radius": settings.sensitivity_radius,
        "sensitivity_samples": settings.sensitivity_samples,
        **own,
    }


def _masks(batch: Batch, shows_object_N: Tensor) -> dict[str, Any]:
    counts: dict[str, Any] = {
        "num_without_mask": int((~batch.has_mask_B).sum()),
        "num_empty_masks": int((batch.has_mask_B & ~shows_object_N).sum()),
    }
    if not shows_object_N.any():
        counts["left_out"] = dict.fromkeys(NEED_OBJECTS, "no sampled image has a mask that shows an object")
    return counts


def _directions(name: MapName) -> dict[str, Direction | None]:
    return {
        f"attribution/{name}/{metric}": better
        for metric, better in DIRECTIONS.items()
        if metric != "completeness" or name in COMPLETE
    }


ATTRIBUTION: tuple[EvalSpec, ...] = tuple(
    EvalSpec(
        name=f"attribution-{name}",
        category="attribution",
        directions=_directions(name),
        run=partial(judge_map, name),
        definition=2,  # 1 had masks that were not aligned with their images.
    )
    for name in MAPS
)
