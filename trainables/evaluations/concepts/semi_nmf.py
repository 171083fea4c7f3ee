"""Semi-non-negative matrix factorisation, of features that may be negative.

Source: Ding, Li & Jordan 2010, "Convex and Semi-Nonnegative Matrix Factorizations", section 2.1.
M cells, F features, J concepts.
"""

import torch
from torch import Tensor

STEPS = 200
OFFSET = 0.2
"""Added to the indicators of the clusters from which the activations start, by which none of them is stuck at 0."""
_EPS, _TINY = torch.finfo(torch.float64).eps, torch.finfo(torch.float64).tiny


def semi_nmf(cells_MF: Tensor, num_concepts: int, seed: int) -> Tensor:
    """Return dictionary_JF of `cells = activations . dictionary` with activations of at least 0, all in float64.

    Activations start at the clusters of k-means, as in section 2.1.1 of the source.
    """
    activations_MJ = _clusters(cells_MF, num_concepts, seed) + OFFSET
    for _ in range(STEPS):
        activations_MJ = next_activations(cells_MF, activations_MJ, best_dictionary(cells_MF, activations_MJ))
    return best_dictionary(cells_MF, activations_MJ)


def best_dictionary(cells_MF: Tensor, activations_MJ: Tensor) -> Tensor:
    """Return the least-squares dictionary of given activations, eq. 9."""
    gram_JJ = activations_MJ.T @ activations_MJ
    inverse_JJ: Tensor = torch.linalg.pinv(gram_JJ, hermitian=True)
    return inverse_JJ @ (activations_MJ.T @ cells_MF)


def next_activations(cells_MF: Tensor, activations_MJ: Tensor, dictionary_JF: Tensor) -> Tensor:
    """Return activations of at least 0 that reconstruct the cells at least as well, eq. 10.

    An activation of 0 stays so. Denominators are at least rounding errors of the largest, which makes steps smaller.
    """
    product_MJ, gram_JJ = cells_MF @ dictionary_JF.T, dictionary_JF @ dictionary_JF.T
    up_MJ = product_MJ.clamp(min=0) + activations_MJ @ (-gram_JJ).clamp(min=0)
    down_MJ = (-product_MJ).clamp(min=0) + activations_MJ @ gram_JJ.clamp(min=0)
    limit = _EPS * torch.maximum(up_MJ, down_MJ).max() + _TINY
    return torch.where(activations_MJ > 0, activations_MJ * (up_MJ / down_MJ.clamp(min=limit)).sqrt(), 0)


def _clusters(cells_MF: Tensor, num_concepts: int, seed: int) -> Tensor:
    """Return 1 for each cell's cluster of k-means and 0 for the others, MJ."""
    from sklearn.cluster import KMeans

    means = KMeans(num_concepts, n_init=1, random_state=seed).fit(cells_MF.numpy())
    labels_M = torch.from_numpy(means.labels_).long()
    return torch.nn.functional.one_hot(labels_M, num_concepts).to(cells_MF.dtype)
