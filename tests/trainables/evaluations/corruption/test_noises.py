"""Noise has its published size, and stays in [0, 1]."""

import pytest
import torch

from trainables.evaluations.corruption.noises import AMOUNT, COUNTS, SIGMA, gaussian_noise, impulse_noise, shot_noise
from trainables.evaluations.corruption.severity import SEVERITIES


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


GREY = torch.full((3, 100, 100), 0.5)


@pytest.mark.parametrize("severity", SEVERITIES[:2])
def test_gaussian_noise_has_its_deviation(severity: int) -> None:
    """Of 30000 values the deviation lies within 2 %, which is five of its standard errors."""
    noisy = gaussian_noise(GREY, severity, seeded())
    assert noisy.std().item() == pytest.approx(SIGMA[severity - 1], rel=0.02)
    assert noisy.mean().item() == pytest.approx(0.5, abs=0.005)


def test_gaussian_noise_stays_between_black_and_white() -> None:
    noisy = gaussian_noise(GREY, 5, seeded())
    assert (noisy.min(), noisy.max()) == (0, 1)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_shot_noise_is_a_count_over_that_of_white(severity: int) -> None:
    """A Poisson variable of mean c / 2 over c has the variance 1 / (2 c); some of it is cut off at 1."""
    count = COUNTS[severity - 1]
    noisy = shot_noise(GREY, severity, seeded())
    counts = count * noisy
    torch.testing.assert_close(counts, counts.round(), rtol=0, atol=1e-5)
    if severity < 3:
        assert noisy.var().item() == pytest.approx(1 / (2 * count), rel=0.05)
    assert torch.equal(shot_noise(torch.zeros(3, 2, 2), severity, seeded()), torch.zeros(3, 2, 2))


@pytest.mark.parametrize("severity", SEVERITIES)
def test_impulses_are_black_and_white_in_equal_parts(severity: int) -> None:
    """Each has half of the amount of 30000 values, within four standard deviations."""
    noisy, amount = impulse_noise(GREY, severity, seeded()), AMOUNT[severity - 1]
    within = 4 * (amount / 2 / GREY.numel()) ** 0.5
    for value in (0, 1):
        assert (noisy == value).double().mean().item() == pytest.approx(amount / 2, abs=within)
    assert set(noisy.unique().tolist()) == {0, 0.5, 1}
