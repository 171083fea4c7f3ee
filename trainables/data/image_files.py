"""Images on disk, decoded and transformed a batch at a time.

Shape letters: B batch, C channels, H W image height and width.
"""

import functools
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from trainables.data.batch import Batch
from trainables.data.class_map import batch_of_classes, main_class
from trainables.data.dataset import Draw
from trainables.data.decoding import (
    BACKGROUND,
    OBJECT,
    ImageError,
    MaskValues,
    ReadMask,
    anything,
    decode,
    grey_values,
)
from trainables.data.file_set import NO_MASK, digest_of, digest_part
from trainables.data.folders import MISSING
from trainables.data.image_cache import ImageCache
from trainables.data.image_file import ImageFile, ImageFileList
from trainables.data.transforms import Transform, evaluation_transform

logger = logging.getLogger(__name__)

OnError = Literal["raise", "skip"]


class ImageFiles:
    """An `ImageSet` of files.

    Args:
        images: the images in order; ids are unique.
        class_names: names by label.
        root: folder to which the digest takes file names relative.
        image_size: side of the transformed image in pixels.
        transform: joint transform of image and mask.
        mask_values: what a mask file holds, HW.
        read_mask: what of these is object; or, with `class_maps`, which class each pixel shows.
        class_maps: whether masks are class maps, which say what an image's labels are.
        on_error: what a missing or corrupt file does.
        section: config section that holds `on_error`, for messages.
        digest: what `digest` would return, where it is known.
        cache: holds copies of the files.
    """

    def __init__(
        self,
        image_files: ImageFileList,
        *,
        class_names: tuple[str, ...],
        root: Path,
        image_size: int,
        transform: Transform,
        mask_values: MaskValues | None = None,
        read_mask: ReadMask | None = None,
        class_maps: bool = False,
        on_error: OnError = "raise",
        section: str = "data",
        digest: str | None = None,
        cache: ImageCache | None = None,
    ) -> None:
        assert not isinstance(image_files, list) or len({image_file.id for image_file in image_files}) == len(
            image_files
        ), "ids are unique"
        self.class_names = class_names
        self._images = image_files
        self._root = root
        self._image_size = image_size
        self._transform = transform
        self._mask_values = mask_values or grey_values
        self._read_mask = read_mask or anything
        self._class_maps = class_maps
        self._on_error = on_error
        self._section = section
        self._given_digest = digest
        self._cache = cache
        self._skipped_N = torch.zeros(len(image_files), dtype=torch.bool)
        if on_error == "skip":
            self._skipped_N.share_memory_()  # type: ignore[no-untyped-call]  # Loader processes mark in it what they skip.

    @property
    def entries(self) -> ImageFileList:
        """The files, in order."""
        return self._images

    def check(self, index: int) -> int:
        """Decode an image and its mask, whatever `on_error` says, and return the label of the whole image.

        Raises:
            ImageError: One of them is missing, corrupt, or no mask of this data set.
        """
        image_file = self._images[index]
        return self._label(image_file, decode(image_file, self._mask_values, self._read_mask, self._cache)[1])

    @property
    def num_skipped(self) -> int:
        """Distinct images skipped so far, in every loader process."""
        return int(self._skipped_N.sum())

    def __len__(self) -> int:
        return len(self._images)

    def __getitems__(self, draws: list[Draw]) -> Batch:
        """Decode and transform; the batch is shorter where `on_error` is skip and a file cannot be read."""
        size = self._image_size
        images_BCHW = torch.empty(len(draws), 3, size, size, dtype=torch.uint8)
        masks_BHW = torch.zeros(len(draws), size, size, dtype=torch.uint8)
        read: list[ImageFile] = []
        with torch.random.fork_rng(devices=[]):
            for draw in draws:
                fetched = self._fetch(draw)
                if fetched is None:
                    continue
                image_file, images_BCHW[len(read)], mask_HW = fetched
                if mask_HW is not None:
                    masks_BHW[len(read)] = mask_HW
                read.append(image_file)
        num_classes = len(self.class_names) if self._class_maps else None
        return _to_batch(images_BCHW[: len(read)], masks_BHW[: len(read)], read, num_classes=num_classes)

    def digest(self) -> str:
        """Hash the sorted names, sizes in bytes and labels of images and masks; contents are not read."""
        return self._digest

    @functools.cached_property
    def _digest(self) -> str:
        return self._given_digest or digest_of(
            [
                f"{self._digest_part(image_file.path)}\t{image_file.label}\t{self._digest_part(image_file.mask_path)}\n"
                for image_file in self._images
            ]
        )

    def _digest_part(self, path: Path | None) -> str:
        if path is None:
            return digest_part(None, NO_MASK)
        size = path.stat().st_size if path.exists() else MISSING
        return digest_part(path.relative_to(self._root).as_posix(), size)

    def _fetch(self, draw: Draw) -> tuple[ImageFile, Tensor, Tensor | None] | None:
        """Return the image with its label, its image and its mask, both transformed; None where it is skipped."""
        image_file = self._images[draw.index]
        try:
            image_CHW, mask_HW = decode(image_file, self._mask_values, self._read_mask, self._cache)
        except ImageError as error:
            if self._on_error == "raise":
                raise ImageError(
                    f"{error}; repair or remove it, or set {self._section}.on_error=skip to go on without it"
                ) from error
            if not self._skipped_N[draw.index]:
                logger.warning("skipped: %s", error)
            self._skipped_N[draw.index] = True
            return None
        image_file = image_file._replace(label=self._label(image_file, mask_HW))
        # The default generator alone: torch.manual_seed would also reseed the accelerators.
        torch.default_generator.manual_seed(draw.seed)
        return image_file, *self._transform(image_CHW, mask_HW)

    def _label(self, image_file: ImageFile, mask_HW: Tensor | None) -> int:
        """Return the listed label, or of several that which the mask shows most of."""
        if self._class_maps:
            assert mask_HW is not None, "a class map says what the image shows"
            return main_class(mask_HW, len(self.class_names))
        assert image_file.label is not None, "a label is listed, or read from a class map"
        return image_file.label


