"""Images on disk, decoded and transformed a batch at a time.

Shape letters: B batch, C channels, H W image height and width.
"""

import functools
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import get_worker_info
from torchvision import tv_tensors

from trainables.config import DataConfig, SpuriousDigits
from trainables.config.data import KINDS_WITH_SEVERAL_LABELS
from trainables.data.augmentations import Transform
from trainables.data.batch import Batch
from trainables.data.dataset import DataBundle, Draw
from trainables.data.file_index import NO_MASK, digest_of, digest_part
from trainables.data.file_reader import FileReader, decode_image, reader_of
from trainables.data.folders import MISSING, left_out_text
from trainables.data.image_file import ImageError, ImageFile
from trainables.data.image_list import ImageFileList, ImageList, have_masks, labels_of
from trainables.data.masks.frame import cut_to_frame
from trainables.data.masks.mask_format import MaskFormat, ObjectMask
from trainables.data.transforms import evaluation_transform, training_transform
from trainables.data.validation_cut import cut_images

logger = logging.getLogger(__name__)

OnError = Literal["raise", "skip"]
_ANY_OBJECT = ObjectMask()
_READER = FileReader()


class ImageFiles:
    """An `ImageSet` of files, which is `Grouped` where its list of images has groups.

    Args:
        images: The images in order; ids are unique.
        class_names: Names by label.
        image_size: Side of the transformed image in pixels.
        transform: Joint transform of image and mask.
        mask_format: Reads the masks.
        on_error: What a missing or corrupt file does.
        section: Config section that holds `on_error`, for messages.
        reader: Reads the files.
    """

    def __init__(
        self,
        images: ImageList,
        *,
        class_names: tuple[str, ...],
        image_size: int,
        transform: Transform,
        mask_format: MaskFormat = _ANY_OBJECT,
        on_error: OnError = "raise",
        section: str = "data",
        reader: FileReader = _READER,
    ) -> None:
        files = images.files
        assert not isinstance(files, list) or len({file.id for file in files}) == len(files), "ids are unique"
        self.class_names = class_names
        self._images = images
        self._image_size = image_size
        self._transform = transform
        self._mask_format = mask_format
        self._on_error = on_error
        self._section = section
        self._reader = reader
        self._skipped_N = torch.zeros(len(files), dtype=torch.bool)
        if on_error == "skip":
            self._skipped_N.share_memory_()  # type: ignore[no-untyped-call]  # Loader processes mark what they skip.

    @property
    def entries(self) -> ImageFileList:
        """The files, in order."""
        return self._images.files

    @property
    def group_names(self) -> tuple[str, ...]:
        """Names by group number."""
        return self._images.group_names

    @property
    def group_uncommon(self) -> tuple[tuple[str, ...], ...]:
        """By group, what is uncommon in it for its class."""
        return self._images.group_uncommon

    def groups(self) -> Tensor | None:
        """Return each index's group, int64; None where images have none."""
        return self._images.groups_N

    def sources(self) -> Tensor | None:
        """Return each index's source, int64; None where each image is its own."""
        return self._images.sources_N

    def sources_by_id(self) -> dict[str, int]:
        """Return the source of each image by its id; empty where each image is its own."""
        sources_N = self.sources()
        if sources_N is None:
            return {}
        return {file.id: source for file, source in zip(self.entries, sources_N.tolist(), strict=True)}

    @functools.cached_property
    def labels_N(self) -> Tensor:  # noqa: N802
        """Each index's label, int64, where labels are listed."""
        return torch.from_numpy(labels_of(self.entries))

    @functools.cached_property
    def is_masked_N(self) -> Tensor:  # noqa: N802
        """Whether each index has a mask or boxes, bool."""
        return torch.from_numpy(have_masks(self.entries))

    @property
    def left_out(self) -> tuple[str, ...]:
        """Files that are not read, since their endings are not those of images."""
        return self._images.left_out

    def whole(self, index: int) -> Batch:
        """Return an image with its mask as a batch of one, neither cropped nor resized, whatever `on_error` says.

        Raises:
            ImageError: One of them is missing, corrupt, or no mask of this data set.
        """
        image_file = self.entries[index]
        image_CHW, map_HW = self._decode(image_file)
        labels_B = torch.tensor([self._mask_format.label(image_file, map_HW)])
        images_BCHW = image_CHW.as_subclass(Tensor).unsqueeze(0).float().div_(255)
        return self._mask_format.batch(images_BCHW, [map_HW], labels_B, (image_file.id,)).in_float32()

    @property
    def num_skipped(self) -> int:
        """Distinct images skipped so far, in every loader process."""
        return int(self._skipped_N.sum())

    def __len__(self) -> int:
        return len(self.entries)

    def __getitems__(self, draws: list[Draw]) -> Batch:
        """Decode and transform; the batch is shorter where `on_error` is skip and a file cannot be read."""
        # What goes to another process is copied through shared memory, where a byte takes a quarter of the time.
        is_sent = get_worker_info() is not None
        shape = (len(draws), 3, self._image_size, self._image_size)
        images_BCHW = torch.from_numpy(np.empty(shape, dtype=np.uint8 if is_sent else np.float32))
        read: list[ImageFile] = []
        indices: list[int] = []
        maps: list[Tensor | None] = []
        with torch.random.fork_rng(devices=[]):
            for draw in draws:
                fetched = self._fetch(draw)
                if fetched is not None:
                    image_file, image_CHW, map_HW = fetched
                    placed_CHW = images_BCHW[len(read)].copy_(image_CHW)
                    if not is_sent:
                        placed_CHW.div_(255)  # At once, while it is in the processor's cache.
                    read.append(image_file)
                    indices.append(draw.index)
                    maps.append(map_HW)
        batch = self._mask_format.batch(
            images_BCHW[: len(read)],
            maps,
            torch.tensor([image_file.label for image_file in read], dtype=torch.int64),
            tuple(image_file.id for image_file in read),
        )
        batch = batch if is_sent else batch.in_float32()
        weights = [image_file.weight for image_file in read if image_file.weight is not None]
        batch = replace(batch, indices_B=torch.tensor(indices, dtype=torch.int64))
        return replace(batch, weights_B=torch.tensor(weights)) if weights else batch

    def digest(self) -> str:
        """Hash the sorted names, sizes in bytes and labels of images and masks; contents are not read."""
        return self._digest

    @functools.cached_property
    def _digest(self) -> str:
        return self._images.digest or digest_of(
            [
                f"{self._digest_part(image_file.path)}\t{image_file.label}\t{self._digest_part(image_file.mask_path)}\n"
                for image_file in self.entries
            ]
        )

    def _digest_part(self, path: Path | None) -> str:
        if path is None:
            return digest_part(None, NO_MASK)
        size = path.stat().st_size if path.exists() else MISSING
        return digest_part(path.relative_to(self._images.root).as_posix(), size)

    def _fetch(self, draw: Draw) -> tuple[ImageFile, Tensor, Tensor | None] | None:
        """Return the image file with its label, and its pixels and map transformed; None where it is skipped."""
        image_file = self.entries[draw.index]
        try:
            image_CHW, map_HW = self._decode(image_file)
        except ImageError as error:
            if self._on_error == "raise":
                raise ImageError(
                    f"{error}; repair or remove it, or set {self._section}.on_error=skip to go on without it"
                ) from error
            if not self._skipped_N[draw.index]:
                logger.warning("skipped: %s", error)
            self._skipped_N[draw.index] = True
            return None
        image_file = image_file._replace(label=self._mask_format.label(image_file, map_HW))
        # Only the default generator: torch.manual_seed would also reseed the accelerators.
        torch.default_generator.manual_seed(draw.seed)
        return image_file, *self._transform(image_CHW, map_HW)

    def _decode(self, image_file: ImageFile) -> tuple[tv_tensors.Image, tv_tensors.Mask | None]:
        image_CHW = decode_image(image_file.path, self._reader)
        map_HW = self._mask_format.read(image_file, image_CHW.shape[1:], self._reader)
        return image_CHW, None if map_HW is None else tv_tensors.Mask(map_HW)


