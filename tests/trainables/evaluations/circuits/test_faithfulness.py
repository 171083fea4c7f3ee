"""Ratios, sizes, areas and intervals worked out by hand."""

import math

import pytest
import torch

from trainables.evaluations.circuits.faithfulness import (
    Resamples,
    area,
    even,
    faithfulness,
    log_sizes,
    sizes_needed,
)

NAN = math.nan


def resamples(num_pairs: int) -> Resamples:
    return Resamples.of(num_pairs, torch.Generator().manual_seed(0))


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


def test_resamples_weigh_couples_by_how_often_they_are_drawn() -> None:
    """Of 8 pairs, 0 and 4 are a couple, 1 and 5, and so on: both pairs of a couple weigh alike."""
    weights_RP = resamples(8).weights_RP
    assert torch.equal(weights_RP[:, :4], weights_RP[:, 4:])
    assert torch.equal(weights_RP.sum(1), torch.ones(1000, dtype=torch.float64))
    assert set((weights_RP[:, :4] * 8).unique().tolist()) == {0, 1, 2, 3, 4}
    assert weights_RP.mean(0).tolist() == pytest.approx([0.125] * 8, abs=0.01)
    assert torch.equal(weights_RP, resamples(8).weights_RP)


@pytest.mark.parametrize(
    ("num_couples", "t"), [(12, 2.200985), (2, 12.706205)], ids=["t of 11 degrees of freedom", "of 1"]
)
def test_few_couples_have_the_quantiles_of_a_t_interval(num_couples: int, t: float) -> None:
    tail = math.erfc(t * math.sqrt(num_couples / (num_couples - 1) / 2)) / 2
    assert resamples(2 * num_couples).tail == pytest.approx(tail, rel=1e-4)


def test_an_interval_is_of_the_middle_of_the_resamples() -> None:
    """Of 200 couples nearly 19 of 20 resamples are in it, and those that are nan do not count."""
    values_R = torch.arange(1001, dtype=torch.float64)
    many = resamples(400)
    assert many.interval(values_R.mean(), values_R) == (500, 24, 976)
    assert many.interval(values_R.mean(), torch.cat([values_R, torch.full((9,), NAN)])) == (500, 24, 976)


def test_the_interval_of_a_mean_is_close_to_the_normal_one() -> None:
    """The mean of 64 couples of +1 or -1 has standard error 1/8."""
    values_P = torch.tensor([1.0, -1.0], dtype=torch.float64).repeat(64)
    found = resamples(128).mean(values_P)
    assert found.value == 0
    assert (found.low, found.high) == pytest.approx((-1.96 / 8, 1.96 / 8), abs=0.04)


@pytest.mark.parametrize(("own", "partner", "correlation"), [(1, 0, 0), (1, 1, 0), (0.5, 1, 0), (1, 1, 0.8)])
def test_intervals_hold_the_mean_19_times_of_20(own: float, partner: float, correlation: float) -> None:
    """An effect is the image's part and the partner's, and 24 images are in 24 pairs; the true mean is 0."""
    generator = torch.Generator().manual_seed(0)
    held = 0
    for _ in range(400):
        own_P, other_P = torch.randn(2, 24, generator=generator, dtype=torch.float64)
        lent_P = correlation * own_P + math.sqrt(1 - correlation**2) * other_P
        found = Resamples.of(24, generator).mean(own * own_P + partner * lent_P.roll(12))
        held += found.low <= 0 <= found.high
    assert 0.93 <= held / 400 <= 0.97


def test_even_weights_are_a_plain_mean() -> None:
    assert even(4).tolist() == [[0.25] * 4]
