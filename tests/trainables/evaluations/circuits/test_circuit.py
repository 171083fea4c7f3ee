"""The order in which circuits get their nodes."""

import torch

from trainables.evaluations.circuits.circuit import balanced_order


def test_each_stage_keeps_about_the_same_share_of_its_values() -> None:
    """Above the nodes of the first stage lie 0, 1/2, 3/4 of it, above those of the second 6/10, 0, 9/10."""
    values = [torch.tensor([2.0, 1.0, 1.0]), torch.tensor([30.0, 60.0, 10.0])]
    assert balanced_order(values).tolist() == [0, 4, 1, 3, 2, 5]


def test_nodes_of_no_value_come_last() -> None:
    assert balanced_order([torch.tensor([0.0, 1.0, 0.0]), torch.tensor([0.0, 1.0, 1.0])]).tolist() == [1, 4, 5, 0, 2, 3]


def test_a_stage_without_any_value_is_no_error() -> None:
    assert balanced_order([torch.zeros(2)]).tolist() == [0, 1]
