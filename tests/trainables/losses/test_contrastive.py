"""Contrastive cross-entropy against a loop over every class and cell, and by its stated properties."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from trainables.cams import contrastive_cams, hirescam
from trainables.losses import contrastive_cross_entropy

Problem = dict[str, Any]


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    batch, classes, features, height, width = (
        draw(st.integers(low, high)) for low, high in [(1, 4), (2, 6), (1, 5), (1, 4), (1, 4)]
    )
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    background_BHW = torch.rand(batch, height, width, generator=generator, dtype=torch.float64)
    if draw(st.booleans()):
        background_BHW = background_BHW.round()
    if draw(st.booleans()):
        background_BHW[0] = 0
    return {
        "features_BFHW": torch.randn(batch, features, height, width, generator=generator, dtype=torch.float64) * 3,
        "weight_KF": torch.randn(classes, features, generator=generator, dtype=torch.float64),
        "labels_B": torch.randint(classes, (batch,), generator=generator),
        "background_BHW": background_BHW,
        "bias_K": torch.randn(classes, generator=generator, dtype=torch.float64) if draw(st.booleans()) else None,
    }


def example(*, batch: int = 3, classes: int = 5, features: int = 4, size: int = 3, bias: bool = True) -> Problem:
    generator = torch.Generator().manual_seed(0)
    return {
        "features_BFHW": torch.randn(batch, features, size, size, generator=generator),
        "weight_KF": torch.randn(classes, features, generator=generator),
        "labels_B": torch.randint(classes, (batch,), generator=generator),
        "background_BHW": torch.rand(batch, size, size, generator=generator),
        "bias_K": torch.randn(classes, generator=generator) if bias else None,
    }


def loss_of(problem: Problem, **changes: Any) -> Tensor:
    problem = {**problem, **changes}
    names = ("features_BFHW", "weight_KF", "labels_B", "background_BHW")
    return contrastive_cross_entropy(
        *(problem[name] for name in names), **{key: value for key, value in problem.items() if key not in names}
    )


def plain_cross_entropy(problem: Problem) -> Tensor:
    logits_BK = functional.linear(problem["features_BFHW"].mean((2, 3)), problem["weight_KF"], problem["bias_K"])
    return functional.cross_entropy(logits_BK, problem["labels_B"], reduction="none")


def brute_force(problem: Problem, background_weight: float) -> list[float]:
    features, weight = problem["features_BFHW"].tolist(), problem["weight_KF"].tolist()
    bias = [0.0] * len(weight) if problem["bias_K"] is None else problem["bias_K"].tolist()
    losses = []
    for b, c in enumerate(problem["labels_B"].tolist()):
        background = problem["background_BHW"][b].tolist()
        num_cells = len(background) * len(background[0])
        ablated = []
        for k in range(len(weight)):
            inside, outside = bias[c] - bias[k], 0.0
            for i, row in enumerate(background):
                for j, share in enumerate(row):
                    own, rival = (
                        sum(weight[n][f] * features[b][f][i][j] for f in range(len(weight[n]))) / num_cells
                        for n in (c, k)
                    )
                    inside += (1 - share) * (own - rival)
                    outside += abs(share * (own - rival))
            ablated.append(-inside + background_weight * outside)
        losses.append(math.log(sum(math.exp(value) for value in ablated)))
    return losses


@settings(deadline=None, max_examples=60, derandomize=True)
@given(problem=problems(), background_weight=st.sampled_from([0.0, 0.3, 1.0, 2.5]))
def test_equals_a_loop_over_every_class_and_cell(problem: Problem, background_weight: float) -> None:
    expected = torch.tensor(brute_force(problem, background_weight), dtype=torch.float64)
    torch.testing.assert_close(loss_of(problem, background_weight=background_weight), expected, rtol=1e-10, atol=1e-10)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(problem=problems(), background_weight=st.sampled_from([0.0, 0.3, 2.5]), smoothing=st.sampled_from([0.1, 0.9]))
def test_smoothing_mixes_the_losses_with_each_class_as_label(
    problem: Problem, background_weight: float, smoothing: float
) -> None:
    num_classes = len(problem["weight_KF"])
    of_all = [
        brute_force({**problem, "labels_B": torch.full_like(problem["labels_B"], label)}, background_weight)
        for label in range(num_classes)
    ]
    own = brute_force(problem, background_weight)
    expected = [
        (1 - smoothing) * own[b] + smoothing / num_classes * sum(of_label[b] for of_label in of_all)
        for b in range(len(own))
    ]
    found = loss_of(problem, background_weight=background_weight, label_smoothing=smoothing)
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), rtol=1e-10, atol=1e-10)


@settings(deadline=None, max_examples=30, derandomize=True)
@given(problem=problems())
def test_smoothed_without_background_it_is_smoothed_cross_entropy(problem: Problem) -> None:
    logits_BK = functional.linear(problem["features_BFHW"].mean((2, 3)), problem["weight_KF"], problem["bias_K"])
    expected = functional.cross_entropy(logits_BK, problem["labels_B"], reduction="none", label_smoothing=0.2)
    background = torch.zeros_like(problem["background_BHW"])
    found = loss_of(problem, background_BHW=background, label_smoothing=0.2)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


def test_a_smoothed_loss_never_rewards_evidence_on_the_background() -> None:
    """Cross-entropy of the ablated logits with smoothed targets would: it falls as a rival's penalty grows."""
    problem = example(batch=1, classes=3, bias=False)
    problem["background_BHW"] = torch.ones(1, 3, 3)
    scaled = [
        loss_of(problem, features_BFHW=scale * problem["features_BFHW"], background_weight=5.0, label_smoothing=0.3)
        for scale in (0.0, 0.5, 1.0, 2.0)
    ]
    assert [loss.item() for loss in scaled] == sorted(loss.item() for loss in scaled)
    assert scaled[0].item() == pytest.approx(math.log(3))