def read_image(path: Path, *, image_size: int) -> Batch:
    """Return an image from anywhere as a batch of one, cropped as validation images are; its label is 0.

    Raises:
        ImageError: It is missing or cannot be decoded; the message names it.
    """
    image_file = ImageFile(path, None, 0, path.stem)
    image_CHW, _ = evaluation_transform(image_size)(*decode(image_file, grey_values, anything))
    return _to_batch(image_CHW[None], torch.zeros(1, *image_CHW.shape[-2:], dtype=torch.uint8), [image_file])


def _to_batch(
    images_BCHW: Tensor, masks_BHW: Tensor, image_files: Sequence[ImageFile], *, num_classes: int | None = None
) -> Batch:
    """Return the batch of 8-bit images with masks of their objects; or with class maps, of `num_classes`."""
    assert all(image_file.label is not None for image_file in image_files), (
        "a label is listed, or read from a class map"
    )
    images_BCHW = images_BCHW.float().div_(255)
    labels_B = torch.tensor([image_file.label for image_file in image_files], dtype=torch.int64)
    ids = tuple(image_file.id for image_file in image_files)
    if num_classes is not None:
        return batch_of_classes(images_BCHW, masks_BHW, labels_B, ids, num_classes=num_classes)
    has_mask_B = (masks_BHW == OBJECT).flatten(1).any(1)
    return Batch(
        images_BCHW=images_BCHW,
        labels_B=labels_B,
        background_BHW=((masks_BHW == BACKGROUND) & has_mask_B[:, None, None]).float(),
        has_mask_B=has_mask_B,
        ids=ids,
    )
