"""The sliced Wasserstein distance against a loop over directions and cells, by hand, and by its properties."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.trainables.losses.problems import MapProblem, map_problem, map_problems
from trainables.losses import sliced_wasserstein
from trainables.losses.sliced_wasserstein import distance_along


def brute_force(directions: Tensor, problem: MapProblem, target_logit: float) -> list[float]:
    losses = []
    for maps, c, background in zip(*(tensor.tolist() for tensor in problem), strict=True):
        h = [1 - share for row in background for share in row]
        target = [target_logit * share / sum(h) if sum(h) else 0.0 for share in h]
        total = 0.0
        for direction in directions.tolist() if sum(h) else ():
            rivals = [k for k in range(len(maps)) if k != c]
            length = math.sqrt(sum(direction[k] ** 2 for k in rivals))
            found, wanted = [10 * share for share in h], [10 * share for share in h]
            for k in rivals:
                flat = [value for row in maps[k] for value in row]
                for cell, share in enumerate(h):
                    excess = max(0.0, flat[cell] - target[cell])
                    found[cell] += direction[k] / length * (flat[cell] - share * excess)
                    wanted[cell] += direction[k] / length * target[cell]
            total += sum((one - other) ** 2 for one, other in zip(sorted(found), sorted(wanted), strict=True)) / len(h)
        losses.append(total / len(directions))
    return losses


def directions_for(problem: MapProblem, count: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, problem.contrastive_BKHW.shape[1], generator=generator, dtype=torch.float64)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(problem=map_problems(), target_logit=st.sampled_from([0.5, 3.0, 30.0]))
def test_equals_a_loop_over_directions_and_cells(problem: MapProblem, target_logit: float) -> None:
    directions = directions_for(problem)
    expected = torch.tensor(brute_force(directions, problem, target_logit), dtype=torch.float64)
    found = distance_along(directions, *problem, target_logit=target_logit)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


def test_draws_its_directions_from_the_global_generator_and_works_out_the_target() -> None:
    problem = map_problem(classes=5)
    torch.manual_seed(3)
    found = sliced_wasserstein(*problem, num_directions=7, target_probability=0.9)
    torch.manual_seed(3)
    directions = torch.randn(7, 5, dtype=torch.float64)
    # Four rivals that are target_logit behind leave the class 0.9: 1 / (1 + 4 exp(-target_logit)).
    expected = distance_along(directions, *problem, target_logit=math.log(36))
    torch.testing.assert_close(found, expected)
    assert not torch.equal(sliced_wasserstein(*problem, num_directions=7, target_probability=0.9), found)


@pytest.mark.parametrize("direction", [1.0, -0.2])
def test_by_hand(direction: float) -> None:
    """The target is 1 on two cells. 3 above it is free, 0.5 below it is not, nor -0.25 next to it."""
    maps = torch.zeros(1, 2, 2, 2)
    maps[0, 1] = torch.tensor([[3.0, 0.5], [-0.25, 0.0]])
    problem = (maps, torch.tensor([0]), torch.tensor([[[0.0, 0.0], [1.0, 1.0]]]))
    loss = distance_along(torch.tensor([[5.0, direction]]), *problem, target_logit=2.0)
    assert loss.tolist() == [pytest.approx((0.5**2 + 0.25**2) / 4)]


def on_target(problem: MapProblem, target_logit: float) -> Tensor:
    """Return maps that are all the target, but for the own class's."""
    h_BHW = 1 - problem.background_BHW
    target_BHW = target_logit * h_BHW / h_BHW.sum((1, 2), keepdim=True)
    own = torch.nn.functional.one_hot(problem.labels_B, problem.contrastive_BKHW.shape[1])
    return target_BHW.unsqueeze(1) * (1 - own)[:, :, None, None]


@pytest.mark.parametrize("mask", ["soft", "hard", "object alone"])
def test_maps_on_target_cost_nothing(mask: str) -> None:
    problem = map_problem(mask=mask, height=4)
    maps = on_target(problem, math.log(57))
    loss = sliced_wasserstein(maps, *problem[1:])
    torch.testing.assert_close(loss, torch.zeros(3, dtype=torch.float64), rtol=0, atol=1e-12)


