"""Membership and directions, on vectors worked out by hand."""

import math

import pytest
import torch
from torch import Tensor

from trainables.evaluations.adversarial.ball import Ball, Norm

ROUNDING = 1e-7
"""Of a pixel near 1 in float32."""


def image(*pixels: float) -> Tensor:
    return torch.tensor(pixels).view(1, 1, 1, -1)


def distances(ball: Ball, points_BCHW: Tensor, centres_BCHW: Tensor) -> Tensor:
    order = math.inf if ball.norm == "linf" else 2
    return (points_BCHW.double() - centres_BCHW.double()).flatten(1).norm(order, dim=1)


class TestName:
    @pytest.mark.parametrize(
        ("ball", "name"),
        [(Ball("linf", 4 / 255), "linf_0.01569"), (Ball("l2", 0.5), "l2_0.5"), (Ball("linf", 1.0), "linf_1")],
    )
    def test_four_digits(self, ball: Ball, name: str) -> None:
        assert ball.name == name


class TestProject:
    def test_linf_clamps_each_pixel(self) -> None:
        result = Ball("linf", 0.25).project(image(0.75, 0.25, 0.625), image(0.25, 0.75, 0.5))
        assert result.equal(image(0.5, 0.5, 0.625))

    def test_l2_scales_the_change(self) -> None:
        result = Ball("l2", 0.25).project(image(0.25 + 0.3, 0.25 + 0.4), image(0.25, 0.25))
        torch.testing.assert_close(result, image(0.25 + 0.15, 0.25 + 0.2))

    def test_l2_leaves_what_is_inside(self) -> None:
        inside = image(0.5, 0.625)
        assert Ball("l2", 0.25).project(inside, image(0.5, 0.5)).equal(inside)

    @pytest.mark.parametrize("norm", ["linf", "l2"])
    def test_ends_in_the_unit_cube_and_in_the_ball(self, norm: Norm) -> None:
        generator = torch.Generator().manual_seed(1)
        centres = torch.rand(50, 3, 4, 4, generator=generator).round(decimals=1)
        points = centres + torch.randn(centres.shape, generator=generator)
        ball = Ball(norm, 0.3)
        result = ball.project(points, centres)
        assert result.min() >= 0
        assert result.max() <= 1
        assert distances(ball, result, centres).max() <= 0.3 + ROUNDING

    @pytest.mark.parametrize("norm", ["linf", "l2"])
    def test_radius_0_leaves_the_image(self, norm: Norm) -> None:
        centre = image(0.1, 0.9)
        assert Ball(norm, 0.0).project(image(0.7, 0.2), centre).equal(centre)
        assert Ball(norm, 0.0).project(centre, centre).equal(centre)


class TestRandom:
    @pytest.mark.parametrize(("norm", "half"), [("linf", 0.5), ("l2", 0.5 ** (1 / 48))])
    def test_is_uniform(self, norm: Norm, half: float) -> None:
        """Half of the points of a ball lie within `half` of its radius, for a pixel or for the Euclidean length."""
        ball = Ball(norm, 0.25)
        centres = torch.full((4000, 3, 4, 4), 0.5)
        points = ball.random(centres, torch.Generator().manual_seed(2))
        lengths = distances(ball, points, centres)
        assert lengths.max() <= 0.25 + ROUNDING
        sizes = (points - centres).abs() if norm == "linf" else lengths
        share = (sizes < half * 0.25).double().mean().item()
        assert share == pytest.approx(0.5, abs=5 * 0.5 / 4000**0.5)

    def test_stays_in_the_unit_cube(self) -> None:
        points = Ball("linf", 1.0).random(torch.rand(5, 3, 4, 4), torch.Generator().manual_seed(3))
        assert points.min() == 0
        assert points.max() == 1

    @pytest.mark.parametrize("norm", ["linf", "l2"])
    def test_does_not_depend_on_the_batch(self, norm: Norm) -> None:
        ball = Ball(norm, 0.25)
        centres = torch.full((4, 3, 4, 4), 0.5)
        together = ball.random(centres, torch.Generator().manual_seed(4))
        generator = torch.Generator().manual_seed(4)
        assert together.equal(torch.cat([ball.random(chunk, generator) for chunk in centres.split(3)]))


class TestAscent:
    def test_linf_is_the_sign(self) -> None:
        assert Ball("linf", 0.1).ascent(image(3.0, -0.5, 0.0)).equal(image(1.0, -1.0, 0.0))

    @pytest.mark.parametrize("scale", [1.0, 1e-30, 1e30])
    def test_l2_has_length_1_however_small_the_gradient(self, scale: float) -> None:
        torch.testing.assert_close(Ball("l2", 0.1).ascent(scale * image(3.0, -4.0)), image(0.6, -0.8))

    @pytest.mark.parametrize("norm", ["linf", "l2"])
    def test_a_gradient_of_0_leads_nowhere(self, norm: Norm) -> None:
        nothing = image(0.0, 0.0)
        assert Ball(norm, 0.1).ascent(nothing).equal(nothing)
