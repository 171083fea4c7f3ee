"""The binary contrastive loss against a loop over every class and cell, by hand, and by its stated properties."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from tests.trainables.losses.problems import MASKS, background_of
from trainables.losses import binary_contrastive

Problem = dict[str, Any]
TARGETS = ("one-hot", "several-hot", "none", "all", "soft")


def problem_of(
    *,
    batch: int = 3,
    classes: int = 5,
    features: int = 4,
    size: tuple[int, int] = (3, 3),
    mask: str = "soft",
    targets: str = "one-hot",
    bias: bool = True,
    of_each_class: bool = False,
    seed: int = 0,
) -> Problem:
    """Return a random problem in float64; one-hot targets leave the last of more than two classes out."""
    generator = torch.Generator().manual_seed(seed)
    soft_BK = torch.rand(batch, classes, generator=generator, dtype=torch.float64)
    one_hot_BK = functional.one_hot(torch.randint(max(2, classes - 1), (batch,), generator=generator), classes).double()
    background = background_of(mask, (batch * (classes if of_each_class else 1), *size), generator)
    return {
        "features_BFHW": torch.randn(batch, features, *size, generator=generator, dtype=torch.float64) * 3,
        "weight_KF": torch.randn(classes, features, generator=generator, dtype=torch.float64),
        "targets_BK": {
            "one-hot": one_hot_BK,
            "several-hot": soft_BK.round(),
            "none": torch.zeros_like(soft_BK),
            "all": torch.ones_like(soft_BK),
            "soft": soft_BK,
        }[targets],
        "background": background.view(batch, classes, *size) if of_each_class else background,
        "bias_K": torch.randn(classes, generator=generator, dtype=torch.float64) if bias else None,
    }


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    return problem_of(
        batch=draw(st.integers(1, 3)),
        classes=draw(st.sampled_from([2, 3, 919])),
        features=draw(st.integers(1, 3)),
        size=(draw(st.integers(1, 3)), draw(st.integers(1, 3))),
        mask=draw(st.sampled_from(MASKS)),
        targets=draw(st.sampled_from(TARGETS)),
        bias=draw(st.booleans()),
        of_each_class=draw(st.booleans()),
        seed=draw(st.integers(0, 2**31)),
    )


def loss_of(problem: Problem, **changes: Any) -> Tensor:
    return binary_contrastive(**{**problem, **changes})


def logits_of(problem: Problem) -> Tensor:
    return functional.linear(problem["features_BFHW"].mean((2, 3)), problem["weight_KF"], problem["bias_K"])


def plain(problem: Problem) -> Tensor:
    targets_BK = problem["targets_BK"]
    return functional.binary_cross_entropy_with_logits(logits_of(problem), targets_BK, reduction="none").sum(1)


def log_sigmoid(value: float) -> float:
    return min(0.0, value) - math.log1p(math.exp(-abs(value)))


def brute_force(problem: Problem, background_weight: float) -> list[float]:
    names = ("features_BFHW", "weight_KF", "targets_BK", "background")
    features, weight, targets, backgrounds = (problem[name].tolist() for name in names)
    bias = [0.0] * len(weight) if problem["bias_K"] is None else problem["bias_K"].tolist()
    losses = []
    for b, planes in enumerate(features):
        loss = 0.0
        for k, row in enumerate(weight):
            background = backgrounds[b][k] if problem["background"].ndim == 4 else backgrounds[b]
            num_cells = len(background) * len(background[0])
            inside = outside = everywhere = 0.0
            for i, shares in enumerate(background):
                for j, share in enumerate(shares):
                    cam = sum(row[f] * plane[i][j] for f, plane in enumerate(planes)) / num_cells
                    inside += (1 - share) * cam
                    outside += abs(share * cam)
                    everywhere += cam
            ablated = inside - background_weight * outside + bias[k]
            loss -= targets[b][k] * log_sigmoid(ablated) + (1 - targets[b][k]) * log_sigmoid(-everywhere - bias[k])
        losses.append(loss)
    return losses


@settings(deadline=None, max_examples=60, derandomize=True)
@given(problem=problems(), background_weight=st.sampled_from([0.0, 0.3, 1.0, 2.5]))
def test_equals_a_loop_over_every_class_and_cell(problem: Problem, background_weight: float) -> None:
    expected = torch.tensor(brute_force(problem, background_weight), dtype=torch.float64)
    torch.testing.assert_close(loss_of(problem, background_weight=background_weight), expected, rtol=1e-10, atol=1e-10)


def test_by_hand() -> None:
    """The maps are 1, 0, -1, 2 and their opposite, and the object is the first two cells."""
    problem = {
        "features_BFHW": torch.tensor([[[[4.0, 0.0], [-4.0, 8.0]]]]),
        "weight_KF": torch.tensor([[1.0], [-1.0]]),
        "targets_BK": torch.tensor([[1.0, 0.0]]),
        "background": torch.tensor([[[0.0, 0.0], [1.0, 1.0]]]),
    }
    not_there = math.log1p(math.exp(-2))
    for background_weight, ablated in [(1.0, 1 - 3), (0.5, 1 - 1.5), (0.0, 1)]:
        expected = math.log1p(math.exp(-ablated)) + not_there
        assert loss_of(problem, background_weight=background_weight).item() == pytest.approx(expected)
    assert loss_of(problem, targets_BK=torch.zeros(1, 2)).item() == pytest.approx(math.log1p(math.exp(2)) + not_there)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(problem=problems(), background_weight=st.sampled_from([0.0, 1.0, 7.0]))
def test_without_background_it_is_binary_cross_entropy(problem: Problem, background_weight: float) -> None:
    background = torch.zeros_like(problem["background"])
    found = loss_of(problem, background=background, background_weight=background_weight)
    torch.testing.assert_close(found, plain(problem), rtol=1e-10, atol=1e-10)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(problem=problems(), background_weight=st.sampled_from([1.0, 1.5, 10.0]))
def test_is_never_less_than_binary_cross_entropy(problem: Problem, background_weight: float) -> None:
    assert torch.all(loss_of(problem, background_weight=background_weight) >= plain(problem) - 1e-9)


def test_one_background_is_that_of_every_class() -> None:
    problem = problem_of(mask="mixed", targets="several-hot")
    of_each_class = problem["background"].unsqueeze(1).expand(-1, 5, -1, -1)
    torch.testing.assert_close(loss_of(problem, background=of_each_class), loss_of(problem), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("background_weight", [0.0, 0.7])
@pytest.mark.parametrize("of_each_class", [False, True])
def test_gradient(background_weight: float, of_each_class: bool) -> None:
    problem = problem_of(targets="soft", of_each_class=of_each_class)
    names = ("features_BFHW", "weight_KF", "bias_K")

    def loss(*tensors: Tensor) -> Tensor:
        return loss_of(problem, background_weight=background_weight, **dict(zip(names, tensors, strict=True)))

    assert torch.autograd.gradcheck(loss, tuple(problem[name].requires_grad_() for name in names))


@pytest.mark.parametrize("of_each_class", [False, True])
def test_the_gradient_of_an_absolute_value_at_zero_is_zero(of_each_class: bool) -> None:
    problem = problem_of(mask="no object", of_each_class=of_each_class, bias=False)
    features = torch.zeros_like(problem["features_BFHW"]).requires_grad_()
    loss_of(problem, features_BFHW=features, targets_BK=torch.ones(3, 5)).sum().backward()
    assert features.grad is not None
    assert torch.count_nonzero(features.grad) == 0


@pytest.mark.parametrize("classes", [2, 919])
def test_logits_of_ten_thousand_keep_loss_and_gradient_finite(classes: int) -> None:
    problem = problem_of(classes=classes, mask="mixed", targets="several-hot")
    problem = {name: None if value is None else value.float() for name, value in problem.items()}
    features = (problem["features_BFHW"] * 1e4).requires_grad_()
    loss = loss_of(problem, features_BFHW=features)
    loss.sum().backward()
    assert features.grad is not None
    assert loss.isfinite().all()
    assert features.grad.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("of_each_class", [False, True])
def test_half_precision_features_are_computed_in_float32(dtype: torch.dtype, of_each_class: bool) -> None:
    problem = problem_of(classes=20, of_each_class=of_each_class)
    single = {name: value.float() for name, value in problem.items()}
    features = problem["features_BFHW"].to(dtype)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = loss_of(single, features_BFHW=features)
    assert found.dtype == torch.float32
    expected = loss_of(problem, features_BFHW=features.double())
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-5)


def test_targets_may_be_whole_numbers_or_truth_values() -> None:
    problem = problem_of(targets="several-hot")
    for dtype in (torch.int64, torch.bool):
        found = loss_of(problem, targets_BK=problem["targets_BK"].to(dtype))
        torch.testing.assert_close(found, loss_of(problem), rtol=0, atol=0)


def test_arguments_stay_as_they_are() -> None:
    problem = problem_of()
    before = {name: value.clone() for name, value in problem.items()}
    loss_of(problem)
    assert all(torch.equal(value, before[name]) for name, value in problem.items())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"features_BFHW": torch.zeros(3, 4)}, r"features have the shape \(3, 4\); expected B,F,H,W"),
        ({"weight_KF": torch.zeros(5, 7)}, r"weight has the shape \(5, 7\); expected K,4"),
        ({"targets_BK": torch.zeros(3, 4)}, r"the shape of targets is \(3, 4\); expected \(3, 5\)"),
        ({"targets_BK": torch.full((3, 5), 2.0)}, "values of targets lie between 2.0 and 2.0; expected 0 to 1"),
        ({"background": torch.zeros(3, 6, 6)}, r"the shape of background is \(3, 6, 6\); expected \(3, 3, 3\)"),
        ({"background": torch.zeros(3, 4, 3, 3)}, r"background is \(3, 4, 3, 3\); expected \(3, 5, 3, 3\)"),
        ({"background": torch.full((3, 3, 3), 1.5)}, "values of background lie between 1.5 and 1.5; expected 0 to 1"),
        ({"bias_K": torch.zeros(4)}, r"the shape of bias is \(4,\); expected \(5,\)"),
        ({"background_weight": -0.1}, "background_weight = -0.1; expected a finite number of at least 0"),
    ],
)
def test_wrong_arguments_are_named(changes: Problem, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        loss_of(problem_of(), **changes)
