"""Larger pixels by hand, and what JPEG of its quality keeps and loses."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from trainables.evaluations.corruption.digital import jpeg_compression, pixelate
from trainables.evaluations.corruption.severity import SEVERITIES

NONE = torch.Generator()


def test_pixels_become_means_of_areas() -> None:
    """At severity 2 the sides are halved, at severity 5 quartered: a mean of 2 x 2, and of all 4 x 4."""
    image = torch.arange(16.0).view(1, 4, 4).expand(3, 4, 4) / 16
    halves = torch.tensor(
        [[2.5, 2.5, 4.5, 4.5], [2.5, 2.5, 4.5, 4.5], [10.5, 10.5, 12.5, 12.5], [10.5, 10.5, 12.5, 12.5]]
    )
    assert torch.equal(16 * pixelate(image, 2, NONE)[0], halves)
    assert torch.equal(16 * pixelate(image, 5, NONE)[2], torch.full((4, 4), 7.5))


def test_an_image_of_one_pixel_stays() -> None:
    image = torch.full((3, 1, 1), 0.25)
    assert all(torch.equal(pixelate(image, severity, NONE), image) for severity in SEVERITIES)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_jpeg_loses_detail_and_keeps_grey(severity: int) -> None:
    """A block of 8 x 8 pixels of one grey has a mean alone, which is rounded by half of a step of the quality."""
    grey = torch.linspace(0, 1, 9).repeat_interleave(8).expand(3, 16, 72)
    assert (jpeg_compression(grey, severity, NONE) - grey).abs().max() < 0.05
    stripes = (torch.arange(64) % 2).float().expand(3, 64, 64)
    image = 0.5 + 0.02 * (stripes - 0.5)
    assert jpeg_compression(image, severity, NONE).unique().numel() == 1


def test_jpeg_has_its_quality() -> None:
    """The published qualities, with Pillow's own subsampling of colours."""
    for severity in SEVERITIES:
        image = torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(0))
        values = (255 * image).round().to(torch.uint8).permute(1, 2, 0).numpy()
        file = io.BytesIO()
        Image.fromarray(values).save(file, "JPEG", quality=(25, 18, 15, 10, 7)[severity - 1])
        expected = torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1)
        assert torch.equal((255 * jpeg_compression(image, severity, NONE)).round().to(torch.uint8), expected)
