"""The update of semi-NMF against loops, and that it never makes the reconstruction worse."""

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from trainables.evaluations.concepts.semi_nmf import best_dictionary, next_activations, semi_nmf


def signed_cells(num_cells: int = 40, num_features: int = 7) -> Tensor:
    return torch.randn(num_cells, num_features, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def start(num_cells: int = 40, num_concepts: int = 3) -> Tensor:
    return torch.rand(num_cells, num_concepts, generator=torch.Generator().manual_seed(1), dtype=torch.float64) + 0.1


def next_by_loops(cells: Tensor, activations: Tensor, dictionary: Tensor) -> Tensor:
    """Return `G_ij sqrt(((X^T F)+_ij + (G (F^T F)-)_ij) / ((X^T F)-_ij + (G (F^T F)+)_ij))`, element by element."""
    num_cells, num_concepts = activations.shape
    num_features = cells.shape[1]

    def gram(j: int, k: int) -> float:
        return sum(float(dictionary[j, f] * dictionary[k, f]) for f in range(num_features))

    result = torch.zeros_like(activations)
    for m in range(num_cells):
        for j in range(num_concepts):
            product = sum(float(cells[m, f] * dictionary[j, f]) for f in range(num_features))
            up, down = max(product, 0.0), max(-product, 0.0)
            for k in range(num_concepts):
                up += float(activations[m, k]) * max(-gram(k, j), 0.0)
                down += float(activations[m, k]) * max(gram(k, j), 0.0)
            result[m, j] = float(activations[m, j]) * math.sqrt(up / down)
    return result


def test_the_update_equals_loops() -> None:
    cells, activations = signed_cells(), start()
    dictionary = best_dictionary(cells, activations)
    assert (dictionary < 0).any()
    torch.testing.assert_close(
        next_activations(cells, activations, dictionary), next_by_loops(cells, activations, dictionary)
    )


def test_the_dictionary_is_that_of_least_squares() -> None:
    cells, activations = signed_cells(), start()
    torch.testing.assert_close(best_dictionary(cells, activations), torch.linalg.lstsq(activations, cells).solution)


def test_each_half_of_a_step_lowers_the_loss() -> None:
    cells, activations = signed_cells(), start()

    def loss(dictionary: Tensor) -> float:
        return (cells - activations @ dictionary).square().sum().item()

    dictionary = best_dictionary(cells, activations)
    losses = [loss(dictionary)]
    for _ in range(60):
        activations = next_activations(cells, activations, dictionary)
        assert (activations >= 0).all()
        losses.append(loss(dictionary))
        dictionary = best_dictionary(cells, activations)
        losses.append(loss(dictionary))
    assert all(later <= earlier * (1 + 1e-12) for earlier, later in pairwise(losses))
    assert losses[-1] < 0.9 * losses[0]


def test_cells_without_features_hold_nothing() -> None:
    cells = torch.cat([signed_cells(), torch.zeros(1, 7, dtype=torch.float64)])
    activations = start(41)
    for _ in range(3):
        activations = next_activations(cells, activations, best_dictionary(cells, activations))
    assert activations.isfinite().all()
    zeros = torch.zeros(5, 7, dtype=torch.float64)
    assert next_activations(zeros, start(5), best_dictionary(zeros, start(5))).tolist() == [[0.0] * 3] * 5


def test_a_cell_that_holds_nothing_goes_on_holding_nothing() -> None:
    """Its numerator is 8 and its denominator 0; those of the second cell are 4 and 1."""
    cells, activations = torch.tensor([[8.0], [4.0]]), torch.tensor([[0.0], [1.0]])
    assert next_activations(cells.double(), activations.double(), torch.ones(1, 1).double()).tolist() == [[0], [2]]


@pytest.mark.parametrize("num_concepts", [1, 2, 3])
def test_few_concepts_of_random_features_are_numbers_of_any_scale(num_concepts: int) -> None:
    cells = signed_cells(400, 24)
    small, large = (semi_nmf(scale * cells, num_concepts, seed=0) for scale in (1, 1024))
    assert small.isfinite().all()
    torch.testing.assert_close(large, 1024 * small)
