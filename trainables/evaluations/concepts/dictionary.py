"""The concepts of features: directions of which every cell holds a non-negative amount.

M cells, F features, J concepts.
"""

import warnings
from typing import Literal

import torch
from torch import Tensor

from trainables.evaluations.concepts.semi_nmf import semi_nmf

NMF_STEPS = 200
NUM_SHUFFLES = 10
Method = Literal["NMF", "semi-NMF"]


def method_of(cells_MF: Tensor) -> Method:
    """Return NMF where no feature is negative, else semi-NMF, whose directions may have negative features."""
    return "NMF" if cells_MF.min() >= 0 else "semi-NMF"


def find_concepts(cells_MF: Tensor, num_concepts: int, seed: int) -> Tensor:
    """Return dictionary_JF of at most `num_concepts` directions of length 1, in float64.

    There are no more than features or cells. A direction of length 0 stays so.
    """
    from sklearn.exceptions import ConvergenceWarning

    num = min(num_concepts, *cells_MF.shape)
    factorise = _nmf if method_of(cells_MF) == "NMF" else semi_nmf
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # A bounded number of steps is meant.
        dictionary_JF = factorise(cells_MF.double(), num, seed)
    return torch.nn.functional.normalize(dictionary_JF, dim=1)


def _nmf(cells_MF: Tensor, num_concepts: int, seed: int) -> Tensor:
    """Return dictionary_JF, found in float32: that takes less than half of the time."""
    from sklearn.decomposition import NMF

    factors = NMF(num_concepts, init="random", random_state=seed, max_iter=NMF_STEPS)
    return torch.from_numpy(factors.fit(cells_MF.float().numpy()).components_).double()


def matched_cosines(dictionary_JF: Tensor, other_JF: Tensor) -> Tensor:
    """Return each direction's cosine similarity with its partner among the others, J, in [-1, 1].

    Partners are those of the one-to-one assignment with the largest sum (Kuhn 1955, the Hungarian method).
    """
    from scipy.optimize import linear_sum_assignment

    cosine_JJ = dictionary_JF @ other_JF.T
    _, partners = linear_sum_assignment(cosine_JJ.numpy(), maximize=True)
    return cosine_JJ.gather(1, torch.from_numpy(partners).unsqueeze(1)).squeeze(1)


def chance_cosine(dictionary_JF: Tensor, generator: torch.Generator) -> float:
    """Return the mean cosine similarity of matched directions where there is nothing to match.

    The others have the same values in each feature, dealt to their directions at random. It is a mean over
    `NUM_SHUFFLES` of them.
    """
    found = []
    for _ in range(NUM_SHUFFLES):
        order_JF = torch.rand(dictionary_JF.shape, generator=generator).argsort(0)
        dealt_JF = torch.nn.functional.normalize(dictionary_JF.gather(0, order_JF), dim=1)
        found.append(matched_cosines(dictionary_JF, dealt_JF).mean())
    return torch.stack(found).mean().item()
