"""How image and mask files are read: turned as EXIF says, within a limit of pixels, whatever their mode."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image

from trainables.config import OxfordPet, SpuriousDigits
from trainables.config.images import MAX_IMAGE_PIXELS
from trainables.data import Draw, ImageError, read_image
from trainables.data.file_reader import FileReader, decode_image, opened, orientation_of
from trainables.data.image_cache import ImageCache
from trainables.data.image_file import ImageFile, MaskSizeError
from trainables.data.image_files import ImageFiles
from trainables.data.image_list import ImageList
from trainables.data.transforms import evaluation_transform

Array = npt.NDArray[Any]
ORIENTATION = 0x0112
# From an upright image to the pixels that are stored with each orientation (EXIF 2.32, 4.6.4): 6 means that the first
# stored row is the right side of the image, and the first stored column its top.
STORED: dict[int, Callable[[Array], Array]] = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a),
    7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
    8: lambda a: np.rot90(a, -1),
}


def save(path: Path, pixels: Array, orientation: int | None = None) -> Path:
    """Write upright pixels so that `orientation` shows them upright."""
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation or 1](pixels)))
    exif = Image.Exif()
    if orientation:
        exif[ORIENTATION] = orientation
    options: dict[str, Any] = {".webp": {"lossless": True}, ".jpg": {"quality": 100, "subsampling": 0}}
    stored.save(path, exif=exif, **options.get(path.suffix, {}))
    return path


def upright() -> Array:
    """Four blocks of 16 x 24 pixels: black and red above, green and white below."""
    colours = np.array([[[0, 0, 0], [255, 0, 0]], [[0, 255, 0], [255, 255, 255]]], dtype=np.uint8)
    return colours.repeat(16, 0).repeat(24, 1)


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("ending", ["png", "tif", "webp", "jpg"])
def test_an_image_is_turned_as_its_orientation_says(tmp_path: Path, orientation: int, ending: str) -> None:
    path = save(tmp_path / f"image.{ending}", upright(), orientation)
    assert orientation_of(path) == orientation
    decoded = decode_image(path, FileReader()).permute(1, 2, 0).numpy()
    if ending == "jpg":
        assert np.abs(decoded.astype(int) - upright()).max() < 40  # Ringing at the blocks' edges.
    else:
        assert np.array_equal(decoded, upright())


@pytest.mark.parametrize("orientation", STORED)
def test_sixteen_bits_are_turned_too(tmp_path: Path, orientation: int) -> None:
    grey_HW = (np.arange(6, dtype=np.uint16) * 257).reshape(2, 3)
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](grey_HW)))
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    stored.save(tmp_path / "grey.png", exif=exif)
    assert decode_image(tmp_path / "grey.png", FileReader())[0].tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize("exif", [b"Exif\0\0", b"Exif\0\0no TIFF header", b"Exif\0\0MM\0\x2a\0\0"])
def test_broken_exif_data_are_no_orientation(tmp_path: Path, exif: bytes) -> None:
    Image.fromarray(upright()).save(tmp_path / "image.png", exif=exif)
    assert np.array_equal(decode_image(tmp_path / "image.png", FileReader()).permute(1, 2, 0).numpy(), upright())


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("mask_is_turned", [False, True])
def test_a_mask_fits_its_image_with_an_orientation_and_without(
    tmp_path: Path, orientation: int, mask_is_turned: bool
) -> None:
    """The object is the red block; the mask was made of the upright image, and is stored upright or as the image is."""
    mask_HW = np.zeros((32, 48), dtype=np.uint8)
    mask_HW[:16, 24:] = 1
    images = files_of(
        tmp_path,
        save(tmp_path / "image.png", upright(), orientation),
        save(tmp_path / "mask.png", mask_HW, orientation if mask_is_turned else None),
    )
    batch = images.__getitems__([Draw(0, 0)])
    is_red_HW = (batch.images_BCHW[0] == torch.tensor([1.0, 0, 0])[:, None, None]).all(0)
    assert torch.equal(batch.background_BHW[0] == 0, is_red_HW)
    assert is_red_HW.sum() == 16 * 16  # Of the central square, which is 32 wide.


def files_of(folder: Path, image: Path, mask: Path) -> ImageFiles:
    return ImageFiles(
        ImageList([ImageFile(image, mask, 0, "a")], folder),
        class_names=("a",),
        image_size=32,
        transform=evaluation_transform(32),
    )


@pytest.mark.parametrize("turned", ["image", "mask"])
def test_a_mask_on_its_side_is_named_with_the_reason(tmp_path: Path, turned: str) -> None:
    """One of the two has an orientation although both were stored upright."""
    mask_HW = np.ones((32, 48), dtype=np.uint8)
    paths = {"image": tmp_path / "image.png", "mask": tmp_path / "mask.png"}
    for name, pixels in (("image", upright()), ("mask", mask_HW)):
        exif = Image.Exif()
        exif[ORIENTATION] = 8 if name == turned else 1
        Image.fromarray(pixels).save(paths[name], exif=exif)
    other = "mask" if turned == "image" else "image"
    message = (
        rf"mask\.png has shape \(.*, but its image .*; the EXIF orientation of .*{turned}\.png turns it and not its "
        rf"{other}: turn both, or remove the orientation"
    )
    with pytest.raises(MaskSizeError, match=message):
        files_of(tmp_path, paths["image"], paths["mask"]).whole(0)


def test_explain_reads_an_image_as_training_does(tmp_path: Path) -> None:
    path = save(tmp_path / "image.png", upright(), 6)
    batch = read_image(path, OxfordPet(root="/d", image_size=32))
    assert batch.images_BCHW[0, :, 0, 0].tolist() == [0, 0, 0]
    assert batch.images_BCHW[0, :, 0, 31].tolist() == [1, 0, 0]
    assert batch.images_BCHW[0, :, 31, 0].tolist() == [0, 1, 0]


@pytest.mark.parametrize("cached", [False, True])
def test_a_decompression_bomb_is_one_line_and_a_setting_raises_the_limit(tmp_path: Path, cached: bool) -> None:
    cache = ImageCache(tmp_path / "cache", 0) if cached else None
    path = tmp_path / "bomb.png"
    Image.new("L", (100, 60)).save(path)
    message = (
        rf"^{path} cannot be read \(it has 100 x 60 pixels, more than data\.max_image_pixels = 5999; "
        r"set data\.max_image_pixels higher, or save it smaller\)$"
    )
    with pytest.raises(ImageError, match=message):
        decode_image(path, FileReader(cache, 5999))
    assert decode_image(path, FileReader(cache, 6000)).shape == (3, 60, 100)


def test_the_limit_stands_in_for_that_of_pillow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow would refuse the image, and is left with its own limit afterwards."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    Image.new("L", (100, 60)).save(tmp_path / "large.png")
    assert decode_image(tmp_path / "large.png", FileReader()).shape == (3, 60, 100)
    with pytest.raises(ImageError, match=r"more than data\.max_image_pixels = 5;"):
        decode_image(tmp_path / "large.png", FileReader(max_pixels=5))
    assert Image.MAX_IMAGE_PIXELS == 10


def test_threads_leave_pillow_its_limit(tmp_path: Path) -> None:
    """The one that opened its file first is also the first to close it."""
    path, limit = tmp_path / "a.png", Image.MAX_IMAGE_PIXELS
    Image.new("L", (2, 2)).save(path)
    first, second = opened(path, ".png"), opened(path, ".png")
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert Image.MAX_IMAGE_PIXELS is None
    second.__exit__(None, None, None)
    assert limit is not None
    assert limit == Image.MAX_IMAGE_PIXELS


def test_the_default_is_what_pillow_refuses() -> None:
    assert Image.MAX_IMAGE_PIXELS is not None
    assert MAX_IMAGE_PIXELS == 2 * Image.MAX_IMAGE_PIXELS == SpuriousDigits().max_image_pixels


def test_a_jpeg_of_inks_is_read_in_colour(tmp_path: Path) -> None:
    """Cyan and yellow ink make green; black ink alone makes black."""
    inks = np.array([[[255, 0, 255, 0], [0, 0, 0, 255]]], dtype=np.uint8).repeat(16, 0).repeat(16, 1)
    Image.fromarray(inks, "CMYK").save(tmp_path / "inks.jpg", quality=100)
    decoded = decode_image(tmp_path / "inks.jpg", FileReader())
    assert decoded[:, 8, 4].tolist() == [0, 255, 0]
    assert decoded[:, 8, 28].tolist() == [0, 0, 0]


def test_a_grey_jpeg_is_read_in_three_equal_colours(tmp_path: Path) -> None:
    Image.new("L", (16, 16), 77).save(tmp_path / "grey.jpg", quality=100)
    assert torch.equal(
        decode_image(tmp_path / "grey.jpg", FileReader()), torch.full((3, 16, 16), 77, dtype=torch.uint8)
    )