def test_the_gradient_of_the_smoothed_loss_is_exact() -> None:
    problem = example(batch=2, classes=3, features=2, size=2)
    inputs = [problem[name].double().requires_grad_() for name in ("features_BFHW", "weight_KF", "bias_K")]

    def loss(features: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return loss_of({**problem, "features_BFHW": features, "weight_KF": weight, "bias_K": bias}, label_smoothing=0.2)

    assert torch.autograd.gradcheck(loss, inputs)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(problem=problems(), background_weight=st.sampled_from([0.0, 1.0, 7.0]))
def test_without_background_it_is_cross_entropy(problem: Problem, background_weight: float) -> None:
    single = {
        key: value.float() if torch.is_tensor(value) and key != "labels_B" else value for key, value in problem.items()
    }
    loss_B = loss_of(
        single, background_BHW=torch.zeros_like(single["background_BHW"]), background_weight=background_weight
    )
    torch.testing.assert_close(loss_B, plain_cross_entropy(single), rtol=1e-6, atol=1e-6)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(problem=problems(), background_weight=st.sampled_from([1.0, 1.5, 10.0]))
def test_is_never_less_than_cross_entropy(problem: Problem, background_weight: float) -> None:
    loss_B = loss_of(problem, background_weight=background_weight)
    assert torch.all(loss_B >= plain_cross_entropy(problem) - 1e-9)


def test_without_weight_the_background_is_left_out() -> None:
    problem = example(bias=False)
    changed = problem["features_BFHW"].clone()
    background = (problem["background_BHW"] > 0.5).float()
    changed += 100 * background.unsqueeze(1)
    before = loss_of(problem, background_BHW=background, background_weight=0.0)
    after = loss_of(problem, background_BHW=background, background_weight=0.0, features_BFHW=changed)
    torch.testing.assert_close(after, before)


def parameters_of(problem: Problem) -> tuple[Tensor, ...]:
    tensors = (problem["features_BFHW"], problem["weight_KF"], problem["bias_K"])
    return tuple(tensor.double().requires_grad_() for tensor in tensors)


@pytest.mark.parametrize("background_weight", [0.0, 0.7])
def test_gradient(background_weight: float) -> None:
    problem = example()

    def loss(features: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        changes = {"features_BFHW": features, "weight_KF": weight, "bias_K": bias}
        return loss_of(problem, background_weight=background_weight, **changes)

    assert torch.autograd.gradcheck(loss, parameters_of(problem))


@pytest.mark.parametrize("case", ["equal weights", "zero weights", "zero features", "no background"])
def test_the_gradient_of_an_absolute_value_at_zero_is_zero(case: str) -> None:
    problem = example()
    if case == "equal weights":
        problem["weight_KF"] = problem["weight_KF"][:1].expand(5, -1).clone()
    if case == "zero weights":
        problem["weight_KF"] = torch.zeros_like(problem["weight_KF"])
    if case == "zero features":
        problem["features_BFHW"] = torch.zeros_like(problem["features_BFHW"])
    if case == "no background":
        problem["background_BHW"] = torch.zeros_like(problem["background_BHW"])
    problem["bias_K"] = problem["bias_K"].double()
    penalised, plain = parameters_of(problem)[:2], parameters_of(problem)[:2]
    for (features, weight), background_weight in ((penalised, 1.0), (plain, 0.0)):
        changes = {"features_BFHW": features, "weight_KF": weight}
        loss_of(problem, background_weight=background_weight, **changes).sum().backward()
    torch.testing.assert_close([leaf.grad for leaf in penalised], [leaf.grad for leaf in plain], rtol=0, atol=1e-12)


def test_the_gradient_equals_that_of_the_definition_in_autograd() -> None:
    problem = example(batch=4, classes=50, features=16, size=5)
    fast, slow = parameters_of(problem), parameters_of(problem)
    names = ("features_BFHW", "weight_KF", "bias_K")
    loss_of(problem, **dict(zip(names, fast, strict=True))).mean().backward()
    maps_BKHW = contrastive_cams(hirescam(slow[0], slow[1]), problem["labels_B"])
    background_B1HW = problem["background_BHW"].double().unsqueeze(1)
    ablated_BK = ((background_B1HW * maps_BKHW).abs() - (1 - background_B1HW) * maps_BKHW).sum((2, 3)) + slow[2]
    functional.cross_entropy(ablated_BK, problem["labels_B"]).backward()
    torch.testing.assert_close([leaf.grad for leaf in fast], [leaf.grad for leaf in slow])


def test_a_frozen_trunk_or_head_gets_no_gradient() -> None:
    problem = example(bias=False)
    for trained in ("features_BFHW", "weight_KF"):
        leaf = problem[trained].clone().requires_grad_()
        loss_of(problem, **{trained: leaf}).sum().backward()
        assert torch.count_nonzero(leaf.grad) > 0


def test_under_autocast_it_is_computed_in_float32_forward_and_backward() -> None:
    problem = example(classes=20, features=32, bias=False)
    names = ("features_BFHW", "weight_KF")
    expected, actual = ([problem[name].clone().requires_grad_() for name in names] for _ in range(2))
    loss_of(problem, **dict(zip(names, expected, strict=True))).sum().backward()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss_B = loss_of(problem, **dict(zip(names, actual, strict=True)))
    loss_B.sum().backward()
    torch.testing.assert_close(loss_B, loss_of(problem), rtol=0, atol=0)
    torch.testing.assert_close([leaf.grad for leaf in actual], [leaf.grad for leaf in expected], rtol=0, atol=0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_features_of_half_precision_give_a_close_float32_loss(dtype: torch.dtype) -> None:
    problem = example()
    features = problem["features_BFHW"].to(dtype).requires_grad_()
    loss_B = loss_of(problem, features_BFHW=features)
    loss_B.sum().backward()
    assert loss_B.dtype == torch.float32
    assert features.grad is not None
    assert features.grad.dtype == dtype
    assert features.grad.isfinite().all()
    torch.testing.assert_close(loss_B, loss_of(problem), rtol=0.02, atol=0.02)


def test_a_background_that_rounding_took_past_one_is_accepted() -> None:
    loss_of(example(), background_BHW=torch.full((3, 3, 3), 1 + 1e-6))


def test_arguments_stay_as_they_are() -> None:
    problem = example()
    before = {key: value.clone() for key, value in problem.items()}
    loss_of(problem)
    for key, value in problem.items():
        assert torch.equal(value, before[key])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"features_BFHW": torch.zeros(3, 4)}, r"features have the shape \(3, 4\); expected B,F,H,W"),
        ({"weight_KF": torch.zeros(5, 7)}, r"weight has the shape \(5, 7\); expected K,4"),
        ({"labels_B": torch.zeros(2, dtype=torch.int64)}, r"the shape of labels is \(2,\); expected \(3,\)"),
        ({"labels_B": torch.zeros(3)}, r"labels are torch.float32; expected torch.int64"),
        ({"labels_B": torch.tensor([0, 5, 1])}, r"values of labels lie between 0 and 5; expected 0 to 4"),
        ({"labels_B": torch.tensor([0, -1, 1])}, r"values of labels lie between -1 and 1; expected 0 to 4"),
        ({"background_BHW": torch.zeros(3, 6, 6)}, r"the shape of background is \(3, 6, 6\); expected \(3, 3, 3\)"),
        (
            {"background_BHW": torch.full((3, 3, 3), 1.5)},
            r"values of background lie between 1.5 and 1.5; expected 0 to 1",
        ),
        (
            {"background_BHW": torch.full((3, 3, 3), math.nan)},
            r"values of background lie between nan and nan; expected 0 to 1",
        ),
        ({"bias_K": torch.zeros(4)}, r"the shape of bias is \(4,\); expected \(5,\)"),
        ({"background_weight": -0.1}, r"background_weight = -0.1; expected a finite number of at least 0"),
        ({"background_weight": math.inf}, r"background_weight = inf; expected a finite number of at least 0"),
    ],
)
def test_wrong_arguments_are_named(changes: Problem, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        loss_of(example(), **changes)
