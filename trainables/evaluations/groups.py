"""Accuracy by group of images, such as class by background: the worst, and the mean as the training set has them.

Source: Sagawa et al. 2020, "Distributionally Robust Neural Networks", where the groups of Waterbirds are weighted as
the training set has them.
N samples, G groups.
"""

import math

import torch
from torch import Tensor

from trainables.data import Grouped, ImageSet
from trainables.evaluations.base import EvalSpec, EvaluationContext
from trainables.evaluations.group_gaps import group_gaps
from trainables.evaluations.result import EvaluationResult, NotPossibleError
from trainables.metric_names import GROUP_GAP
from trainables.standard_error import standard_error


def group_accuracies(hits_N: Tensor, groups_N: Tensor, num_groups: int) -> Tensor:
    """Return each group's share of hits in float64, nan where a group has no image."""
    return _count(groups_N[hits_N], num_groups) / _count(groups_N, num_groups)


def worst_group(accuracies_G: Tensor) -> float:
    """Return the lowest accuracy of the groups that have images."""
    return accuracies_G[~accuracies_G.isnan()].min().item()


def worst_group_size(accuracies_G: Tensor, num_G: Tensor) -> float:
    """Return the number of images of the worst group; of equally bad ones, of the smallest."""
    return num_G[accuracies_G == worst_group(accuracies_G)].min().item()


def adjusted_accuracy(accuracies_G: Tensor, proportions_G: Tensor) -> float:
    """Return `sum_g p_g * acc_g / sum_g p_g` over the groups that have images; nan where they have no share.

    Args:
        accuracies_G: Accuracy by group, nan where a group has no image.
        proportions_G: Share p_g of each group in the training set.
    """
    known_G = ~accuracies_G.isnan()
    total = proportions_G[known_G].sum().item()
    return (accuracies_G[known_G] * proportions_G[known_G]).sum().item() / total if total else math.nan


def adjusted_size(accuracies_G: Tensor, num_G: Tensor, proportions_G: Tensor) -> float:
    """Return the number n of images of which a plain accuracy as high would have the error of the adjusted accuracy.

    With weights `w_g = p_g / sum_g p_g` and each group's own error e_g by Wilson, the adjusted accuracy p has the
    squared error `s = sum_g w_g^2 e_g^2`, since groups are independent. Wilson's formula, solved for n with
    `q = p (1 - p)`, gives `n = (sqrt(q^2 + s (1 - 2 p)^2) + q - 2 s) / (2 s)`. Of one group, n is its own number.

    Args:
        accuracies_G: Accuracy by group, nan where a group has no image.
        num_G: Number of images by group.
        proportions_G: Share p_g of each group in the training set.
    """
    known_G = ~accuracies_G.isnan() & (proportions_G > 0)
    if not known_G.any():
        return math.nan
    weights_G = proportions_G[known_G] / proportions_G[known_G].sum()
    pairs = zip(accuracies_G[known_G].tolist(), num_G[known_G].tolist(), strict=True)
    errors_G = weights_G.new_tensor([standard_error(accuracy, num) for accuracy, num in pairs])
    square, mean = (weights_G * errors_G).square().sum().item(), (weights_G * accuracies_G[known_G]).sum().item()
    spread = mean * (1 - mean)
    return (math.sqrt(spread**2 + square * (1 - 2 * mean) ** 2) + spread - 2 * square) / (2 * square)


def _run(context: EvaluationContext) -> EvaluationResult:
    """Pool the split's sets that have groups: a group's images are alike in each, only their number differs."""
    training_N, names = _groups(context.data.train), _names(context.data.train)
    sets = {context.split: context.images, **context.shifted}
    grouped = {name: groups_N for name, set_ in sets.items() if (groups_N := _groups(set_)) is not None}
    if training_N is None or not grouped:
        raise NotPossibleError("the training set, or every set to measure, has no groups")
    hits = []
    for done, (name, groups_N) in enumerate(grouped.items(), start=1):
        hits.append(_hits(context, name, sets[name], len(groups_N)))
        context.tick(done, len(grouped))
    all_N = torch.cat([_as_predicted(groups_N, context.world_size) for groups_N in grouped.values()])
    accuracies_G, num_G = group_accuracies(torch.cat(hits), all_N, len(names)), _count(all_N, len(names))
    proportions_G = _count(training_N, len(names)) / len(training_N)
    adjusted = adjusted_accuracy(accuracies_G, proportions_G)
    gaps = group_gaps(accuracies_G, _uncommon(context.data.train), adjusted)
    return EvaluationResult(
        {
            "worst_group_accuracy": worst_group(accuracies_G),
            "worst_group_size": worst_group_size(accuracies_G, num_G),
            "group_adjusted_accuracy": adjusted,
            "group_adjusted_size": adjusted_size(accuracies_G, num_G, proportions_G),
            **{f"{GROUP_GAP}{name}": gap for name, gap in gaps.items()},
        },
        settings={
            "sets": list(grouped),
            "num_by_group": _by_name(names, num_G.long()),
            "training_share": _by_name(names, proportions_G),
            "accuracy": _by_name(names, accuracies_G),
        },
    )


def _groups(images: ImageSet) -> Tensor | None:
    return images.groups() if isinstance(images, Grouped) else None


def _names(images: ImageSet) -> tuple[str, ...]:
    return images.group_names if isinstance(images, Grouped) else ()


def _uncommon(images: ImageSet) -> tuple[tuple[str, ...], ...]:
    return images.group_uncommon if isinstance(images, Grouped) else ()


def _hits(context: EvaluationContext, name: str, images: ImageSet, num_expected: int) -> Tensor:
    predictions = context.evaluated if images is context.images else context.predictions(images)
    num_predicted = len(predictions.labels_N)
    if num_predicted != num_expected:
        raise NotPossibleError(
            f"{num_expected - num_predicted} images of {name} were skipped, so groups do not line up"
        )
    return predictions.correct


def _as_predicted(groups_N: Tensor, world_size: int) -> Tensor:
    """Return the groups in the order of predictions, which are each worker's `rank::world_size` after another's."""
    return torch.cat([groups_N[rank::world_size] for rank in range(world_size)])


def _count(groups_N: Tensor, num_groups: int) -> Tensor:
    return groups_N.bincount(minlength=num_groups).double()


def _by_name(names: tuple[str, ...], values_G: Tensor) -> dict[str, float]:
    return dict(zip(names, values_G.tolist(), strict=True))


GROUPS = EvalSpec(
    name="groups",
    category="background",
    directions={
        "worst_group_accuracy": "max",
        "worst_group_size": None,
        "group_adjusted_accuracy": "max",
        "group_adjusted_size": None,
        f"{GROUP_GAP}*": "max",
    },
    run=_run,
    definition=2,  # 1 had neither gaps nor the size of the adjusted accuracy.
)
