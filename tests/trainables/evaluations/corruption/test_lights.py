"""Brightness and contrast by hand."""

import colorsys

import pytest
import torch

from trainables.evaluations.corruption.lights import CONTRAST, LIGHT, brightness, contrast
from trainables.evaluations.corruption.severity import SEVERITIES

NONE = torch.Generator()


@pytest.mark.parametrize("severity", SEVERITIES)
def test_brightness_is_added_to_the_value_of_hsv(severity: int) -> None:
    image = torch.rand(3, 4, 5, generator=torch.Generator().manual_seed(severity))
    image[:, 0, 0] = 0
    found = brightness(image, severity, NONE)
    for row in range(4):
        for column in range(5):
            hue, saturation, value = colorsys.rgb_to_hsv(*image[:, row, column].tolist())
            expected = colorsys.hsv_to_rgb(hue, saturation, min(1, value + LIGHT[severity - 1]))
            assert found[:, row, column].tolist() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_contrast_shrinks_towards_each_channels_mean(severity: int) -> None:
    image = torch.tensor([[[0.0, 1.0]], [[0.5, 0.5]], [[0.0, 0.5]]])
    half = CONTRAST[severity - 1] / 2
    expected = [[[0.5 - half, 0.5 + half]], [[0.5, 0.5]], [[0.25 - half / 2, 0.25 + half / 2]]]
    torch.testing.assert_close(contrast(image, severity, NONE), torch.tensor(expected))
