"""Ratios, sizes, areas and intervals worked out by hand."""

import math

import pytest
import torch

from trainables.evaluations.circuits.faithfulness import (
    area,
    even,
    faithfulness,
    interval,
    log_sizes,
    mean_interval,
    resample_weights,
    sizes_needed,
)

NAN = math.nan


def test_sizes_are_at_equal_ratios() -> None:
    assert log_sizes(4, 2048, 10) == tuple(2**step for step in range(2, 12))
    assert log_sizes(1, 3) == (1, 2, 3)
    assert log_sizes(1, 1) == (1,)


def test_faithfulness_is_a_ratio_of_means() -> None:
    """A plain mean of effects 1 and 3; the second pair alone; and weights under which the network does nothing."""
    effects_SP = torch.tensor([[1.0, 0.0], [1.0, 3.0]], dtype=torch.float64)
    full_P = torch.tensor([-1.0, 3.0], dtype=torch.float64)
    weights_RP = torch.tensor([[0.5, 0.5], [0, 1], [0.75, 0.25]], dtype=torch.float64)
    found = faithfulness(effects_SP, full_P, weights_RP)
    torch.testing.assert_close(found, torch.tensor([[0.5, 2], [0, 1], [NAN, NAN]], dtype=torch.float64), equal_nan=True)


def test_the_first_size_that_reaches_the_threshold() -> None:
    curves_RS = torch.tensor([[0, 0.8, 0.5, 1], [0.79, 0.79, 0.79, 1], [NAN] * 4], dtype=torch.float64)
    assert sizes_needed(curves_RS, (1, 2, 4, 8))[:2].tolist() == [2, 8]
    assert sizes_needed(curves_RS, (1, 2, 4, 8))[2].isnan()


def test_the_area_is_over_the_logarithm_of_the_size() -> None:
    curve_S = torch.tensor([0.0, 0.0, 1.0, 1.0], dtype=torch.float64)
    assert area(curve_S, (1, 2, 4, 8)) == pytest.approx(0.5)
    assert area(torch.tensor([0.0, 1.0], dtype=torch.float64), (1, 100)) == pytest.approx(0.5)
    assert area(torch.tensor([1.0], dtype=torch.float64), (1,)) == 1


def test_resamples_weigh_pairs_by_how_often_they_are_drawn() -> None:
    weights_RP = resample_weights(4, torch.Generator().manual_seed(0))
    assert torch.equal(weights_RP.sum(1), torch.ones(1000, dtype=torch.float64))
    assert set((weights_RP * 4).unique().tolist()) == {0, 1, 2, 3, 4}
    assert weights_RP.mean(0).tolist() == pytest.approx([0.25] * 4, abs=0.03)
    assert torch.equal(weights_RP, resample_weights(4, torch.Generator().manual_seed(0)))


def test_an_interval_is_of_the_middle_19_of_20_resamples() -> None:
    values_R = torch.arange(1001, dtype=torch.float64)
    assert interval(values_R.mean(), values_R) == (500, 25, 975)
    assert interval(values_R.mean(), torch.cat([values_R, torch.full((9,), NAN)])) == (500, 25, 975)


def test_the_interval_of_a_mean_is_close_to_the_normal_one() -> None:
    """The mean of 64 values of +1 and -1 has standard error 1/8."""
    values_P = torch.tensor([1.0, -1.0], dtype=torch.float64).repeat(32)
    found = mean_interval(values_P, resample_weights(64, torch.Generator().manual_seed(0)))
    assert found.value == 0
    assert (found.low, found.high) == pytest.approx((-1.96 / 8, 1.96 / 8), abs=0.04)


def test_even_weights_are_a_plain_mean() -> None:
    assert even(4).tolist() == [[0.25] * 4]
