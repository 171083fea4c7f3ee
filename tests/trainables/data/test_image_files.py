import logging
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from trainables.data import Batch, Draw, ImageError
from trainables.data.image_file import ImageFile, image_ids
from trainables.data.image_files import ImageFiles
from trainables.data.image_list import ImageList
from trainables.data.transforms import evaluation_transform


def save(path: Path, pixels: np.ndarray) -> Path:
    Image.fromarray(pixels.astype(np.uint8)).save(path)
    return path


def image_files(folder: Path, *listed: ImageFile, on_error: str = "raise", size: int = 32) -> ImageFiles:
    return ImageFiles(
        ImageList(listed, folder),
        class_names=("a", "b"),
        image_size=size,
        transform=evaluation_transform(size),
        on_error=on_error,  # type: ignore[arg-type]
    )


def fetch(dataset: ImageFiles) -> Batch:
    return dataset.__getitems__([Draw(index, 0) for index in range(len(dataset))])


@pytest.fixture
def good(tmp_path: Path) -> ImageFile:
    return ImageFile(save(tmp_path / "good.png", np.full((32, 32, 3), 51)), None, 1, "good")


def broken(folder: Path, how: str) -> ImageFile:
    """An image that cannot be used, for one of several reasons."""
    path = folder / f"{how}.jpg"
    whole = save(folder / "whole.jpg", np.random.default_rng(0).integers(0, 256, (64, 64, 3))).read_bytes()
    contents = {"truncated": whole[: len(whole) // 2], "empty": b"", "text": b"<html>not found</html>"}
    if how in contents:
        path.write_bytes(contents[how])
    if how == "pipe":
        os.mkfifo(path)
    if how == "loop":
        path.symlink_to(path)
    mask = save(folder / "mask.png", np.ones((16, 32))) if how == "mask size" else None
    if how == "mask missing":
        mask = folder / "nowhere.png"
    if how == "mask pipe":
        mask = folder / "pipe.png"
        os.mkfifo(mask)
    if how.startswith("mask"):
        save(path, np.zeros((32, 32, 3)))
    return ImageFile(path, mask, 0, "broken")


BREAKS = {
    "truncated": r"truncated\.jpg cannot be read \(.*truncated",
    "empty": r"empty\.jpg cannot be read \(it is empty\)",
    "text": r"text\.jpg cannot be read \(cannot identify image file",
    "missing": r"missing\.jpg cannot be read \(.*No such file",
    "pipe": r"pipe\.jpg cannot be read \(it is a named pipe, not a file\)",
    "loop": r"loop\.jpg cannot be read \(Too many levels of symbolic links\)",
    "mask pipe": r"pipe\.png cannot be read \(it is a named pipe, not a file\)",
    "mask missing": r"nowhere\.png cannot be read \(.*No such file",
    "mask size": r"mask\.png has shape \(16, 32\), but its image .*mask size\.jpg has height and width \(32, 32\)",
}


@pytest.mark.parametrize("how", BREAKS)
def test_raise_names_the_file_and_the_way_out(tmp_path: Path, good: ImageFile, how: str) -> None:
    dataset = image_files(tmp_path, good, broken(tmp_path, how))
    with pytest.raises(ImageError, match=BREAKS[how] + r".*set data\.on_error=skip to go on without it"):
        fetch(dataset)


@pytest.mark.parametrize("how", BREAKS)
def test_skip_drops_the_image_counts_it_once_and_logs_it_once(
    tmp_path: Path, good: ImageFile, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    dataset = image_files(tmp_path, broken(tmp_path, how), good, on_error="skip")
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            batch = fetch(dataset)
            assert batch.ids == ("good",)
            assert batch.labels_B.tolist() == [1]
            assert batch.indices_B is not None
            assert batch.indices_B.tolist() == [1]
            assert torch.allclose(batch.images_BCHW, torch.tensor(0.2))
    assert dataset.num_skipped == 1
    assert len(caplog.records) == 1


def test_a_batch_of_nothing_readable_is_empty(tmp_path: Path) -> None:
    batch = fetch(image_files(tmp_path, broken(tmp_path, "empty"), on_error="skip"))
    assert len(batch) == 0
    assert batch.images_BCHW.shape == (0, 3, 32, 32)
    assert batch.background_BHW.shape == (0, 32, 32)
    assert batch.labels_B.dtype == torch.int64


def test_a_crop_without_object_has_no_mask_and_no_background(tmp_path: Path, good: ImageFile) -> None:
    object_at_the_left_edge = np.zeros((32, 96))
    object_at_the_left_edge[:, :10] = 1
    object_at_the_centre = np.zeros((32, 96))
    object_at_the_centre[:, 40:56] = 1
    image = save(tmp_path / "wide.png", np.zeros((32, 96, 3)))
    batch = fetch(
        image_files(
            tmp_path,
            ImageFile(image, save(tmp_path / "left.png", object_at_the_left_edge), 0, "left"),
            ImageFile(image, save(tmp_path / "centre.png", object_at_the_centre), 0, "centre"),
            good,
        )
    )
    assert batch.has_mask_B.tolist() == [False, True, False]
    assert batch.background_BHW.mean((1, 2)).tolist() == [0.0, 0.5, 0.0]


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK", "1", "LA"])
def test_images_of_other_modes_become_rgb(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("image.tif" if mode == "CMYK" else "image.png")
    Image.new("RGB", (40, 40), (255, 255, 255)).convert(mode).save(path)
    assert torch.equal(
        fetch(image_files(tmp_path, ImageFile(path, None, 0, "p"))).images_BCHW, torch.ones(1, 3, 32, 32)
    )


@pytest.mark.parametrize("name", ["grey.png", "grey.tif"])
def test_sixteen_bits_of_grey_are_scaled(tmp_path: Path, name: str) -> None:
    grey_HW = np.full((32, 32), 51 * 257, dtype=np.uint16)
    grey_HW[:, 16:] = 65535
    Image.fromarray(grey_HW).save(tmp_path / name)
    images_BCHW = fetch(image_files(tmp_path, ImageFile(tmp_path / name, None, 0, "p"))).images_BCHW
    assert torch.equal(images_BCHW[..., :16], torch.full((1, 3, 32, 16), 51 / 255))
    assert torch.equal(images_BCHW[..., 16:], torch.ones(1, 3, 32, 16))


@pytest.mark.parametrize("kind", [np.int32, np.float32])
def test_thirty_two_bits_are_refused(tmp_path: Path, kind: type) -> None:
    path = tmp_path / "grey.tif"
    Image.fromarray(np.ones((32, 32), dtype=kind)).save(path)
    with pytest.raises(ImageError, match=r"grey\.tif cannot be read \(its pixels have 32 bits.*with 8 or 16 bits"):
        fetch(image_files(tmp_path, ImageFile(path, None, 0, "p")))


@pytest.mark.parametrize(("kind", "value"), [(np.float32, 0.5), (np.int32, -1)])
def test_a_mask_of_other_values_is_refused(tmp_path: Path, good: ImageFile, kind: type, value: float) -> None:
    path = tmp_path / "mask.tif"
    mask_HW = np.zeros((32, 32), dtype=kind)
    mask_HW[0, 0] = value
    Image.fromarray(mask_HW).save(path)
    with pytest.raises(ImageError, match=r"mask\.tif cannot be read \(its values go from .*whole numbers from 0 to"):
        fetch(image_files(tmp_path, good._replace(mask_path=path)))


def test_a_mask_of_sixteen_bits_and_small_values_is_read(tmp_path: Path, good: ImageFile) -> None:
    mask_HW = np.zeros((32, 32), dtype=np.uint16)
    mask_HW[:16] = 255
    Image.fromarray(mask_HW).save(tmp_path / "mask.png")
    batch = fetch(image_files(tmp_path, good._replace(mask_path=tmp_path / "mask.png")))
    assert batch.background_BHW[0].mean(1).tolist() == [0.0] * 16 + [1.0] * 16


def test_a_decoder_that_lacks_a_variant_is_an_image_error(tmp_path: Path) -> None:
    """A DDS file of pixel format 1, which PIL refuses with NotImplementedError, whatever the file is called."""
    path = tmp_path / "image.jpg"
    header = struct.pack("<7I", 124, 0x1007, 4, 4, 0, 0, 0) + bytes(44) + struct.pack("<2I", 32, 1) + bytes(44)
    path.write_bytes(b"DDS " + header)
    with pytest.raises(ImageError, match=r"image\.jpg cannot be read \(Unknown pixel format"):
        fetch(image_files(tmp_path, ImageFile(path, None, 0, "p")))


def test_digest_covers_names_sizes_labels_and_masks(tmp_path: Path, good: ImageFile) -> None:
    mask = save(tmp_path / "mask.png", np.ones((32, 32)))
    digests = [
        image_files(tmp_path, good).digest(),
        image_files(tmp_path, good._replace(label=0)).digest(),
        image_files(tmp_path, good._replace(mask_path=mask)).digest(),
        image_files(tmp_path, good._replace(path=mask)).digest(),
        image_files(tmp_path, good._replace(path=tmp_path / "gone.png")).digest(),
    ]
    with good.path.open("ab") as file:
        file.write(b"0")
    digests.append(image_files(tmp_path, good).digest())
    assert len(set(digests)) == len(digests)


def test_digest_ignores_the_order_and_where_the_folder_lies(tmp_path: Path) -> None:
    def dataset(folder: Path, *names: str) -> ImageFiles:
        folder.mkdir(exist_ok=True)
        return image_files(
            folder, *(ImageFile(save(folder / name, np.ones((9, 9, 3))), None, 0, name) for name in names)
        )

    first = dataset(tmp_path / "one", "a.png", "b.png")
    second = dataset(tmp_path / "two", "b.png", "a.png")
    assert first.digest() == second.digest()


def test_ids_join_folders_and_stem_and_stay_unique() -> None:
    assert image_ids([Path("cat/1.jpg"), Path("cat/2.jpg"), Path("dog/1.jpg"), Path("dog/x/1.jpg")]) == [
        "cat__1",
        "cat__2",
        "dog__1",
        "dog__x__1",
    ]
    same_stem = image_ids([Path("cat/1.jpg"), Path("cat/1.png"), Path("cat/2.png")])
    assert len(set(same_stem)) == 3
    assert [id_.split("-")[0] for id_ in same_stem] == ["cat__1", "cat__1", "cat__2"]
    assert same_stem[0] == image_ids([Path("cat/1.webp"), Path("cat/1.jpg")])[1]


def test_ids_fit_into_a_file_name() -> None:
    long = "x" * 140
    paths = [
        Path(f"{long}/{long}.jpg"),
        Path(f"{long}/{long}2.jpg"),
        Path("ü" * 120 + ".jpg"),
        Path("y" * 200 + ".jpg"),
    ]
    ids = image_ids(paths)
    assert len(set(ids)) == 4
    assert all(len(id_.encode()) <= 200 for id_ in ids)
    assert ids[0].startswith(f"{long}__xx")
    assert ids[2].startswith("ü" * 80)
    assert ids[3] == "y" * 200


def test_names_that_are_not_utf_8_are_read(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.png")
    save(path, np.full((32, 32, 3), 51))
    (id_,) = image_ids([Path(path.name)])
    dataset = image_files(tmp_path, ImageFile(path, None, 0, id_))
    assert fetch(dataset).ids == (path.stem,)
    assert len(dataset.digest()) == 16
    twice = image_ids([Path(path.name), Path(path.name).with_suffix(".jpg")])
    assert len(set(twice)) == 2
