"""Attribution guidance against a loop over every cell, by hand, and in a world of two pixels."""

import math
from typing import Any, get_args

import pytest
import torch
from torch import Tensor

from tests.trainables.losses.problems import MASKS, background_of
from tests.trainables.losses.two_pixels import after_training, terms
from trainables.config import CrossEntropy, Guidance
from trainables.losses import guidance
from trainables.losses.guidance import Guidance as Loss

LOSSES: tuple[Loss, ...] = get_args(Loss)
Problem = tuple[Tensor, Tensor, Tensor]


def problem(mask: str = "soft", *, seed: int = 0, shift: float = 0.0) -> Problem:
    """Return HiResCAMs of four classes, labels and background in float64."""
    generator = torch.Generator().manual_seed(seed)
    cams_BKHW = torch.randn(3, 4, 2, 3, generator=generator, dtype=torch.float64) + shift
    labels_B = torch.randint(4, (3,), generator=generator)
    return cams_BKHW, labels_B, background_of(mask, (3, 2, 3), generator)


def brute_force(cams: list[list[float]], c: int, background: list[float], loss: Loss) -> float:
    cells = [(value, 1 - share) for value, share in zip(cams[c], background, strict=True)]
    num_object = sum(h for _, h in cells)
    if num_object == 0:
        return 0.0
    positive, largest = max(max(value, 0) for value, _ in cells), max(abs(value) for value, _ in cells)
    total = 0.0
    for value, h in cells:
        up = max(value, 0)
        match loss:
            case "energy":
                total += h * up
            case "l1":
                total += abs((up / positive if positive else 0) - h) / len(cells)
            case "ppce":
                total -= h * (math.log(up / positive) if up else -100) / num_object
            case "squares":
                total += (1 - h) * (value / largest) ** 2
    return 1 - total / (sum(max(value, 0) for value, _ in cells) or 1) if loss == "energy" else total


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("shift", [0.0, -5.0, 5.0])
def test_equals_a_loop_over_every_cell(loss: Loss, mask: str, shift: float) -> None:
    """A shift of -5 leaves no positive attribution, and one of 5 no other."""
    for seed in range(3):
        cams_BKHW, labels_B, background_BHW = problem(mask, seed=seed, shift=shift)
        inputs = zip(cams_BKHW.flatten(2).tolist(), labels_B.tolist(), background_BHW.flatten(1).tolist(), strict=True)
        expected = torch.tensor([brute_force(*each, loss) for each in inputs], dtype=torch.float64)
        found = guidance(cams_BKHW, labels_B, background_BHW, loss=loss)
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ("energy", 2 / 7),
        ("l1", (1 / 4 + 1 / 2) / 4),
        ("ppce", (math.log(2) / 2 + 100 / 2) / 2),
        ("squares", 1 / 2 * 1 / 4 + 1 / 16 + 1 / 2 * 9 / 16),
    ],
)
def test_by_hand(loss: Loss, expected: float) -> None:
    """The map is 4, 2, 1, -3 where the object's shares are 1, 1/2, 0, 1/2."""
    cams_BKHW = torch.tensor([[9.0, 9.0, 9.0, 9.0], [4.0, 2.0, 1.0, -3.0]], dtype=torch.float64).view(1, 2, 2, 2)
    background_BHW = torch.tensor([0.0, 0.5, 1.0, 0.5], dtype=torch.float64).view(1, 2, 2)
    assert guidance(cams_BKHW, torch.tensor([1]), background_BHW, loss=loss).item() == pytest.approx(expected)


@pytest.mark.parametrize("loss", LOSSES)
def test_only_the_label_s_own_map_counts(loss: Loss) -> None:
    cams_BKHW, labels_B, background_BHW = problem()
    cams_BKHW.requires_grad_()
    guidance(cams_BKHW, labels_B, background_BHW, loss=loss).sum().backward()
    assert cams_BKHW.grad is not None
    moves_BK = cams_BKHW.grad.flatten(2).any(2)
    assert moves_BK.tolist() == [[k == c for k in range(4)] for c in labels_B.tolist()]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("mask", ["soft", "hard", "mixed"])
