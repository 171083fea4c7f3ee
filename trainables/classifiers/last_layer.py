"""The last layer fitted anew to frozen features of balanced images: deep feature reweighting.

Source: Kirichenko et al. 2023, "Last Layer Re-Training is Sufficient for Robustness to Spurious Correlations", and its
code, PolinaKirichenko/deep_feature_reweighting.
N images, F features, K classes, M images of a subset.
"""

import logging
import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from trainables.classifiers.balanced import subset_size
from trainables.classifiers.with_head import with_head
from trainables.data import draw_of_each, half_of
from trainables.models import Classifier

logger = logging.getLogger(__name__)

STRENGTHS = (1.0, 0.7, 0.3, 0.1, 0.07, 0.03, 0.01)
"""Scikit-learn's C, the inverse of the weight of the L1 norm, as published."""
_MAX_STEPS = 1000


class LastLayer(NamedTuple):
    """A linear head on features as they are, in float64, and how its strength was chosen."""

    weight_KF: Tensor
    bias_K: Tensor
    strength: float
    worst_accuracy: float
    """Of the classes and groups of the half to which the heads that were compared were not fitted."""


class _Scaling(NamedTuple):
    mean_F: Tensor
    std_F: Tensor
    """1 where a feature is constant."""


def with_last_layer(model: Classifier, layer: LastLayer) -> Classifier:
    """Return the network with another last layer; it shares the trunk of `model`, and always has a bias."""
    return with_head(model, model.trunk, layer.weight_KF, layer.bias_K)


def restore_last_layer(model: Classifier, state: Mapping[str, Tensor]) -> Classifier:
    """Return the network of the state dict of one that `with_last_layer` returned."""
    network = with_head(model, model.trunk, state["head.weight"], state["head.bias"])
    network.load_state_dict(state)
    return network


def fit_last_layer(
    features_NF: Tensor,
    labels_N: Tensor,
    strata_N: Tensor,
    *,
    num_subsets: int,
    most: int | None,
    seed: int,
    unchanged_NF: Tensor | None = None,
) -> LastLayer:
    """Return the mean of the heads fitted to balanced subsets, by L1 logistic regression on standardised features.

    The strength is that of the highest accuracy of the worst stratum, measured on one half of the images after a fit to
    a balanced subset of the other half; of equal ones the first, as published. Standardisation is part of weight and
    bias, so the head takes the features as they are.

    Args:
        features_NF: Pooled features.
        labels_N: Classes 0 to K-1, each of which has images.
        strata_N: A number for the class and the group of each image; each has 2 images or more.
        num_subsets: Balanced subsets to fit to.
        most: Images of each stratum in a subset at most; None takes as many as the smallest has.
        seed: Of halves and subsets.
        unchanged_NF: Features of the same images without a change of their backgrounds, whose mean and deviation
            standardise; without it a feature that the change silences would count by its noise. None takes features_NF.
    """
    features_NF = features_NF.double()
    unchanged_NF = features_NF if unchanged_NF is None else unchanged_NF.double()
    strength, accuracy = _choose_strength(features_NF, unchanged_NF, labels_N, strata_N, most=most, seed=seed)
    scaling, size = _scaling_of(unchanged_NF), subset_size(strata_N, most)
    takes_all = size * len(set(strata_N.tolist())) == len(strata_N)
    weights, biases = [], []
    for number in range(1 if takes_all else num_subsets):
        rows_M = draw_of_each(strata_N, size, seed=_seed(seed, number))
        weight_KF, bias_K = _fit(features_NF[rows_M], labels_N[rows_M], scaling, strength)
        weights.append(weight_KF)
        biases.append(bias_K)
    return LastLayer(torch.stack(weights).mean(0), torch.stack(biases).mean(0), strength, accuracy)


def _choose_strength(
    features_NF: Tensor, unchanged_NF: Tensor, labels_N: Tensor, strata_N: Tensor, *, most: int | None, seed: int
) -> tuple[float, float]:
    """Return the strength of the best worst accuracy on one half, and that accuracy."""
    is_other_N = torch.from_numpy(half_of(strata_N.numpy(), seed=seed))
    own, other = (~is_other_N).nonzero().squeeze(1), is_other_N.nonzero().squeeze(1)
    rows_M = own[draw_of_each(strata_N[own], subset_size(strata_N[own], most), seed=seed)]
    scaling, strata = _scaling_of(unchanged_NF[own]), set(strata_N.tolist())

    def worst_accuracy(strength: float) -> float:
        weight_KF, bias_K = _fit(features_NF[rows_M], labels_N[rows_M], scaling, strength)
        hit_N = functional.linear(features_NF[other], weight_KF, bias_K).argmax(1) == labels_N[other]
        return min(float(hit_N[strata_N[other] == stratum].double().mean()) for stratum in strata)

    accuracies = {strength: worst_accuracy(strength) for strength in STRENGTHS}
    best = max(STRENGTHS, key=accuracies.__getitem__)
    return best, accuracies[best]


def _scaling_of(features_NF: Tensor) -> _Scaling:
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(features_NF.numpy())
    return _Scaling(torch.from_numpy(scaler.mean_), torch.from_numpy(scaler.scale_))


def _fit(features_MF: Tensor, labels_M: Tensor, scaling: _Scaling, strength: float) -> tuple[Tensor, Tensor]:
    """Return weight_KF and bias_K for features as they are.

    Two classes share one regression, half of which is each one's logit; of more, each has one against all others.
    """
    scaled_MF = ((features_MF - scaling.mean_F) / scaling.std_F).numpy()
    num_classes = int(labels_M.max()) + 1
    classes = (1,) if num_classes == 2 else range(num_classes)
    rows = [_regression(scaled_MF, (labels_M == label).numpy(), strength) for label in classes]
    weight_KF = torch.from_numpy(np.concatenate([row.coef_ for row in rows])) / scaling.std_F
    bias_K = torch.from_numpy(np.concatenate([row.intercept_ for row in rows])) - weight_KF @ scaling.mean_F
    if num_classes == 2:
        return torch.cat([-weight_KF, weight_KF]) / 2, torch.cat([-bias_K, bias_K]) / 2
    return weight_KF, bias_K


def _regression(scaled_MF: Any, is_class_M: Any, strength: float) -> Any:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(l1_ratio=1, C=strength, solver="liblinear", max_iter=_MAX_STEPS, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(scaled_MF, is_class_M)
    if model.n_iter_.max() >= _MAX_STEPS:
        logger.warning("the last layer has not converged after %d steps, at strength %g", _MAX_STEPS, strength)
    return model


def _seed(seed: int, number: int) -> int:
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
