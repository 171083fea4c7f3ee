"""A mask stays on its image at every size, for every way from a file to a batch."""

import math
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image
from pydantic import TypeAdapter
from torch import Tensor
from torchvision import tv_tensors

from tests.trainables import voc_tree
from tests.trainables.imagenet_tree import write_ids
from trainables.config import Augmentation, DataConfig
from trainables.config.data import KINDS_WITH_MASKS
from trainables.config.sets import SETS_WITH_MASKS
from trainables.data import Draw, build_data
from trainables.data.masks.mask_format import BACKGROUND, IGNORED, OBJECT
from trainables.data.transforms import Transform, evaluation_transform, resize_mask, training_transform

Object = npt.NDArray[np.bool_]
SIDE, NUM = 240, 6
SIZES = {160: "3 to 2", 120: "2 to 1", 90: "8 to 3", 60: "4 to 1", 320: "3 to 4"}
"""Sizes to which images of 240 x 240 pixels are resized, and what the ratio is."""
TOLERANCE = 0.08
"""In pixels, of the mean over ellipses whose edges lie anywhere; the mode `nearest` is off by 0.25 to 0.5."""


def ellipse(seed: int) -> Object:
    """Return where an object is: anywhere in the middle, and large enough for its centroid to be exact."""
    top, left, height, width = np.random.default_rng(seed).uniform((90, 90, 30, 30), (150, 150, 60, 60))
    rows_H1, columns_W = np.arange(SIDE)[:, None] + 0.5, np.arange(SIDE) + 0.5
    inside: Object = ((rows_H1 - top) / height) ** 2 + ((columns_W - left) / width) ** 2 < 1
    return inside


def centroid(share_HW: Tensor) -> Tensor:
    """Return the mean row and column, weighted by the share of each pixel."""
    rows_P, columns_P = share_HW.nonzero(as_tuple=True)
    weights_P = share_HW[rows_P, columns_P].double()
    return torch.stack([(weights_P * rows_P).sum(), (weights_P * columns_P).sum()]) / weights_P.sum()