def test_gradient(loss: Loss, mask: str) -> None:
    cams_BKHW, labels_B, background_BHW = problem(mask)

    def loss_of(cams: Tensor) -> Tensor:
        return guidance(cams, labels_B, background_BHW, loss=loss)

    # The logarithm of a cell without positive attribution stays at -100, and the largest stays 1.
    assert torch.autograd.gradcheck(loss_of, (cams_BKHW.requires_grad_(),))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("value", [0.0, -1.0, 1e-30])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_maps_without_positive_attribution_are_finite(loss: Loss, value: float, dtype: torch.dtype) -> None:
    cams_BKHW = torch.full((2, 3, 2, 2), value, dtype=dtype, requires_grad=True)
    background_BHW = torch.tensor([0.0, 0.25, 1.0, 1.0]).view(1, 2, 2).expand(2, 2, 2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss_B = guidance(cams_BKHW, torch.tensor([0, 2]), background_BHW, loss=loss)
    loss_B.sum().backward()
    assert loss_B.dtype == torch.float32
    assert cams_BKHW.grad is not None
    assert cams_BKHW.grad.isfinite().all()
    if value <= 0:
        expected = {"energy": 1, "l1": 1.75 / 4, "ppce": 100, "squares": 2.25 * value**2}[loss]
        torch.testing.assert_close(loss_B, torch.full((2,), float(expected)))
        assert loss == "squares" or not cams_BKHW.grad.any()


@pytest.mark.parametrize(
    ("loss", "more_on_object", "more_on_background"),
    [("energy", 1 / 4, 3 / 4), ("l1", 1 / 6, 5 / 6), ("ppce", 0, math.log(3)), ("squares", 1 / 9, 1)],
)
def test_two_pixels_by_hand(loss: Loss, more_on_object: float, more_on_background: float) -> None:
    """The label's map is (3, 1) / 2, and then (1, 3) / 2, in both classes."""
    config = CrossEntropy(guidance=Guidance(weight=2.0, loss=loss))
    assert terms(config, 3, 1)["guidance"] == pytest.approx([2 * more_on_object] * 2)
    assert terms(config, 1, 3)["guidance"] == pytest.approx([2 * more_on_background] * 2)


def test_cross_entropy_keeps_a_shortcut() -> None:
    """Its gradient is the same for both weights, so that they keep their distance."""
    a, b = after_training(CrossEntropy(), 0.5, 1.0)
    assert b - a == pytest.approx(0.5)
    assert a > 1


@pytest.mark.parametrize(("loss", "weight"), [("energy", 2.0), ("l1", 2.0), ("squares", 20.0)])
def test_guidance_gives_up_a_shortcut_weaker_than_the_object(loss: Loss, weight: float) -> None:
    a, b = after_training(CrossEntropy(guidance=Guidance(weight=weight, loss=loss)), 1.0, 0.5)
    assert abs(b) < 0.05
    assert a > 1


@pytest.mark.parametrize("loss", ["energy", "l1"])
def test_energy_and_l1_give_up_one_that_is_stronger(loss: Loss) -> None:
    a, b = after_training(CrossEntropy(guidance=Guidance(weight=2.0, loss=loss)), 0.5, 1.0)
    assert abs(b) < 0.05
    assert a > 1


def test_squares_leave_one_that_is_stronger() -> None:
    """The map is scaled by its largest value, whose square is 1 whatever it is."""
    a, b = after_training(CrossEntropy(guidance=Guidance(weight=20.0, loss="squares")), 0.5, 1.0)
    assert b - a == pytest.approx(0.5)


def test_ppce_asks_the_object_to_be_as_strong_as_anything_and_leaves_the_background() -> None:
    a, b = after_training(CrossEntropy(guidance=Guidance(weight=2.0, loss="ppce")), 0.5, 1.0)
    assert a == pytest.approx(b, abs=0.1)
    assert b > 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cams_BKHW": torch.zeros(3, 4)}, r"maps have the shape \(3, 4\); expected B,K,H,W"),
        ({"labels_B": torch.tensor([0, 4, 1])}, "values of labels lie between 0 and 4; expected 0 to 3"),
        ({"background_BHW": torch.zeros(3, 6, 6)}, r"the shape of background is \(3, 6, 6\); expected \(3, 2, 3\)"),
        ({"loss": "l2"}, "loss = 'l2'; expected one of energy, l1, ppce, squares"),
    ],
)
def test_wrong_arguments_are_named(changes: dict[str, Any], message: str) -> None:
    names = ("cams_BKHW", "labels_B", "background_BHW")
    with pytest.raises(ValueError, match=message):
        guidance(**{**dict(zip(names, problem(), strict=True)), **changes})
