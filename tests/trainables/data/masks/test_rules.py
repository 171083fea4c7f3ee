"""The rules by which people's own masks are read, on pixels that can be counted by hand."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from trainables.cams import reduce_background
from trainables.config import BoxMasks, EqualMasks, FileMasks, NonzeroMasks, SoftMasks, Table, ThresholdMasks
from trainables.data import Batch, Draw, ImageError
from trainables.data.image_file import Boxes, ImageFile
from trainables.data.image_files import ImageFiles, evaluation_of, read_image
from trainables.data.image_list import ImageList
from trainables.data.masks.frame import out_of_frame, size_in_frame
from trainables.data.masks.rules import mask_format
from trainables.data.transforms import evaluation_transform

SIZE = 32
"""Side of an image, so that validation shows it pixel for pixel."""


def columns(*values: float) -> list[list[float]]:
    """Return rows of equal columns, each value on as many pixels as the others."""
    return [[value for value in values for _ in range(SIZE // len(values))]] * SIZE


def shown(folder: Path, mask: Image.Image | None, masks: FileMasks | BoxMasks, **fields: object) -> Batch:
    """Return the batch of one black image with this mask."""
    image, path = folder / "image.png", folder / "mask.png"
    Image.new("RGB", (SIZE, SIZE)).save(image)
    if mask is not None:
        mask.save(path)
    file = ImageFile(image, None if mask is None else path, 1, "image")._replace(**fields)  # type: ignore[arg-type]
    images = ImageFiles(
        ImageList([file], folder),
        class_names=("a", "b"),
        image_size=SIZE,
        transform=evaluation_transform(SIZE),
        mask_format=mask_format(masks),
    )
    return images.__getitems__([Draw(0, 0)])


def grey(*values: int) -> Image.Image:
    return Image.fromarray(np.array(columns(*values), dtype=np.uint8))


def colours(*values: tuple[int, int, int]) -> Image.Image:
    channels = zip(*values, strict=True)
    return Image.fromarray(np.stack([np.array(columns(*each), dtype=np.uint8) for each in channels], axis=-1))


def assert_background(batch: Batch, *values: float) -> None:
    """Check the background's share of each of the equal columns of pixels."""
    assert torch.equal(batch.background_BHW[0], torch.tensor(columns(*values)))


@pytest.mark.parametrize(
    "mask",
    [
        pytest.param(grey(0, 7), id="grey"),
        pytest.param(grey(0, 255).convert("1"), id="one bit"),
        pytest.param(Image.fromarray(np.array(columns(0, 300), dtype=np.uint16)), id="16 bits"),
        pytest.param(colours((0, 0, 0), (0, 3, 0)), id="colour"),
        pytest.param(grey(0, 9).convert("LA"), id="grey with alpha"),
        pytest.param(colours((0, 0, 0), (9, 0, 0)).convert("RGBA"), id="colour with alpha"),
        pytest.param(colours((0, 0, 0), (0, 200, 0)).convert("P", palette=Image.Palette.ADAPTIVE), id="palette"),
    ],
)
def test_nonzero_takes_any_pixel_that_is_not_black(tmp_path: Path, mask: Image.Image) -> None:
    assert_background(shown(tmp_path, mask, NonzeroMasks()), 1, 0)


def test_a_jpeg_has_no_exact_values(tmp_path: Path) -> None:
    grey(0, 255).save(tmp_path / "object.jpg")
    message = r"object\.jpg cannot be read \(it is a JPEG, whose compression changes .*data\.masks\.kind=threshold"
    for masks in (NonzeroMasks(), EqualMasks(value=255)):
        with pytest.raises(ImageError, match=message):
            shown(tmp_path, None, masks, mask_path=tmp_path / "object.jpg")
    assert_background(shown(tmp_path, None, ThresholdMasks(), mask_path=tmp_path / "object.jpg"), 1, 0)


