"""Larger pixels by hand, and what JPEG of its quality keeps and loses."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from trainables.evaluations.corruption.digital import jpeg_compression, pixelate
from trainables.evaluations.corruption.severity import SEVERITIES

NONE = torch.Generator()


def of_levels(levels_HW: torch.Tensor) -> torch.Tensor:
    """Return a grey image of 8-bit levels."""
    return levels_HW.expand(3, -1, -1) / 255


def levels(image_CHW: torch.Tensor) -> torch.Tensor:
    return (255 * image_CHW).round()


def test_pixels_become_means_of_boxes() -> None:
    """At severity 2 the sides are halved, at severity 5 quartered: a mean of 2 x 2, and of all 4 x 4."""
    image = of_levels(2 * torch.arange(16.0).view(4, 4))
    halves = torch.tensor([[5.0, 5, 9, 9], [5, 5, 9, 9], [21, 21, 25, 25], [21, 21, 25, 25]])
    assert torch.equal(levels(pixelate(image, 2, NONE)[0]), halves)
    assert torch.equal(levels(pixelate(image, 5, NONE)[2]), torch.full((4, 4), 15.0))


def test_boxes_begin_and_end_at_the_nearest_pixels() -> None:
    """At severity 1 five pixels become three boxes, which end at 5/3 and 10/3: those of 0 and 60, 120, 180 and 240."""
    row = torch.tensor([0.0, 60, 120, 180, 240])
    expected = torch.tensor([30.0, 30, 120, 210, 210])
    assert torch.equal(levels(pixelate(of_levels(row.repeat(5, 1)), 1, NONE)[0]), expected.repeat(5, 1))


def test_sides_are_reduced_by_the_published_shares() -> None:
    """As the published code does on 224 px: `resize((int(224 c), int(224 c)), BOX)` and back, of 8 bits a channel."""
    noise = torch.randint(256, (3, 24, 224), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    image = Image.fromarray(noise.permute(1, 2, 0).numpy())
    for severity, (height, width) in zip(SEVERITIES, ((14, 134), (12, 112), (9, 89), (7, 67), (6, 56)), strict=True):
        expected = image.resize((width, height), Image.Resampling.BOX).resize((224, 24), Image.Resampling.BOX)
        found = levels(pixelate(noise / 255, severity, NONE)).to(torch.uint8).permute(1, 2, 0)
        assert np.array_equal(found.numpy(), np.array(expected))


def test_an_image_of_one_pixel_stays() -> None:
    image = torch.full((3, 1, 1), 0.2)
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