def save(image_HW: npt.NDArray[Any], path: Path) -> None:
    """Write without loss, whatever the name ends with."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image_HW).save(path, format="PNG")


def white(object_HW: Object) -> npt.NDArray[np.uint8]:
    """Return the image that is white where the object is, and black elsewhere."""
    return np.repeat(255 * object_HW[..., None], 3, axis=2).astype(np.uint8)


def write_pets(root: Path, split: str, number: int, object_HW: Object) -> None:
    name = f"beagle_{number}{'0' if split == 'train' else '1'}"
    listed = root / "oxford-iiit-pet" / "annotations" / ("trainval.txt" if split == "train" else "test.txt")
    listed.parent.mkdir(parents=True, exist_ok=True)
    with listed.open("a") as lines:
        lines.write(f"{name} 5 2 4\n")
    save(white(object_HW), root / "oxford-iiit-pet" / "images" / f"{name}.jpg")
    save((2 - object_HW).astype(np.uint8), listed.parent / "trimaps" / f"{name}.png")


def write_voc(root: Path, split: str, number: int, object_HW: Object) -> None:
    folder, stem = root / "VOCdevkit" / "VOC2012", f"{split}_{number}"
    voc_tree.write_list(folder, split, {f"{split}_{earlier}": None for earlier in range(number + 1)})
    voc_tree.write_mask(folder / "SegmentationClass" / f"{stem}.png", (voc_tree.CAT * object_HW).astype(np.uint8))
    save(white(object_HW), folder / "JPEGImages" / f"{stem}.jpg")


def write_imagenet_s(root: Path, split: str, number: int, object_HW: Object) -> None:
    folder = root / "ImageNetS" / ("train-semi" if split == "train" else "validation")
    (root / "ImageNetS").mkdir(exist_ok=True)
    (root / "ImageNetS" / "ImageNetS_categories_im1.txt").write_text("n01\n")
    save(white(object_HW), folder / "n01" / f"{number}.JPEG")
    write_ids(folder.with_name(f"{folder.name}-segmentation") / "n01" / f"{number}.png", object_HW.astype(np.int64))


def write_hard_imagenet(root: Path, split: str, number: int, object_HW: Object) -> None:
    save(white(object_HW), root / "imagenet" / split / "n01" / f"{number}.JPEG")
    save((255 * object_HW).astype(np.uint8), root / "hardImageNet" / split / f"n01_{number}.JPEG")


KINDS: dict[str, tuple[Callable[[Path, str, int, Object], None], dict[str, Any]]] = {
    "oxford_pet": (write_pets, {}),
    "pascal_voc": (write_voc, {}),
    "imagenet_s": (write_imagenet_s, {"folder": "ImageNetS", "train": "train-semi"}),
    "hard_imagenet": (write_hard_imagenet, {}),
}


def test_every_kind_with_masks_in_files_is_here() -> None:
    """Published sets are read as tables, whose masks have their own tests, and SBD as PASCAL VOC."""
    assert set(KINDS) == KINDS_WITH_MASKS - {"spurious_digits", "sbd"} - SETS_WITH_MASKS


@pytest.mark.parametrize("kind", KINDS)
def test_objects_of_a_batch_are_where_its_images_show_them(kind: str, tmp_path: Path) -> None:
    write, fields = KINDS[kind]
    for number in range(NUM):
        write(tmp_path, "train", number, ellipse(number))
        write(tmp_path, "val", number, ellipse(NUM + number))
    for size in SIZES:
        tree = {"kind": kind, "root": str(tmp_path), "image_size": size, "validation": {"source": "held_out"}, **fields}
        data = build_data(TypeAdapter(DataConfig).validate_python(tree))
        for images in (data.train, data.train_unaugmented, data.val):
            batch = images.__getitems__([Draw(index, seed=index) for index in range(NUM)])
            assert batch.has_mask_B.all()
            off = [
                centroid(1 - background_HW) - centroid(image_CHW[0])
                for image_CHW, background_HW in zip(batch.images_BCHW, batch.background_BHW, strict=True)
            ]
            assert torch.stack(off).mean(0).tolist() == pytest.approx([0, 0], abs=TOLERANCE), (size, images)


TRANSFORMS: dict[str, Callable[[int], Transform]] = {
    "evaluation": evaluation_transform,
    "crop and flip": lambda size: training_transform(size, Augmentation(crop_scale_min=0.5)),
    "only flip": lambda size: training_transform(size, Augmentation(crop_scale_min=1)),
}


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("size", SIZES, ids=SIZES.get)
def test_a_transform_moves_no_mask_off_its_image(name: str, size: int) -> None:
    off = []
    for seed in range(20):
        object_HW = torch.from_numpy(ellipse(seed))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            image = tv_tensors.Image(255 * object_HW.expand(3, -1, -1).to(torch.uint8))
            image_CHW, mask_HW = TRANSFORMS[name](size)(image, tv_tensors.Mask(object_HW.to(torch.uint8)))
        assert mask_HW is not None
        off.append(centroid(mask_HW.as_subclass(Tensor)) - centroid(image_CHW.as_subclass(Tensor)[0]))
    assert torch.stack(off).mean(0).tolist() == pytest.approx([0, 0], abs=TOLERANCE)


def test_at_half_the_size_a_centre_between_two_labels_takes_the_lower_on_either_side() -> None:
    """Odd edges: of the pairs of pixels both the one that an object begins in and the one it ends in are object."""
    row_W = torch.tensor([1, 0, 0, 0, 0, 1, 1, 1, 255, 1, 255, 255], dtype=torch.uint8)
    assert resize_mask(row_W.expand(2, -1), (1, 6)).tolist() == [[0, 0, 0, 1, 1, 255]]
    assert resize_mask(row_W.flip(0).expand(2, -1), (1, 6)).tolist() == [[255, 1, 1, 0, 0, 0]]


@pytest.mark.parametrize("size", SIZES, ids=SIZES.get)
def test_labels_are_never_blended(size: int) -> None:
    labels = torch.tensor([OBJECT, BACKGROUND, IGNORED], dtype=torch.uint8)
    mask_HW = labels[torch.randint(3, (SIDE, SIDE), generator=torch.Generator().manual_seed(0))]
    assert resize_mask(mask_HW, (size, size)).unique().tolist() == [OBJECT, BACKGROUND, IGNORED]
    assert (resize_mask(torch.full((SIDE, SIDE), IGNORED, dtype=torch.uint8), (size, size)) == IGNORED).all()


@pytest.mark.parametrize(("length", "new"), [(7, 5), (8, 4), (9, 3), (9, 6), (5, 7), (4, 4), (1, 3), (500, 224)])
def test_each_pixel_has_the_label_at_its_centre(length: int, new: int) -> None:
    mask_HW = torch.randint(256, (length, length), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    centres = [Fraction(2 * index + 1, 2) * length / new for index in range(new)]
    after, before = [int(centre) for centre in centres], [math.ceil(centre) - 1 for centre in centres]
    expected_HW = torch.minimum(mask_HW[after][:, after], mask_HW[before][:, before])
    assert torch.equal(resize_mask(mask_HW, (new, new)).as_subclass(Tensor), expected_HW)
