"""Deletion of concepts on images that can be worked out by hand."""

import torch
from torch import Tensor

from trainables.evaluations.concepts.measures import area_under, deletion_curve, random_orders

HEAD = torch.tensor([[1.0, -1.0], [0.0, 2.0]], dtype=torch.float64)
AMOUNTS = torch.tensor([[2.0, 1.0]], dtype=torch.float64)
LOGITS = torch.tensor([[3.5, 1.0]], dtype=torch.float64)
"""The first concept adds (2, -2), the second (0, 2); without them, (1.5, 1) is left."""


def curve(*order: int) -> Tensor:
    return deletion_curve(LOGITS, AMOUNTS, HEAD, torch.tensor([order]))


def test_by_hand() -> None:
    """Without the first the logits are (1.5, 3), without the second (3.5, -1)."""
    assert curve(0, 1).tolist() == [[True, False, True]]
    assert curve(1, 0).tolist() == [[True, True, True]]
    assert area_under(curve(0, 1)).tolist() == [0.25 + 0.25]
    assert area_under(curve(1, 0)).tolist() == [1.0]


def test_each_image_has_its_own_order() -> None:
    found = deletion_curve(LOGITS.repeat(2, 1), AMOUNTS.repeat(2, 1), HEAD, torch.tensor([[0, 1], [1, 0]]))
    assert found.tolist() == [[True, False, True], [True, True, True]]


def test_nothing_is_changed_that_was_given() -> None:
    before = AMOUNTS.clone()
    curve(0, 1)
    assert torch.equal(AMOUNTS, before)


def test_it_equals_features_without_the_concept() -> None:
    """The network on `A - sum_j U_j D_j` of the deleted concepts."""
    generator = torch.Generator().manual_seed(0)
    dictionary_JF = torch.randn(3, 6, generator=generator, dtype=torch.float64)
    weight_KF = torch.randn(4, 6, generator=generator, dtype=torch.float64)
    activations_NJP = torch.rand(20, 3, 5, generator=generator, dtype=torch.float64)
    features_NFP = torch.einsum("njp,jf->nfp", activations_NJP, dictionary_JF)
    features_NFP += 0.3 * torch.randn(features_NFP.shape, generator=generator, dtype=torch.float64)
    order_NJ = random_orders(activations_NJP.mean(2), generator)
    logits_NK = features_NFP.mean(2) @ weight_KF.T
    found_NL = deletion_curve(logits_NK, activations_NJP.mean(2), dictionary_JF @ weight_KF.T, order_NJ)
    assert not found_NL.all()
    for image in range(20):
        left_FP = features_NFP[image].clone()
        for deleted, concept in enumerate(order_NJ[image].tolist(), start=1):
            left_FP -= torch.outer(dictionary_JF[concept], activations_NJP[image, concept])
            label = (weight_KF @ left_FP.mean(1)).argmax()
            assert found_NL[image, deleted] == (label == logits_NK[image].argmax())


def test_random_orders_hold_each_concept_once() -> None:
    orders = random_orders(torch.zeros(50, 6), torch.Generator().manual_seed(0))
    assert orders.sort(1).values.tolist() == [list(range(6))] * 50
    assert len(set(map(tuple, orders.tolist()))) > 40
    assert torch.equal(orders, random_orders(torch.zeros(50, 6), torch.Generator().manual_seed(0)))
