"""The contact sheet of a data set: what it chooses, and where it draws an outline."""

import torch

from orchestrator.data.contact_sheet import choose, evenly, with_outline


def test_a_few_of_each_class_are_chosen_class_by_class() -> None:
    labels = [(index, index % 2) for index in range(12)]
    assert choose(labels) == [0, 4, 8, 1, 5, 9]
    assert choose([(index, index) for index in range(24)]) == list(range(0, 24, 2))


def test_evenly_spaced_items() -> None:
    assert evenly([5, 6, 7, 8, 9], 2) == [5, 7]
    assert evenly([5, 6], 3) == [5, 6]


def test_an_outline_has_a_line_inside_the_object_and_a_rim_around_it() -> None:
    background_HW = torch.ones(5, 5)
    background_HW[1:4, 1:4] = 0
    drawn_CHW = with_outline(torch.full((3, 5, 5), 0.25), background_HW)
    line_HW = (drawn_CHW == torch.tensor([1.0, 0.0, 1.0])[:, None, None]).all(0)
    rim_HW = (drawn_CHW == 1).all(0)
    expected_HW = background_HW == 0
    expected_HW[2, 2] = False
    assert torch.equal(line_HW, expected_HW)
    assert torch.equal(rim_HW, background_HW == 1)
    assert drawn_CHW[:, 2, 2].tolist() == [0.25] * 3
