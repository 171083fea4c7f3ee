"""Detection of images that belong to no class, by the conventions of OpenOOD (Yang et al. 2022).

N images in distribution, M out of distribution.
"""

import logging
from collections.abc import Callable, Mapping
from itertools import count
from statistics import fmean
from typing import Any

import torch

from trainables.config import ScoreName
from trainables.evaluations.base import EvalSpec, EvaluationContext
from trainables.evaluations.ood.choice import Choice, Validation, choose
from trainables.evaluations.ood.encoded import encode
from trainables.evaluations.ood.scores import SCORES, Trained
from trainables.evaluations.ood.separation import Roc, roc, separation
from trainables.evaluations.ood.sets import OodSets
from trainables.evaluations.result import Curve, EvaluationResult, Metrics, NotPossibleError

logger = logging.getLogger(__name__)

_VALIDATION_SAMPLE = 100
"""Images of each set on which KNN's k is chosen, at most."""


def _run(context: EvaluationContext) -> EvaluationResult:
    sets = OodSets.of(context)
    scores = tuple(dict.fromkeys(context.settings.ood.scores))
    step = _steps(context, 1 + len(scores) + sets.num_measured)
    trained = _trained(context)
    step()
    validation, validated_on = _validation(context, sets)
    choices, score_notes = _choose(scores, trained, validation, step)
    in_distribution = encode(context, context.sampled.images_BCHW)
    id_scores = {name: choice.score(in_distribution) for name, choice in choices.items()}
    metrics: Metrics = {}
    curves = []
    for set_name, ood in sets.measured():
        for name, choice in choices.items():
            ood_M = choice.score(ood)
            separated = separation(id_scores[name], ood_M)
            metrics |= {f"ood/{set_name}/{name}/{key}": value for key, value in separated.items()}
            curves.append(_curve(set_name, name, roc(id_scores[name], ood_M)))
        step()
    if not metrics:
        raise NotPossibleError("no score could be measured on any near or far set; the log says why")
    return EvaluationResult(
        metrics | means_by_role(metrics, sets.roles),
        curves=tuple(curves),
        settings={
            "seed": context.settings.seed,
            "num_pictures": len(in_distribution.logits_NK),
            "fit_sample": len(trained.labels_N),
            "validated_on": validated_on,
            "sets": sets.notes,
            "scores": score_notes,
        },
    )


def _still_holds(context: EvaluationContext, stored: EvaluationResult) -> bool:
    sets, notes = OodSets.of(context), stored.settings["sets"]
    return all(notes.get(name, {}).get("digest") == sets.digest(name) for name in sets.read)


def _trained(context: EvaluationContext) -> Trained:
    reference, size = context.data.train_unaugmented, context.batch_size
    draws = context.draws(reference, context.settings.ood.fit_sample)
    features, labels = [], []
    for start in range(0, len(draws), size):
        batch = reference.__getitems__(draws[start : start + size])
        if len(batch):
            features.append(encode(context, batch.images_BCHW).features_NF)
            labels.append(batch.labels_B)
    return Trained(context.model, context.device, size, torch.cat(features), torch.cat(labels))


def _validation(context: EvaluationContext, sets: OodSets) -> tuple[Validation | None, str]:
    """Return the validation sets against images in distribution, unmeasured ones where there are enough."""
    size = min(_VALIDATION_SAMPLE, context.settings.sample)
    ood = sets.validation(size)
    if not ood:
        return None, "nothing: there is no validation set"
    val = context.images
    measured = set(context.draws(val))
    others = [draw for draw in context.draws(val, context.settings.sample + size) if draw not in measured]
    enough = len(others) == size
    batch = val.__getitems__(others if enough else context.draws(val, size))
    validation = Validation(encode(context, batch.images_BCHW), ood)
    return validation, f"{len(batch)} in-distribution images that are {'not ' * enough}measured"


def _choose(
    scores: tuple[ScoreName, ...], trained: Trained, validation: Validation | None, step: Callable[[], None]
) -> tuple[dict[ScoreName, Choice], dict[str, Any]]:
    """Return the fitted scores, and the settings that describe each."""
    choices: dict[ScoreName, Choice] = {}
    notes: dict[str, Any] = {}
    for name in scores:
        try:
            choices[name] = choose(SCORES[name], trained, validation)
            notes[name] = _note(choices[name])
        except NotPossibleError as reason:
            logger.warning("ood: the score %s is left out: %s", name, reason)
            notes[name] = {"skipped": str(reason)}
        step()
    return choices, notes


def _note(choice: Choice) -> dict[str, Any]:
    note: dict[str, Any] = {"hyper_parameters": dict(choice.setting)}
    if choice.validation_auroc is None:
        return note | {"chosen_by": "literature"}
    return note | {
        "chosen_by": "validation sets",
        "chosen_on": list(choice.chosen_on),
        "chosen_among": [dict(setting) for setting in choice.chosen_among],
        "validation_auroc": choice.validation_auroc,
    }


def means_by_role(metrics: Metrics, roles: Mapping[str, str]) -> Metrics:
    """Return `ood/near/...` and `ood/far/...`: unweighted means over the measured sets of that role."""
    groups: dict[str, list[float]] = {}
    for name, value in metrics.items():
        set_name, score, key = name.removeprefix("ood/").rsplit("/", 2)
        groups.setdefault(f"ood/{roles[set_name]}/{score}/{key}", []).append(value)
    return {name: fmean(values) for name, values in groups.items()}


def _curve(set_name: str, score: str, points: Roc) -> Curve:
    thin = points.thinned()
    return Curve(
        chart=f"ood-{set_name}",
        name=score,
        x_label="share of in-distribution images called OOD",
        y_label="share of OOD images found",
        x=tuple(thin.fpr.tolist()),
        y=tuple(thin.tpr.tolist()),
    )


def _steps(context: EvaluationContext, total: int) -> Callable[[], None]:
    done = count(1)
    return lambda: context.tick(next(done), total)


OOD = EvalSpec(
    name="ood",
    category="ood",
    still_holds=_still_holds,
    directions={"ood/*/auroc": "max", "ood/*/fpr95": "min", "ood/*/aupr_in": "max", "ood/*/aupr_out": "max"},
    run=_run,
    definition=2,  # 1 also searched T, eps and d, and on noise and textures too.
)