def test_equal_takes_one_value_and_ignores_another(tmp_path: Path) -> None:
    masks = EqualMasks(value=3, ignore=255)
    assert_background(shown(tmp_path, grey(0, 3, 4, 255), masks, mask_value=3), 1, 0, 1, 0)


def test_equal_reads_16_bits_and_places_in_a_palette_of_colours(tmp_path: Path) -> None:
    many = Image.fromarray(np.array(columns(0, 700), dtype=np.uint16))
    assert_background(shown(tmp_path, many, EqualMasks(value=700), mask_value=700), 1, 0)
    places = grey(1, 2)
    places.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    assert_background(shown(tmp_path, places, EqualMasks(value=2), mask_value=2), 1, 0)


def test_equal_reads_the_grey_of_an_optimised_palette(tmp_path: Path) -> None:
    places = grey(0, 1)
    places.putpalette([0, 0, 0, 15, 15, 15])
    assert_background(shown(tmp_path, places, EqualMasks(value=15), mask_value=15), 1, 0)


def test_equal_refuses_colours(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"its colours are no grey values \(mode RGB\); data\.masks\.kind = nonzero"):
        shown(tmp_path, colours((0, 0, 0), (1, 2, 3)), EqualMasks(value=1), mask_value=1)


def test_ids_are_red_and_256_times_green(tmp_path: Path) -> None:
    masks = EqualMasks(kind="id_r_plus_256g", value=256, ignore=1000)
    mask = colours((0, 0, 0), (0, 1, 0), (1, 0, 0), (232, 3, 0))
    assert_background(shown(tmp_path, mask, masks, mask_value=256), 1, 0, 1, 0)


def test_threshold_takes_what_is_brighter(tmp_path: Path) -> None:
    assert_background(shown(tmp_path, grey(0, 100, 101, 255), ThresholdMasks(above=100)), 1, 1, 0, 0)


def test_soft_is_the_share_of_background_exactly(tmp_path: Path) -> None:
    batch = shown(tmp_path, grey(0, 51, 204, 255), SoftMasks())
    assert_background(batch, 1, 0.8, 0.2, 0)
    assert batch.has_mask_B.tolist() == [True]
    deep = Image.fromarray(np.array(columns(0, 13107, 52428, 65535), dtype=np.uint16))
    assert_background(shown(tmp_path, deep, SoftMasks()), 1, 0.8, 0.2, 0)


def test_a_cell_of_the_map_has_the_mean_of_its_shares(tmp_path: Path) -> None:
    batch = shown(tmp_path, grey(0, 51, 204, 255), SoftMasks())
    assert torch.allclose(reduce_background(batch.background_BHW, (1, 2)), torch.tensor([[[0.9, 0.1]]]))


def test_a_soft_mask_without_a_pixel_that_is_mostly_object_shows_none(tmp_path: Path) -> None:
    batch = shown(tmp_path, grey(0, 127), SoftMasks())
    assert batch.has_mask_B.tolist() == [False]
    assert_background(batch, 0)


class TestBoxes:
    def test_pixels_in_a_box_are_object(self, tmp_path: Path) -> None:
        boxes = Boxes(((8, 0, 16, 32), (24, 0, 32, 32)), "mine.csv, row 2, column boxes")
        assert_background(shown(tmp_path, None, BoxMasks(), boxes=boxes), 1, 0, 1, 0)

    def test_a_pixel_is_in_a_box_where_its_centre_is(self, tmp_path: Path) -> None:
        batch = shown(tmp_path, None, BoxMasks(), boxes=Boxes(((0.5, 1.6, 3.5, 4.4),), "here"))
        object_HW = batch.background_BHW[0] == 0
        assert object_HW.nonzero().tolist() == [[row, column] for row in (2, 3) for column in (0, 1, 2)]

    def test_without_boxes_there_is_no_mask(self, tmp_path: Path) -> None:
        assert shown(tmp_path, None, BoxMasks()).has_mask_B.tolist() == [False]

    @pytest.mark.parametrize("box", [(-1, 0, 4, 4), (0, -1, 4, 4), (0, 0, 33, 4), (0, 0, 4, 33)])
    def test_a_box_outside_its_image_is_refused(self, tmp_path: Path, box: tuple[int, int, int, int]) -> None:
        message = r"^mine\.csv, row 2, column boxes: the box .* lies outside its image, which is 32 pixels wide and 32"
        with pytest.raises(ImageError, match=message):
            shown(tmp_path, None, BoxMasks(), boxes=Boxes((box,), "mine.csv, row 2, column boxes"))


