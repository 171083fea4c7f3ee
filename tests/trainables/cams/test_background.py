"""Masks on the grid of the map."""

import pytest
import torch

from trainables.cams import reduce_background, reduce_classes


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


def test_each_class_has_its_own_object_and_background_by_hand() -> None:
    """Three classes, of which the last is not there; 255 is neither object nor background."""
    classes = torch.tensor([[[1, 1, 2, 0], [1, 0, 2, 2], [255, 255, 0, 255], [255, 255, 2, 2]]], dtype=torch.uint8)
    object_BKHW, background_BKHW = reduce_classes(classes, 3, (2, 2))
    nothing = [[0.0, 0.0], [0.0, 0.0]]
    assert object_BKHW.tolist() == [[[[0.75, 0.0], [0.0, 0.0]], [[0.0, 0.75], [0.0, 0.5]], nothing]]
    known = [[1.0, 1.0], [0.0, 0.75]]
    assert background_BKHW.tolist() == [[[[0.25, 1.0], [0.0, 0.75]], [[1.0, 0.25], [0.0, 0.25]], known]]


@pytest.mark.parametrize("size", [(5, 7), (3, 2), (2, 3)])
def test_shares_of_classes_are_reduced_as_a_background_is(size: tuple[int, int]) -> None:
    """The grid divides neither side of the second and third."""
    classes = torch.randint(5, (2, 5, 7), generator=torch.Generator().manual_seed(0))
    classes[classes == 4] = 255
    object_BKHW, background_BKHW = reduce_classes(classes.to(torch.uint8), 3, size)
    for k in range(3):
        own, known = classes == k + 1, classes != 255
        torch.testing.assert_close(object_BKHW[:, k], reduce_background(own.float(), size))
        torch.testing.assert_close(background_BKHW[:, k], reduce_background((known & ~own).float(), size))
    assert background_BKHW.min() >= 0
