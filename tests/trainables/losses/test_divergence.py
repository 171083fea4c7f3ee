"""The divergence between mask and maps against a loop over every class and cell, by hand, and by its properties."""

import math
from typing import Any, Literal

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from tests.trainables.losses.problems import MapProblem, map_problem, map_problems
from trainables.losses import mask_divergence

Where = Literal["map", "foreground"]
WHERE: tuple[Where, ...] = ("map", "foreground")
SCALES = st.sampled_from([(1000.0, 10.0), (50.0, 10.0), (1.0, 0.5)])


def log_softmax(values: list[float]) -> list[float]:
    largest = max(values)
    log_sum = largest + math.log(sum(math.exp(value - largest) for value in values))
    return [value - log_sum for value in values]


def brute_force(problem: MapProblem, where: Where, mask_scale: float, map_scale: float) -> list[float]:
    losses = []
    for maps, c, background in zip(*(tensor.tolist() for tensor in problem), strict=True):
        h = [1 - share for row in background for share in row]
        log_p = log_softmax([mask_scale * share for share in h])
        total = 0.0
        for k, rows in enumerate(maps):
            if k == c or max(h) == 0:
                continue
            log_q = log_softmax([map_scale * value for row in rows for value in row])
            for cell, share in enumerate(h):
                p = math.exp(log_p[cell])
                if where == "map":
                    total += p * (log_p[cell] - log_q[cell])
                else:
                    total += share * p * (0 - log_q[cell])
        losses.append(total / (len(maps) - 1))
    return losses


@settings(deadline=None, max_examples=60, derandomize=True)
@given(problem=map_problems(), where=st.sampled_from(WHERE), scales=SCALES)
def test_equals_a_loop_over_every_class_and_cell(
    problem: MapProblem, where: Where, scales: tuple[float, float]
) -> None:
    expected = torch.tensor(brute_force(problem, where, *scales), dtype=torch.float64)
    found = mask_divergence(*problem, where=where, mask_scale=scales[0], map_scale=scales[1])
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


def test_by_hand() -> None:
    """The mask is half the four cells; the map gives them 1/2 and 1/6."""
    maps = torch.zeros(1, 2, 2, 2)
    maps[0, 1, 0, 0] = math.log(3)
    problem = (maps, torch.tensor([0]), torch.tensor([[[0.0, 0.0], [1.0, 1.0]]]))
    found = [mask_divergence(*problem, where=where, map_scale=1).item() for where in WHERE]
    assert found == pytest.approx([0.5 * math.log(3), 0.5 * math.log(12)])


def test_maps_of_zeros_are_uniform() -> None:
    background = torch.tensor([[[0.0, 1.0], [1.0, 1.0]], [[0.0, 0.0], [0.0, 0.0]]])
    problem = (torch.zeros(2, 5, 2, 2), torch.tensor([3, 0]), background)
    torch.testing.assert_close(mask_divergence(*problem), torch.tensor([math.log(4), 0.0]))
    torch.testing.assert_close(mask_divergence(*problem, where="foreground"), torch.full((2,), math.log(4)))


def test_a_map_in_proportion_to_the_mask_costs_nothing() -> None:
    problem = map_problem(classes=2, mask="soft")
    maps = torch.zeros_like(problem.contrastive_BKHW)
    maps.scatter_(1, (1 - problem.labels_B).view(-1, 1, 1, 1).expand(-1, 1, 3, 3), 1 - problem.background_BHW[:, None])
    loss = mask_divergence(maps, problem.labels_B, problem.background_BHW, mask_scale=7, map_scale=7)
    torch.testing.assert_close(loss, torch.zeros(3, dtype=torch.float64), rtol=0, atol=1e-12)
    shifted = mask_divergence(maps + 3, problem.labels_B, problem.background_BHW, mask_scale=7, map_scale=7)
    torch.testing.assert_close(shifted, loss, rtol=0, atol=1e-12)


def test_a_mask_without_an_object_costs_nothing_and_pulls_nowhere() -> None:
    problem = map_problem(mask="mixed")
    maps = problem.contrastive_BKHW.clone().requires_grad_()
    loss = mask_divergence(maps, problem.labels_B, problem.background_BHW)
    loss.sum().backward()
    assert maps.grad is not None
    assert loss[0] == 0
    assert torch.count_nonzero(maps.grad[0]) == 0
    assert all(torch.count_nonzero(maps.grad[sample]) > 0 for sample in (1, 2))