def test_over_activation_of_some_maps_inside_the_object_costs_nothing_and_pulls_nowhere() -> None:
    problem = map_problem(mask="hard", height=4)
    maps = on_target(problem, math.log(57))
    excess = torch.rand(maps.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    maps = (maps + 5 * excess * (maps > 0)).requires_grad_()
    loss = sliced_wasserstein(maps, *problem[1:])
    loss.sum().backward()
    torch.testing.assert_close(loss, torch.zeros_like(loss), rtol=0, atol=1e-12)
    torch.testing.assert_close(maps.grad, torch.zeros_like(maps), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("where", "change"), [("object", -0.5), ("background", 0.5), ("background", -0.5)])
def test_a_lack_inside_and_anything_outside_cost_more_the_larger_they_are(where: str, change: float) -> None:
    problem = map_problem(mask="hard", height=4)
    maps = on_target(problem, math.log(57))
    there = (
        (maps > 0)
        if where == "object"
        else (problem.background_BHW == 1).unsqueeze(1) & (maps.sum((2, 3)) > 0)[:, :, None, None]
    )
    losses = []
    for factor in (1, 2):
        torch.manual_seed(0)
        losses.append(sliced_wasserstein(maps + factor * change * there, *problem[1:]))
    assert torch.all(losses[0] > 0.01)
    assert torch.all(losses[1] > losses[0])


def test_a_mask_without_an_object_costs_nothing_and_pulls_nowhere() -> None:
    problem = map_problem(mask="mixed")
    maps = problem.contrastive_BKHW.clone().requires_grad_()
    loss = sliced_wasserstein(maps, *problem[1:])
    loss.sum().backward()
    assert maps.grad is not None
    assert loss[0] == 0
    assert torch.count_nonzero(maps.grad[0]) == 0
    assert all(torch.count_nonzero(maps.grad[sample]) > 0 for sample in (1, 2))


@pytest.mark.parametrize("mask", ["soft", "mixed"])
@pytest.mark.parametrize("classes", [2, 4])
def test_gradient(mask: str, classes: int) -> None:
    problem = map_problem(mask=mask, classes=classes)
    directions = directions_for(problem)
    # The own class's slice is 0 whatever the network says, so it is no input here.
    rivals = torch.nn.functional.one_hot(problem.labels_B, classes)[:, :, None, None] == 0

    def loss(maps: Tensor) -> Tensor:
        return distance_along(directions, maps * rivals, *problem[1:], target_logit=2.0)

    assert torch.autograd.gradcheck(loss, (problem.contrastive_BKHW.requires_grad_(),))


@pytest.mark.parametrize("classes", [2, 919])
def test_maps_of_ten_thousand_keep_loss_and_gradient_finite(classes: int) -> None:
    problem = map_problem(classes=classes, mask="mixed")
    maps = (problem.contrastive_BKHW * 1e4).float().requires_grad_()
    loss = sliced_wasserstein(maps, problem.labels_B, problem.background_BHW.float())
    loss.sum().backward()
    assert maps.grad is not None
    assert loss.isfinite().all()
    assert maps.grad.isfinite().all()


def test_a_direction_of_zero_length_leaves_everything_finite() -> None:
    problem = map_problem(classes=2)
    maps = problem.contrastive_BKHW.float().requires_grad_()
    loss = distance_along(torch.zeros(2, 2), maps, problem.labels_B, problem.background_BHW, target_logit=1.0)
    loss.sum().backward()
    assert maps.grad is not None
    assert loss.tolist() == [0, 0, 0]
    assert maps.grad.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_float32(dtype: torch.dtype) -> None:
    problem = map_problem(classes=20)
    maps = problem.contrastive_BKHW.to(dtype)
    torch.manual_seed(0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = sliced_wasserstein(maps, problem.labels_B, problem.background_BHW.float())
    torch.manual_seed(0)
    directions = torch.randn(64, 20)
    expected = distance_along(directions.double(), maps.double(), *problem[1:], target_logit=math.log(19 * 19))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-5)


def test_arguments_stay_as_they_are() -> None:
    problem = map_problem()
    before = [tensor.clone() for tensor in problem]
    sliced_wasserstein(*problem)
    assert all(torch.equal(tensor, old) for tensor, old in zip(problem, before, strict=True))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"contrastive_BKHW": torch.zeros(3, 1, 3, 3)}, "maps of 1 classes; expected 2 or more"),
        ({"labels_B": torch.zeros(3)}, "labels are torch.float32; expected torch.int64"),
        ({"background_BHW": torch.zeros(3, 6, 6)}, r"the shape of background is \(3, 6, 6\); expected \(3, 3, 3\)"),
        ({"num_directions": 0}, "num_directions = 0; expected 1 or more"),
        ({"target_probability": 0.25}, "target_probability = 0.25; expected more than 1/4, which is chance among 4"),
        ({"target_probability": 1.0}, "target_probability = 1.0; expected more than 1/4"),
    ],
)
def test_wrong_arguments_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sliced_wasserstein(**{**map_problem()._asdict(), **changes})
