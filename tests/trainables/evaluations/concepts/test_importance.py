"""Importance by hand, and that it sums to the logits of the reconstruction."""

from math import nan

import pytest
import torch

from trainables.evaluations.concepts.importance import (
    background_shares,
    class_amounts,
    class_importance,
    head_of_concepts,
    margin_importance,
    object_shares,
    reconstructed_logits,
)

HEAD = torch.tensor([[3.0, 0.0, 0.0], [-1.0, 1.0, 3.0]], dtype=torch.float64)
"""Two concepts and three classes."""
AMOUNTS = torch.tensor([[2.0, 0.0], [4.0, 1.0], [0.0, 6.0]], dtype=torch.float64)
LABELS = torch.tensor([0, 0, 2])


def test_importance_sums_to_the_logits_of_the_reconstruction() -> None:
    generator = torch.Generator().manual_seed(0)
    dictionary_JF = torch.randn(5, 8, generator=generator, dtype=torch.float64)
    weight_KF, bias_K = torch.randn(4, 8, generator=generator), torch.randn(4, generator=generator)
    activations_NJHW = torch.rand(6, 5, 3, 2, generator=generator, dtype=torch.float64)
    features_NFHW = torch.einsum("njhw,jf->nfhw", activations_NJHW, dictionary_JF)
    expected_NK = features_NFHW.mean((2, 3)) @ weight_KF.double().T + bias_K.double()
    head_JK, amounts_NJ = head_of_concepts(dictionary_JF, weight_KF), activations_NJHW.mean((2, 3))
    importance_NJK = amounts_NJ.unsqueeze(2) * head_JK
    for found_NK in (importance_NJK.sum(1) + bias_K.double(), reconstructed_logits(amounts_NJ, head_JK, bias_K)):
        torch.testing.assert_close(found_NK, expected_NK, rtol=1e-12, atol=1e-12)
    without_NK = reconstructed_logits(amounts_NJ, head_JK, None)
    torch.testing.assert_close(without_NK, expected_NK - bias_K.double(), rtol=1e-12, atol=1e-12)


def test_importance_for_a_margin_by_hand() -> None:
    found = margin_importance(AMOUNTS, HEAD, torch.tensor([0, 1, 2]), torch.tensor([2, 0, 1]))
    assert found.tolist() == [[2 * 3, 0], [4 * -3, 1 * 2], [0, 6 * 2]]


def test_importance_for_a_class_by_hand() -> None:
    """The means over the classes are 1 and 1, so that the concepts have (2, -1, -1) and (-2, 0, 2) to add."""
    found = class_importance(AMOUNTS, HEAD, LABELS)
    assert found.tolist() == [[3 * 2, 0.5 * -2], [pytest.approx(nan, nan_ok=True)] * 2, [0, 6 * 2]]
    amounts = class_amounts(AMOUNTS, LABELS, 3).tolist()
    assert amounts == [[3, 0.5], [pytest.approx(nan, nan_ok=True)] * 2, [0, 6]]


ACTIVATIONS = torch.tensor([[[[1.0, 3.0]], [[0.0, 0.0]]], [[[2.0, 2.0]], [[0.0, 0.0]]]], dtype=torch.float64)
"""Two images of two cells; the second concept is never active."""
BACKGROUND = torch.tensor([[[1.0, 0.0]], [[0.5, 0.0]]], dtype=torch.float64)


def test_the_share_on_the_object_by_hand() -> None:
    assert object_shares(ACTIVATIONS, BACKGROUND).tolist() == [(3 + 1 + 2) / 8, pytest.approx(nan, nan_ok=True)]
    assert object_shares(ACTIVATIONS[:0], BACKGROUND[:0]).isnan().all()


def test_the_share_on_the_background_counts_both_signs() -> None:
    activations = ACTIVATIONS.clone()
    activations[1, 1] = torch.tensor([[4.0, 0.0]])
    found = background_shares(activations, torch.tensor([[-2.0, 9.0], [1.0, -3.0]], dtype=torch.float64), BACKGROUND)
    assert found.tolist() == [2 / 8, (0.5 * 2 + 0.5 * 12) / (4 + 12)]
    assert background_shares(activations, torch.zeros(2, 2, dtype=torch.float64), BACKGROUND).isnan().all()
