"""Whether masks fit, on images of a few pixels."""

import numpy as np
import pytest
import torch
from PIL import Image

from orchestrator.data.alignment import EXIF_TURNS, Fit, edge_contrast, fit_after, needed_rotation
from trainables.data.file_reader import TURNS


def test_edge_contrast_by_hand() -> None:
    """The object is the left column; its edge crosses steps of 0.5 and 0.25 in one of three colours."""
    image_CHW = torch.zeros(3, 2, 2)
    image_CHW[0] = torch.tensor([[0.5, 0.0], [0.0, 0.25]])
    background_HW = torch.tensor([[0.0, 1.0], [0.0, 1.0]])
    assert edge_contrast(image_CHW, background_HW) == pytest.approx((0.5 + 0.25) / 3 / 2)
    assert edge_contrast(image_CHW, torch.ones(2, 2)) == 0


@pytest.mark.parametrize("orientation", TURNS)
def test_turns_are_those_of_images(orientation: int) -> None:
    pixels = np.arange(9, dtype=np.uint8).reshape(3, 3)
    expected = np.array(Image.fromarray(pixels).transpose(TURNS[orientation]))
    assert torch.equal(EXIF_TURNS[orientation](torch.tensor(pixels)), torch.tensor(expected))


@pytest.mark.parametrize(("better", "num", "turned"), [(9, 9, True), (8, 8, False), (10, 12, False), (15, 20, False)])
def test_chance_is_ruled_out(better: int, num: int, turned: bool) -> None:
    """Half of a hundredth, for three rotations: (1/2)^9 = 0.002 is below 0.0033 and (1/2)^8 = 0.0039 is not."""
    assert Fit(better, num).is_turned is turned


@pytest.mark.parametrize("quarters", range(4))
def test_the_rotation_that_masks_need_is_found(quarters: int) -> None:
    """Each image has a bright corner; the masks show it before the images were turned."""
    masks_BHW = torch.ones(9, 8, 8)
    masks_BHW[:, :3, :2] = 0
    images_BCHW = (1 - masks_BHW).rot90(quarters, (-2, -1)).unsqueeze(1).expand(-1, 3, -1, -1)
    found = needed_rotation(images_BCHW, masks_BHW)
    assert found == (None if quarters == 0 else (90 * quarters, Fit(9, 9)))


def test_masks_without_an_edge_do_not_count() -> None:
    assert fit_after([EXIF_TURNS[6]] * 2, torch.rand(2, 3, 4, 4), torch.ones(2, 4, 4)) == Fit(0, 0)
