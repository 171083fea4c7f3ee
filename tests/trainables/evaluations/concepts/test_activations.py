import pytest
import torch

from tests.trainables.evaluations.concepts.planted import planted
from trainables.evaluations.concepts.activations import activations


@pytest.mark.parametrize("signed", [False, True])
def test_planted_activations_are_found(signed: bool) -> None:
    cells, expected, dictionary = planted(signed=signed)
    torch.testing.assert_close(activations(cells, dictionary), expected)


def test_what_would_be_negative_is_zero_and_the_rest_fits_again() -> None:
    """Least squares would take 2.7 of the first and -1 of the second for the first cell.

    The second cell lies between both directions, and the last one opposes both.
    """
    half = 0.5**0.5
    dictionary = torch.tensor([[1.0, 0.0], [half, half]], dtype=torch.float64)
    cells = torch.tensor([[2.0, -0.7], [2.0, 1.0], [-1.0, -1.0]])
    expected = [pytest.approx(row, abs=1e-12) for row in ([2.0, 0.0], [1.0, 2**0.5], [0.0, 0.0])]
    assert activations(cells, dictionary).tolist() == expected


def test_they_are_the_best_of_all_choices_of_concepts() -> None:
    """The best reconstruction with activations of at least 0 is least squares on some of the concepts."""
    generator = torch.Generator().manual_seed(0)
    dictionary = torch.randn(4, 6, generator=generator, dtype=torch.float64)
    cells = torch.randn(30, 6, generator=generator, dtype=torch.float64)
    found = activations(cells, dictionary)
    assert (found >= 0).all()
    for cell, error in zip(cells, (cells - found @ dictionary).square().sum(1), strict=True):
        least = cell.square().sum()
        for chosen in range(1, 16):
            rows = dictionary[[bool(chosen >> j & 1) for j in range(4)]]
            amounts = torch.linalg.lstsq(rows.T, cell.unsqueeze(1)).solution.squeeze(1)
            if (amounts >= 0).all():
                least = torch.minimum(least, (cell - amounts @ rows).square().sum())
        assert error.item() == pytest.approx(least.item())


def test_a_direction_of_length_zero_is_never_active() -> None:
    dictionary = torch.tensor([[0.0, 0.0], [0.6, 0.8]], dtype=torch.float64)
    assert activations(torch.tensor([[3.0, 4.0]]), dictionary).tolist() == [[0.0, pytest.approx(5.0)]]
