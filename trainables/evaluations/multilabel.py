"""Average precision, F1 and influence of each class where images show several.

N samples, K classes, P pairs of a sample and a class that it shows.
"""

import math

import torch
from torch import Tensor

from trainables.evaluations.base import EvalSpec, EvaluationContext
from trainables.evaluations.result import EvaluationResult


def average_precisions(logits_NK: Tensor, targets_NK: Tensor) -> Tensor:
    """Return `AP = sum_n (R_n - R_(n-1)) P_n` of each class, float64 K; nan of one that no image shows.

    P_n and R_n are precision and recall of the images whose logit is at least the n-th highest different one. It is
    not interpolated, unlike that of the challenges of PASCAL VOC. A class with a logit that is not finite has none.
    """
    from sklearn.metrics import average_precision_score

    return torch.tensor(
        [
            average_precision_score(targets_N.numpy(), logits_N.numpy())
            if targets_N.any() and logits_N.isfinite().all()
            else math.nan
            for logits_N, targets_N in zip(logits_NK.T.double(), targets_NK.T, strict=True)
        ],
        dtype=torch.float64,
    )


def f1_scores(logits_NK: Tensor, targets_NK: Tensor) -> Tensor:
    """Return `F1 = 2 TP / (2 TP + FP + FN)` of each class at a probability above 0.5, float64 K.

    It is nan of a class that no image shows. torchmetrics has float32.
    """
    predicted_NK, there_NK = logits_NK > 0, targets_NK > 0
    hits_K = (predicted_NK & there_NK).sum(0).double()
    return torch.where(there_NK.any(0), 2 * hits_K / (predicted_NK.sum(0) + there_NK.sum(0)), torch.nan)


def class_influence_share(foreground_P: Tensor, background_P: Tensor) -> float:
    """Return the share of `sum |H_k|` that does not lie on class k's own object, over pairs of an image and a class.

    Args:
        foreground_P: `sum_ij |H_k|` on the own object of a class k that the image shows.
        background_P: The same on everything else that is known.
    """
    elsewhere, total = background_P.double().sum().item(), (foreground_P + background_P).double().sum().item()
    return elsewhere / total if total else math.nan


def _run(context: EvaluationContext) -> EvaluationResult:
    logits_NK, by_class = context.evaluated.logits_NK, context.evaluated.by_class
    assert by_class is not None, "images of several labels have targets"
    targets_NK, foreground_NK, background_NK = by_class
    is_there_NK = targets_NK > 0
    is_shown_K = is_there_NK.any(0)
    precisions_K = average_precisions(logits_NK, targets_NK)
    names = context.data.class_names
    return EvaluationResult(
        {
            "mean_average_precision": precisions_K[is_shown_K].mean().item(),
            "f1": f1_scores(logits_NK, targets_NK)[is_shown_K].mean().item(),
            "background/class_influence_share": class_influence_share(
                foreground_NK[is_there_NK], background_NK[is_there_NK]
            ),
        },
        settings={
            "num_pictures": len(targets_NK),
            "num_labels": int(targets_NK.sum()),
            "num_by_class": dict(zip(names, targets_NK.sum(0).long().tolist(), strict=True)),
            "average_precision": {
                name: precision
                for name, precision, is_shown in zip(names, precisions_K.tolist(), is_shown_K.tolist(), strict=True)
                if is_shown
            },
        },
    )


MULTILABEL = EvalSpec(
    name="multilabel",
    category="accuracy",
    directions={
        "mean_average_precision": "max",
        "f1": "max",
        "background/class_influence_share": "min",
    },
    run=_run,
    needs=frozenset({"images of several labels"}),
    definition=2,  # 1 had masks that were not aligned with their images.
)
