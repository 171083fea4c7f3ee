"""How well a score tells images in distribution from others.

Scores are confidences, high = in distribution. Out of distribution is the positive class, found where the score is low.
N images in distribution, M out of distribution.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import Tensor

from trainables.evaluations.result import Metrics

_TPR = 0.95
_NUM_POINTS = 200

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Roc:
    """A point for each value of the score, from (0, 0) to (1, 1)."""

    fpr: Floats
    """Share of the images in distribution that a threshold calls out of distribution."""
    tpr: Floats
    """Share of the images out of distribution that it finds."""

    def thinned(self) -> "Roc":
        """Return the curve with at most 200 of its points, its ends among them."""
        last = len(self.fpr) - 1
        kept = np.unique(np.linspace(0, last, min(_NUM_POINTS, last + 1)).round().astype(int))
        return Roc(self.fpr[kept], self.tpr[kept])


def auroc(id_N: Tensor, ood_M: Tensor) -> float:
    """Return the probability that an OOD image scores below one in distribution, where a tie counts half."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(*_ood_first(id_N, ood_M)))


def roc(id_N: Tensor, ood_M: Tensor) -> Roc:
    """Return the curve over all thresholds; images that tie pass a threshold together."""
    from sklearn.metrics import roc_curve

    # Without the points that scikit-learn drops as collinear a tied curve would jump over 95 %.
    fpr, tpr, _ = roc_curve(*_ood_first(id_N, ood_M), drop_intermediate=False)
    return Roc(fpr, tpr)


def separation(id_N: Tensor, ood_M: Tensor) -> Metrics:
    """Return AUROC, FPR at 95 % TPR and the areas under both precision-recall curves.

    `fpr95` is the share of images in distribution that score no higher than the lowest threshold at or below which 95 %
    of the OOD images lie. `aupr_in` and `aupr_out` are average precisions `sum_i (R_i - R_(i-1)) P_i` with the images
    in or out of distribution as the positive class. They depend on N / M: a score without information gets N / (N + M)
    or M / (N + M). By the trapezoidal rule of OpenOOD and pytorch-ood a constant score would get 3/4 at N = M.
    """
    from sklearn.metrics import average_precision_score

    is_ood, lowness = _ood_first(id_N, ood_M)
    curve = roc(id_N, ood_M)
    return {
        "auroc": auroc(id_N, ood_M),
        "fpr95": float(curve.fpr[np.argmax(curve.tpr >= _TPR)]),
        "aupr_in": float(average_precision_score(~is_ood, -lowness)),
        "aupr_out": float(average_precision_score(is_ood, lowness)),
    }


def _ood_first(id_N: Tensor, ood_M: Tensor) -> tuple[npt.NDArray[np.bool_], Floats]:
    """Return which of M + N images are out of distribution, and their negated scores: larger = out of distribution."""
    scores = np.concatenate([ood_M.double().numpy(), id_N.double().numpy()])
    return np.arange(len(scores)) < len(ood_M), -scores
