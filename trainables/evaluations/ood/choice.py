"""Hyper-parameters of a score: the published ones, or KNN's k chosen on validation sets of images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from trainables.evaluations.ood.encoded import Encoded
from trainables.evaluations.ood.scores import Method, Score, Setting, Trained
from trainables.evaluations.ood.separation import auroc


@dataclass(frozen=True)
class Validation:
    """The images by which hyper-parameters are chosen."""

    in_distribution: Encoded
    ood: Mapping[str, Encoded]
    """By the name of the validation set, of which there is at least one."""


@dataclass(frozen=True)
class Choice:
    """A fitted score with its hyper-parameters."""

    score: Score
    setting: Setting
    validation_auroc: float | None = None
    """Mean over the validation sets; None where the published default was taken."""
    chosen_among: Sequence[Setting] = ()
    chosen_on: tuple[str, ...] = ()
    """The names of the validation sets."""


def choose(method: Method, trained: Trained, validation: Validation | None) -> Choice:
    """Return the candidate with the highest mean AUROC over the validation sets, of equals the first.

    Without validation sets, or with one candidate, that is the published default.
    """
    candidates = method.candidates(trained)
    if len(candidates) == 1 or validation is None:
        return Choice(method.fit(trained, candidates[0]), candidates[0])
    measured = [_measured(method, trained, setting, validation) for setting in candidates]
    best = max(measured, key=lambda choice: choice.validation_auroc or 0.0)
    return replace(best, chosen_among=candidates, chosen_on=tuple(validation.ood))


def _measured(method: Method, trained: Trained, setting: Setting, validation: Validation) -> Choice:
    score = method.fit(trained, setting)
    id_N = score(validation.in_distribution)
    return Choice(score, setting, fmean(auroc(id_N, score(ood)) for ood in validation.ood.values()))