def image_bundle(
    config: DataConfig,
    *,
    train: ImageList,
    test: ImageList,
    class_names: tuple[str, ...],
    val: ImageList | None = None,
    mask_format: MaskFormat = _ANY_OBJECT,
    train_once: ImageList | None = None,
    shift: Mapping[str, ImageList] = MappingProxyType({}),
) -> DataBundle:
    """Return the sets of `config`, of which only the training set is augmented.

    Args:
        val: The validation images; left out, they are cut from the training images, or the test images if `held_out`.
        mask_format: Reads the masks.
        train_once: The training images, each once, where `train` holds some several times.
        shift: The shifted test sets that the data have of their own.
    """
    assert not isinstance(config, SpuriousDigits), "its images are no files"
    if val is None and config.validation.source == "cut":
        train, val = cut_images(train, config.validation)
    image_files = _reading(config, class_names, mask_format)
    evaluation, first = evaluation_of(config), cut_to_frame(config.mask_frame)
    background = mask_format.background_value
    training = training_transform(config.image_size, config.augmentation, background=background, first=first)
    test_set = image_files(test, transform=evaluation)
    return DataBundle(
        train=image_files(train, transform=training),
        val=test_set if val is None else image_files(val, transform=evaluation),
        test=test_set,
        train_unaugmented=image_files(train_once or train, transform=evaluation),
        class_names=class_names,
        shift={name: image_files(images, transform=evaluation) for name, images in shift.items()},
        several_labels=config.kind in KINDS_WITH_SEVERAL_LABELS,
        config=config,
    )


def evaluation_of(config: DataConfig) -> Transform:
    """Return the crop in which evaluations see any image, the part of it that a mask shows."""
    return evaluation_transform(config.image_size, cut_to_frame(config.mask_frame))


def _reading(config: DataConfig, class_names: tuple[str, ...], mask_format: MaskFormat) -> Callable[..., ImageFiles]:
    """Return what makes a set of a list of images and a transform."""
    return partial(
        ImageFiles,
        class_names=class_names,
        image_size=config.image_size,
        mask_format=mask_format,
        on_error=config.on_error,
        reader=reader_of(config),
    )


def left_out_of(bundle: DataBundle) -> str | None:
    """Return which files the sets leave out, as one line; None where there are none."""
    files = {name: images.left_out for name, images in bundle.named().items() if isinstance(images, ImageFiles)}
    return "; ".join(f"{name}: {left_out_text(names)}" for name, names in files.items() if names) or None


def read_image(path: Path, config: DataConfig) -> Batch:
    """Return any image file as a batch of one, cropped as validation images of `config` are; its label is 0.

    Raises:
        ImageError: It is missing or cannot be decoded; the message names it.
    """
    decoded_CHW = decode_image(path, FileReader(max_pixels=config.max_image_pixels))
    image_CHW, _ = evaluation_of(config)(decoded_CHW, None)
    images_BCHW, labels_B = image_CHW[None].float().div_(255), torch.zeros(1, dtype=torch.int64)
    return _ANY_OBJECT.batch(images_BCHW, [None], labels_B, (path.stem,))
