"""How well a score tells images of the training set's kind from others.

Scores are confidences, high = in distribution. Out of distribution is the positive class, found where the score is low.
N images inside, M outside.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve
from torch import Tensor

from trainables.evaluations.result import Metrics

_TPR = 0.95
_NUM_POINTS = 200

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Roc:
    """A point for each value of the score, from (0, 0) to (1, 1)."""

    fpr: Floats
    """Share of the inside images that a threshold calls outside."""
    tpr: Floats
    """Share of the outside images that it finds."""

    def thinned(self) -> "Roc":
        """Return the curve with at most 200 of its points, its ends among them."""
        last = len(self.fpr) - 1
        kept = np.unique(np.linspace(0, last, min(_NUM_POINTS, last + 1)).round().astype(int))
        return Roc(self.fpr[kept], self.tpr[kept])


def auroc(inside_N: Tensor, outside_M: Tensor) -> float:
    """Return the probability that an outside image scores below an inside one, where a tie counts half."""
    return float(roc_auc_score(*_outside_first(inside_N, outside_M)))


def roc(inside_N: Tensor, outside_M: Tensor) -> Roc:
    """Return the curve over all thresholds; images that tie pass a threshold together."""
    # Without the points that scikit-learn drops as collinear a tied curve would jump over 95 %.
    fpr, tpr, _ = roc_curve(*_outside_first(inside_N, outside_M), drop_intermediate=False)
    return Roc(fpr, tpr)


def separation(inside_N: Tensor, outside_M: Tensor) -> Metrics:
    """Return AUROC, FPR at 95 % TPR and the areas under both precision-recall curves.

    `fpr95` is the share of inside images that score no higher than the lowest threshold at or below which 95 % of the
    outside ones lie. `aupr_in` and `aupr_out` are average precisions `sum_i (R_i - R_(i-1)) P_i` with the inside or the
    outside images as the positive class; they depend on N / M, and a score without information gets N / (N + M) or
    M / (N + M). The trapezoidal rule that OpenOOD and pytorch-ood use would give a constant score 3/4 at N = M.
    """
    outside, lowness = _outside_first(inside_N, outside_M)
    curve = roc(inside_N, outside_M)
    return {
        "auroc": auroc(inside_N, outside_M),
        "fpr95": float(curve.fpr[np.argmax(curve.tpr >= _TPR)]),
        "aupr_in": float(average_precision_score(~outside, -lowness)),
        "aupr_out": float(average_precision_score(outside, lowness)),
    }


def _outside_first(inside_N: Tensor, outside_M: Tensor) -> tuple[npt.NDArray[np.bool_], Floats]:
    """Return which of M + N images are outside, and their scores turned round: larger = outside."""
    scores = np.concatenate([outside_M.double().numpy(), inside_N.double().numpy()])
    return np.arange(len(scores)) < len(outside_M), -scores