class TestFrame:
    def test_a_mask_of_the_crop_is_put_where_the_image_shows_it(self) -> None:
        """A side of 64 becomes 256, of which the crop leaves 16 out on each side: 4 pixels of the image."""
        map_HW = torch.zeros(224, 224, dtype=torch.uint8)
        map_HW[:, :112] = 1
        whole_HW = out_of_frame(map_HW, (64, 64), "resize256_crop224", unknown=255)
        expected = [255] * 4 + [1] * 28 + [0] * 28 + [255] * 4
        assert whole_HW[32].tolist() == expected
        assert whole_HW[:, 40].tolist() == [255] * 4 + [0] * 56 + [255] * 4

    def test_the_longer_side_loses_more(self) -> None:
        """96 columns become 384, of which 80 are left out on each side: 20 of the image."""
        whole_HW = out_of_frame(torch.zeros(224, 224, dtype=torch.uint8), (64, 96), "resize256_crop224", unknown=255)
        assert (whole_HW[32] == 0).nonzero().flatten().tolist() == list(range(20, 76))

    def test_it_has_224_pixels(self) -> None:
        assert size_in_frame((64, 96), "resize256_crop224") == (224, 224)
        assert size_in_frame((64, 96), "original") == (64, 96)

    @pytest.mark.parametrize("masks", [NonzeroMasks, SoftMasks])
    def test_outside_the_crop_nothing_is_known(self, tmp_path: Path, masks: type[NonzeroMasks | SoftMasks]) -> None:
        mask = Image.fromarray(np.repeat([[0, 255]], [112, 112], axis=1).repeat(224, 0).astype(np.uint8))
        batch = shown(tmp_path, mask, masks(frame="resize256_crop224"))
        expected = [0] * 2 + [1] * 14 + [0] * 14 + [0] * 2
        assert batch.background_BHW[0, 16].tolist() == expected
        assert batch.background_BHW[0, 0].tolist() == [0] * 32

    @pytest.mark.parametrize("masks", [NonzeroMasks, SoftMasks])
    def test_evaluations_show_the_crop_alone(self, tmp_path: Path, masks: type[NonzeroMasks | SoftMasks]) -> None:
        """Of 64 x 96 pixels it is rows 4 to 60 and columns 20 to 76."""
        image, mask = tmp_path / "image.png", tmp_path / "mask.png"
        pixels = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(image)
        Image.fromarray(np.repeat([[0, 255]], [112, 112], axis=1).repeat(224, 0).astype(np.uint8)).save(mask)
        config = Table(root="/d", table="t.csv", image_size=56, masks=masks(frame="resize256_crop224"))
        images = ImageFiles(
            ImageList([ImageFile(image, mask, 1, "image")], tmp_path),
            class_names=("a", "b"),
            image_size=56,
            transform=evaluation_of(config),
            mask_format=mask_format(config.masks),
        )
        batch = images.__getitems__([Draw(0, 0)])
        assert torch.equal(batch.images_BCHW[0], torch.from_numpy(pixels[4:60, 20:76]).permute(2, 0, 1) / 255)
        assert batch.background_BHW[0].tolist() == [[1] * 28 + [0] * 28] * 56
        assert torch.equal(read_image(image, config).images_BCHW, batch.images_BCHW)

    def test_a_mask_of_another_size_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ImageError, match=r"mask\.png has shape \(32, 32\), but its image .* \(224, 224\)"):
            shown(tmp_path, grey(0, 255), NonzeroMasks(frame="resize256_crop224"))
