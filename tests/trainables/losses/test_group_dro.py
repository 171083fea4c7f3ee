"""GroupDRO against a loop over images in float64, and against weights worked out by hand."""

import math

import pytest
import torch
from torch import Tensor

from trainables.losses import first_log_weights, group_sums, image_weights, next_log_weights

STEP = 0.3
NUM_GROUPS = 4
"""Of which the last has no training image."""


def batches(num: int) -> list[tuple[Tensor, Tensor]]:
    """Return losses and groups of batches; the second has no image of group 0."""
    generator = torch.Generator().manual_seed(0)
    losses = [3 * torch.rand(8, dtype=torch.float64, generator=generator) for _ in range(num)]
    groups = [torch.randint(int(number == 1), 3, (8,), generator=generator) for number in range(num)]
    return list(zip(losses, groups, strict=True))


def by_loop(q: list[float], losses: list[float], groups: list[int]) -> tuple[list[float], float]:
    """Return the weights of groups after a step, and its loss."""
    means = []
    for group in range(len(q)):
        own = [loss for loss, other in zip(losses, groups, strict=True) if other == group]
        means.append(sum(own) / len(own) if own else 0.0)
    q = [weight * math.exp(STEP * mean) for weight, mean in zip(q, means, strict=True)]
    q = [weight / sum(q) for weight in q]
    return q, sum(weight * mean for weight, mean in zip(q, means, strict=True))


def test_weights_and_loss_are_those_of_a_loop() -> None:
    log_weights_G = first_log_weights(torch.tensor([5, 1, 9, 0])).double()
    q = [1 / 3, 1 / 3, 1 / 3, 0.0]
    for losses_B, groups_B in batches(6):
        q, loss = by_loop(q, losses_B.tolist(), groups_B.tolist())
        sums_2G = group_sums(losses_B, groups_B, NUM_GROUPS)
        log_weights_G = next_log_weights(log_weights_G, sums_2G, step_size=STEP)
        assert log_weights_G.exp().tolist() == pytest.approx(q, rel=1e-12)
        weighted_B = image_weights(log_weights_G, sums_2G, groups_B) * losses_B
        assert weighted_B.mean().item() == pytest.approx(loss, rel=1e-12)


def test_a_step_worked_out_by_hand() -> None:
    """Losses of 2 and 4 in group 0, and of ln 2 / 0.3 in group 1: q is exp(.9) to 2, and the weights sum to 1."""
    losses_B, groups_B = torch.tensor([2.0, 4.0, math.log(2) / STEP]), torch.tensor([0, 0, 1])
    sums_2G = group_sums(losses_B, groups_B, 2)
    assert sums_2G.tolist() == [[6.0, pytest.approx(math.log(2) / STEP)], [2.0, 1.0]]
    weights_G = next_log_weights(first_log_weights(torch.tensor([1, 1])), sums_2G, step_size=STEP).exp()
    assert weights_G.tolist() == pytest.approx([math.exp(0.9) / (math.exp(0.9) + 2), 2 / (math.exp(0.9) + 2)])


def test_large_losses_leave_weights_finite() -> None:
    sums_2G = torch.tensor([[1e5, 1e4], [1.0, 1.0]])
    weights_G = next_log_weights(first_log_weights(torch.tensor([1, 1])), sums_2G, step_size=1.0).exp()
    assert weights_G.tolist() == [1.0, 0.0]


def test_the_gradient_is_that_of_the_weighted_loss() -> None:
    """The weights follow from the losses, and carry no gradient: each loss has q_g / n_g."""
    (losses_B, groups_B) = batches(1)[0]
    sums_2G = group_sums(losses_B, groups_B, NUM_GROUPS)
    log_weights_G = next_log_weights(first_log_weights(torch.ones(NUM_GROUPS)).double(), sums_2G, step_size=STEP)
    weights_B = image_weights(log_weights_G, sums_2G, groups_B)
    losses_B.requires_grad_()
    assert torch.autograd.gradcheck(lambda values: (weights_B * values).mean(), losses_B)
    (gradient_B,) = torch.autograd.grad((weights_B * losses_B).mean(), losses_B)
    torch.testing.assert_close(gradient_B, (log_weights_G.exp() / sums_2G[1].clamp(min=1))[groups_B])
