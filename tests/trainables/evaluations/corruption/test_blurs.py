"""Blurs by hand: the disc, the line, and the zoom."""

import math

import numpy as np
import pytest
import torch

from trainables.evaluations.corruption.blurs import (
    RADIUS,
    convolved,
    defocus_blur,
    disc,
    line,
    mean_of_shifts,
    motion_blur,
    zoom_blur,
    zoomed,
)
from trainables.evaluations.corruption.severity import SEVERITIES


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def point(side: int) -> torch.Tensor:
    """One white pixel in the middle."""
    image = torch.zeros(3, side, side)
    image[:, side // 2, side // 2] = 1
    return image


def test_a_disc_has_its_area_and_is_symmetric() -> None:
    """Of radius 3 it covers the middle pixel whole, so that the sum is 1 / its share: pi 9."""
    kernel = disc(3.0)
    assert kernel.shape == (7, 7)
    assert 1 / kernel[3, 3].item() == pytest.approx(math.pi * 9, rel=0.005)
    assert torch.equal(kernel, kernel.T)
    assert torch.equal(kernel, kernel.flip(0))
    assert kernel.sum().item() == pytest.approx(1)
    assert kernel[0, 0] == 0


def test_a_disc_within_a_pixel_changes_nothing() -> None:
    assert disc(0.4).tolist() == [[1.0]]


def test_out_of_focus_a_point_is_a_disc() -> None:
    for severity in SEVERITIES[:2]:
        blurred = defocus_blur(point(224), severity, seeded())
        radius = RADIUS[severity - 1]
        around = slice(112 - radius, 113 + radius)
        torch.testing.assert_close(blurred[0, around, around], disc(radius))
        assert blurred.sum().item() == pytest.approx(3)


def test_radii_shrink_with_the_image() -> None:
    """Radius 10 at 224 px is 5 at 112 px."""
    blurred = defocus_blur(point(112), 5, seeded())
    torch.testing.assert_close(blurred[1, 51:62, 51:62], disc(5.0))


def test_a_line_begins_in_the_middle_and_fades() -> None:
    """Along a row, of the places 0, 1 and 2 with sigma 1: weights 1, e^-1/2 and e^-2."""
    weights = torch.tensor([1, math.exp(-0.5), math.exp(-2)])
    kernel = line(1.0, 1.0, 0.0)
    torch.testing.assert_close(kernel[2, 2:], weights / weights.sum())
    assert kernel.sum().item() == pytest.approx(1)
    assert (kernel > 0).sum() == 3
    downwards = line(1.0, 1.0, math.pi / 2)
    torch.testing.assert_close(downwards[2:, 2], weights / weights.sum())


def test_the_angle_of_motion_is_drawn() -> None:
    one, same, other = (motion_blur(point(64), 5, seeded(seed)) for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert one.sum().item() == pytest.approx(3, rel=1e-5)


@pytest.mark.parametrize("angle", [-math.pi / 4, -0.1, 0.0, 0.5, math.pi / 4])
def test_a_line_of_shifted_images_is_the_dense_convolution(angle: float) -> None:
    """At 45 degrees some places of the line are one pixel; the line leaves the image, whose sides differ."""
    image, kernel = torch.rand(3, 20, 33, generator=seeded(), dtype=torch.float64), line(6.0, 4.0, angle).double()
    assert torch.allclose(mean_of_shifts(image, kernel), convolved(image, kernel), rtol=0, atol=1e-14)
    assert torch.allclose(
        mean_of_shifts(image.float(), kernel.float()), convolved(image.float(), kernel.float()), rtol=0, atol=1e-6
    )


def test_motion_blur_convolves_with_its_line() -> None:
    """At severity 3 and 112 px half of the way is 7.5 and the deviation 4; the angle is the first number drawn."""
    image = torch.rand(3, 112, 112, generator=seeded())
    angle = math.radians(90 * torch.rand((), generator=seeded(5)).item() - 45)
    expected = convolved(image, line(7.5, 4.0, angle))
    torch.testing.assert_close(motion_blur(image, 3, seeded(5)), expected, rtol=0, atol=1e-6)


def test_beyond_the_edge_lies_the_edge() -> None:
    image = torch.full((3, 4, 4), 0.25)
    torch.testing.assert_close(convolved(image, disc(3.0)), image)


def test_a_zoom_shows_the_centre() -> None:
    """Of 4 x 4 pixels a zoom of 2 shows the middle 2 x 2, from corner to corner: 1, 4/3, 5/3 and 2."""
    image = torch.arange(4.0).expand(3, 4, 4) / 4
    assert (4 * zoomed(image, 2.0)[0, 0]).tolist() == pytest.approx([1, 4 / 3, 5 / 3, 2])
    assert torch.equal(zoomed(image, 1.0), image)


def test_a_zoom_blur_is_a_mean_of_zooms() -> None:
    """Steps of 0.01 from 1 to 1.11, as `np.arange(1, 1.11, 0.01)` of the published code, and the image once more."""
    image = torch.rand(3, 30, 30, generator=seeded())
    expected = torch.stack([image] + [zoomed(image, zoom) for zoom in np.arange(1, 1.11, 0.01)]).mean(0)
    torch.testing.assert_close(zoom_blur(image, 1, seeded()), expected)
