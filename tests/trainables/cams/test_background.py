"""Masks on the grid of the map."""

import torch

from trainables.cams import reduce_background


def test_cells_hold_their_share_of_background() -> None:
    background = torch.tensor(
        [[[1.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 0.0, 1.0]]]
    )
    assert torch.equal(reduce_background(background, (2, 2)), torch.tensor([[[0.75, 0.0], [1.0, 0.75]]]))


def test_sizes_that_do_not_divide_share_their_border_pixels() -> None:
    background = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    # Rows 0..1 onto 2, columns 0..2 onto 2: the middle column belongs to both.
    assert torch.equal(reduce_background(background, (2, 2)), torch.tensor([[[0.5, 0.0], [0.5, 0.5]]]))


def test_pure_background_and_pure_object_stay_pure() -> None:
    for value in (0.0, 1.0):
        full = torch.full((2, 50, 45), value)
        assert torch.equal(reduce_background(full, (7, 6)), torch.full((2, 7, 6), value))


def test_the_argument_stays_as_it_is() -> None:
    background = torch.rand(1, 6, 6)
    before = background.clone()
    reduce_background(background, torch.zeros(1, 1, 3, 3).shape[-2:])
    assert torch.equal(background, before)
