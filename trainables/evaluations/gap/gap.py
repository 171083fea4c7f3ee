"""The generalisation gap: what a network loses from its training images to the images of a split, and where.

N images, M images of a subset.
"""

import math
from collections.abc import Mapping
from statistics import fmean

import torch
from torch import Tensor

from trainables.classifiers import NeighbourEvidence
from trainables.data import Batch, sources_of
from trainables.evaluations.base import Direction, EvalSpec, EvaluationContext
from trainables.evaluations.gap.batch_statistics import BATCH
from trainables.evaluations.gap.figures import Figures, Spread, columns, figures_of, observe
from trainables.evaluations.gap.refit import PENALTY, Refit, refit
from trainables.evaluations.result import Curve, EvaluationResult, Metrics, NotPossibleError, by_image
from trainables.evaluations.rivals import check_rival

PREFIXES = {"train": "train_", "split": ""}
"""Set of images -> what its metrics begin with."""
_LOST = ("accuracy", "object_only_accuracy", "margin", "object_margin", "background_margin")
_STEPS = 4


def _run(context: EvaluationContext) -> EvaluationResult:
    check_rival(context.model)
    if isinstance(context.model.trunk, NeighbourEvidence):
        raise NotPossibleError("each training image is among its own nearest neighbours, so there is no gap to measure")
    figures: dict[str, Figures] = {}
    for name, batch in (("train", _training_sample(context)), ("split", context.sampled)):
        figures[name] = figures_of(context, observe(context, batch))
        context.tick(len(figures), _STEPS)
    rows = _equally_many(context, figures)
    spreads = {name: Spread.of(each, rows[name]) for name, each in figures.items()}
    context.tick(3, _STEPS)
    by_figure = _by_figure(figures)
    heads = _refit(context, figures)
    if heads is not None:
        ids = figures["split"].observed.batch.ids
        by_figure["refit_on_train_accuracy"] = by_image(ids, heads.on_train_N)
        by_figure["diagnosis_refit_accuracy"] = by_image(ids, heads.on_split_N)
    context.tick(4, _STEPS)
    metrics = {key: fmean(values.values()) for key, values in by_figure.items()}
    metrics |= {
        f"{PREFIXES[name]}{key}": value for name, each in spreads.items() for key, value in each.metrics().items()
    }
    of_train = sources_of(context.data.train_unaugmented)
    return EvaluationResult(
        {f"gap/{key}": value for key, value in (metrics | lost(metrics)).items()},
        curves=tuple(_curve(name, spread) for name, spread in spreads.items()),
        settings=_settings(context, figures, len(rows["split"]), heads),
        samples={f"gap/{key}": values for key, values in by_figure.items()},
        sources={f"gap/{key}": of_train for key in by_figure if key.startswith(PREFIXES["train"])},
        documents={"gap": _document(context, figures, spreads)},
    )


def _training_sample(context: EvaluationContext) -> Batch:
    batch = context.sample(context.data.train_unaugmented)
    if not len(batch):
        raise NotPossibleError("none of the sampled training images can be read")
    return batch


def _equally_many(context: EvaluationContext, figures: Mapping[str, Figures]) -> dict[str, Tensor]:
    """Return places of as many images of each set as the smaller one has, since a rank grows with their number."""
    counts = {name: len(each.observed.batch) for name, each in figures.items()}
    return {
        name: torch.randperm(num, generator=context.generator("gap rows"))[: min(counts.values())].sort().values
        for name, num in counts.items()
    }


def _by_figure(figures: Mapping[str, Figures]) -> dict[str, dict[str, float]]:
    """Return by figure each image's value by its id."""
    return {
        f"{PREFIXES[name]}{key}": by_image(each.observed.batch.ids, value_N)
        for name, each in figures.items()
        for key, value_N in each.by_image.items()
    }


def _refit(context: EvaluationContext, figures: Mapping[str, Figures]) -> Refit | None:
    """Return what heads fitted anew classify correctly; None where a half of the split has no image to fit to."""
    train, split = (figures[name].observed.features for name in ("train", "split"))
    heads = refit(train, split, context.model.num_classes, context.settings.seed)
    if heads is not None:
        context.log_use("gap, which fits a head to each half of some of them, as a diagnosis")
    return heads


def lost(metrics: Mapping[str, float]) -> Metrics:
    """Return what training images have more than the split's, and the background's share of the lost margin.

    The share is nan where object and background together lose nothing.
    """
    found = {
        f"{key}_lost": metrics[f"train_{key}"] - metrics[key]
        for key in _LOST
        if key in metrics and f"train_{key}" in metrics
    }
    if "background_margin_lost" in found:
        background = found["background_margin_lost"]
        total = background + found["object_margin_lost"]
        found["background_lost_share"] = background / total if total > 0 else math.nan
    return found


def _settings(
    context: EvaluationContext, figures: Mapping[str, Figures], num_compared: int, heads: Refit | None
) -> dict[str, object]:
    batches = {name: each.observed.batch for name, each in figures.items()}
    return {
        "seed": context.settings.seed,
        "num_pictures": {name: len(batch) for name, batch in batches.items()},
        "num_without_mask": {name: int((~batch.has_mask_B).sum()) for name, batch in batches.items()},
        "chance": {name: float(batch.labels_B.bincount().max() / len(batch)) for name, batch in batches.items()},
        "num_compared": num_compared,
        "refit_images_per_class": None if heads is None else heads.images_per_class,
        "statistics_batch": BATCH,
        "penalty": PENALTY,
        "diagnosis": f"diagnosis_refit_accuracy is of heads fitted to labels of the {context.split} split: no result",
    }


def _curve(name: str, spread: Spread) -> Curve:
    shares = (spread.singular_values_R / spread.singular_values_R.sum()).nan_to_num().tolist()
    return Curve(
        chart="singular values of the features",
        name=name,
        x_label="direction of the features",
        y_label="share of the singular values",
        x=tuple(float(place) for place in range(1, len(shares) + 1)),
        y=tuple(shares),
    )


def _document(
    context: EvaluationContext, figures: Mapping[str, Figures], spreads: Mapping[str, Spread]
) -> dict[str, object]:
    return {
        "split": context.split,
        "class_names": list(context.data.class_names),
        "images": {name: columns(each) for name, each in figures.items()},
        "singular_values": {name: each.singular_values_R.tolist() for name, each in spreads.items()},
    }


_OF_A_SET: dict[str, Direction | None] = {
    "accuracy": "max",
    "object_only_accuracy": "max",
    "batch_statistics_accuracy": None,
    "margin": None,
    "object_margin": None,
    "background_margin": None,
    "feature_norm": None,
    "effective_rank": None,
    "nc1": None,
}
_OF_BOTH: dict[str, Direction | None] = {
    "accuracy_lost": "min",
    "object_only_accuracy_lost": "min",
    "margin_lost": None,
    "object_margin_lost": None,
    "background_margin_lost": None,
    "background_lost_share": None,
    "refit_on_train_accuracy": None,
    "diagnosis_refit_accuracy": None,
}
GAP = EvalSpec(
    name="gap",
    category="inside",
    directions={
        **{f"gap/{name}{key}": better for name in PREFIXES.values() for key, better in _OF_A_SET.items()},
        **{f"gap/{key}": better for key, better in _OF_BOTH.items()},
    },
    run=_run,
    definition=2,  # 1 fitted heads to training images in another mix of classes.
)
