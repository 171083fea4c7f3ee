"""Planted concepts are found again, and their partners among others."""

import pytest
import torch

from tests.trainables.evaluations.concepts.planted import planted
from trainables.evaluations.concepts.dictionary import chance_cosine, find_concepts, matched_cosines, method_of


@pytest.mark.parametrize(("signed", "method", "within"), [(False, "NMF", 1e-3), (True, "semi-NMF", 2e-2)])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_planted_concepts_are_found(signed: bool, method: str, within: float, seed: int) -> None:
    """Directions that may be negative are not unique: what two concepts share may be moved from one to the other."""
    cells, _, dictionary = planted(signed=signed)
    assert method_of(cells) == method
    found = find_concepts(cells.float(), 4, seed)
    assert found.dtype == torch.float64
    assert matched_cosines(dictionary, found).tolist() == pytest.approx([1.0] * 4, abs=within)
    assert found.norm(dim=1).tolist() == pytest.approx([1.0] * 4)


def test_nmf_has_no_negative_features() -> None:
    assert find_concepts(planted(signed=False)[0], 4, 0).min() >= 0
    assert find_concepts(planted(signed=True)[0], 4, 0).min() < 0


@pytest.mark.parametrize("signed", [False, True])
def test_the_seed_decides(signed: bool) -> None:
    cells = planted(signed=signed)[0]
    cells = cells + 0.3 * torch.rand(cells.shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    first, again, other = (find_concepts(cells, 4, seed) for seed in (5, 5, 6))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize(("num_cells", "num_features", "expected"), [(600, 3, 3), (2, 12, 2), (600, 12, 5)])
@pytest.mark.parametrize("sign", [1, -1])
def test_there_are_no_more_concepts_than_cells_and_features(
    num_cells: int, num_features: int, expected: int, sign: int
) -> None:
    cells = planted(signed=False)[0][:num_cells, :num_features]
    assert find_concepts(sign * cells, 5, 0).shape == (expected, num_features)


def test_no_features_make_no_directions() -> None:
    assert find_concepts(torch.zeros(9, 3), 2, 0).tolist() == [[0.0] * 3] * 2


def test_partners_by_hand() -> None:
    """The first prefers the second's partner too, but together they are better the other way round.

    Cosines are [[0.8, 0.6], [1, 0]]: 0.6 + 1 is more than 0.8 + 0.
    """
    one = torch.tensor([[0.8, 0.6], [1.0, 0.0]], dtype=torch.float64)
    other = torch.eye(2, dtype=torch.float64)
    assert matched_cosines(one, other).tolist() == pytest.approx([0.6, 1.0])
    assert matched_cosines(other, one).tolist() == pytest.approx([1.0, 0.6])
    assert matched_cosines(one, one.flip(0)).tolist() == pytest.approx([1.0, 1.0])
    assert matched_cosines(other, -other).tolist() == [0.0, 0.0]


def test_chance_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two directions of one feature each: dealt at random, each has one, or one of them both and the other none.

    The first has a cosine of 1 with its partner, the second means of `(sqrt(1/2) + 0) / 2`.
    """
    monkeypatch.setattr("trainables.evaluations.concepts.dictionary.NUM_SHUFFLES", 2000)
    found = chance_cosine(torch.eye(2, dtype=torch.float64), torch.Generator().manual_seed(0))
    assert found == pytest.approx((1 + 0.5**0.5 / 2) / 2, abs=0.02)


def test_directions_that_are_all_the_same_match_by_chance() -> None:
    same = torch.full((3, 4), 0.5, dtype=torch.float64)
    assert chance_cosine(same, torch.Generator().manual_seed(0)) == pytest.approx(1)