def test_the_own_class_s_slice_does_not_count() -> None:
    problem = map_problem()
    changed = problem.contrastive_BKHW.scatter(1, problem.labels_B.view(-1, 1, 1, 1).expand(-1, 1, 3, 3), 7.0)
    torch.testing.assert_close(mask_divergence(changed, *problem[1:]), mask_divergence(*problem), rtol=0, atol=0)


def test_with_a_hard_mask_the_two_variants_pull_alike() -> None:
    """They differ by what depends on the mask alone, and by the background's share of its softmax."""
    problem = map_problem(mask="hard")
    gradients = []
    for where in WHERE:
        maps = problem.contrastive_BKHW.clone().requires_grad_()
        mask_divergence(maps, *problem[1:], where=where).sum().backward()
        gradients.append(maps.grad)
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("mask", ["soft", "mixed"])
def test_gradient(where: Where, mask: str) -> None:
    problem = map_problem(mask=mask)

    def loss(maps: Tensor) -> Tensor:
        return mask_divergence(maps, *problem[1:], where=where, mask_scale=5.0, map_scale=2.0)

    assert torch.autograd.gradcheck(loss, (problem.contrastive_BKHW.requires_grad_(),))


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("classes", [2, 919])
def test_maps_of_ten_thousand_keep_loss_and_gradient_finite(where: Where, classes: int) -> None:
    problem = map_problem(classes=classes, mask="mixed")
    maps = (problem.contrastive_BKHW * 1e4).float().requires_grad_()
    loss = mask_divergence(maps, problem.labels_B, problem.background_BHW.float(), where=where)
    loss.sum().backward()
    assert maps.grad is not None
    assert loss.isfinite().all()
    assert maps.grad.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_float32(dtype: torch.dtype) -> None:
    problem = map_problem(classes=20)
    maps = problem.contrastive_BKHW.to(dtype)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = mask_divergence(maps, problem.labels_B, problem.background_BHW.float())
    expected = mask_divergence(maps.double(), *problem[1:])
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-5)


def test_the_public_code_s_weight_is_that_of_a_sum_over_the_maps() -> None:
    """jinensetpal/contrastive-optimization at 2024-09, without its clamp: sum over maps and cells, mean over images."""
    problem = map_problem(classes=37, mask="hard")
    maps, theirs = (problem.contrastive_BKHW.double().detach().clone().requires_grad_() for _ in range(2))
    object_BHW = (problem.background_BHW < 0.5).double()
    found = mask_divergence(maps, problem.labels_B, 1 - object_BHW, where="foreground", mask_scale=50.0, map_scale=10.0)
    (0.036 * found).mean().backward()
    mask_BP = (50 * object_BHW.flatten(1)).softmax(1)
    log_maps_BKP = (10 * theirs.flatten(2)).softmax(2).log()
    per_cell_BKP = -mask_BP[:, None] * log_maps_BKP * object_BHW.flatten(1)[:, None]
    (0.001 * per_cell_BKP.sum() / len(maps)).backward()
    own_BK = functional.one_hot(problem.labels_B, 37).bool()
    torch.testing.assert_close(maps.grad[~own_BK], theirs.grad[~own_BK])


def test_arguments_stay_as_they_are() -> None:
    problem = map_problem()
    before = [tensor.clone() for tensor in problem]
    mask_divergence(*problem)
    assert all(torch.equal(tensor, old) for tensor, old in zip(problem, before, strict=True))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"contrastive_BKHW": torch.zeros(3, 4)}, r"maps have the shape \(3, 4\); expected B,K,H,W"),
        ({"contrastive_BKHW": torch.zeros(3, 1, 3, 3)}, "maps of 1 classes; expected 2 or more"),
        ({"labels_B": torch.tensor([0, 4, 1])}, "values of labels lie between 0 and 4; expected 0 to 3"),
        ({"labels_B": torch.zeros(2, dtype=torch.int64)}, r"the shape of labels is \(2,\); expected \(3,\)"),
        ({"background_BHW": torch.zeros(3, 6, 6)}, r"the shape of background is \(3, 6, 6\); expected \(3, 3, 3\)"),
        ({"background_BHW": torch.full((3, 3, 3), -1.0)}, "values of background lie between -1.0 and -1.0"),
        ({"where": "object"}, "where = 'object'; expected map or foreground"),
        ({"mask_scale": -1.0}, "mask_scale = -1.0; expected a finite number of at least 0"),
        ({"map_scale": math.nan}, "map_scale = nan; expected a finite number of at least 0"),
    ],
)
def test_wrong_arguments_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        mask_divergence(**{**map_problem()._asdict(), **changes})
