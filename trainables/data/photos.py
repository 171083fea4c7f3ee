"""Pictures on disk, decoded and transformed a batch at a time.

Shape letters: B batch, C channels, H W picture height and width.
"""

import functools
import hashlib
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor
from torchvision import tv_tensors

from trainables.data.batch import Batch
from trainables.data.class_map import batch_of_classes, main_class
from trainables.data.dataset import Draw
from trainables.data.transforms import Transform, evaluation_transform

logger = logging.getLogger(__name__)

OnError = Literal["raise", "skip"]
ReadMask = Callable[[Tensor, int | None], Tensor]
"""From the values of a mask file, HW, and the picture's label to what is cropped with the picture.

True where the object is; or, in 8 bits, BACKGROUND, OBJECT and IGNORED; or a class map. ValueError says what is no
mask.
"""
BACKGROUND, OBJECT, IGNORED = 0, 1, 2

_DECODING_ERRORS = (OSError, SyntaxError, ValueError, EOFError, NotImplementedError, Image.DecompressionBombError)
"""What PIL raises for a file that is missing, truncated or no picture."""
_MAX_ID_BYTES = 200  # A file name may have 255, and an id gets an ending.


Pixels = npt.NDArray[np.uint8]
MaskValues = Callable[[Image.Image], npt.NDArray[np.uint8] | npt.NDArray[np.int32]]


Values = TypeVar("Values", bound=npt.NDArray[np.integer[Any]])


class PictureError(ValueError):
    """A picture or mask that cannot be used; the message names the file and says what to do."""


class Photo(NamedTuple):
    """One picture on disk."""

    path: Path
    mask_path: Path | None
    label: int | None
    """None where the mask says which classes it shows."""
    id: str


class PhotoList(Protocol):
    """Pictures in order, with unique ids; a list of them, or what makes each as it is asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Photo: ...

    def __iter__(self) -> Iterator[Photo]: ...


class Photos:
    """A `PictureSet` of files.

    Args:
        photos: the pictures in order; ids are unique.
        class_names: names by label.
        root: folder to which the digest takes file names relative.
        image_size: side of the transformed picture in pixels.
        transform: joint transform of picture and mask.
        mask_values: what a mask file holds, HW.
        read_mask: what of these is object; or, with `class_maps`, which class each pixel shows.
        class_maps: whether masks are class maps, which say what a picture's labels are.
        on_error: what a missing or corrupt file does.
        section: config section that holds `on_error`, for messages.
    """

    def __init__(
        self,
        photos: PhotoList,
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
    ) -> None:
        assert not isinstance(photos, list) or len({photo.id for photo in photos}) == len(photos), "ids are unique"
        self.class_names = class_names
        self._photos = photos
        self._root = root
        self._image_size = image_size
        self._transform = transform
        self._mask_values = mask_values or _labels
        self._read_mask = read_mask or _anything
        self._class_maps = class_maps
        self._on_error = on_error
        self._section = section
        self._skipped_N = torch.zeros(len(photos), dtype=torch.bool)
        if on_error == "skip":
            self._skipped_N.share_memory_()  # type: ignore[no-untyped-call]  # Loader processes mark in it what they skip.

    @property
    def num_skipped(self) -> int:
        """Distinct pictures skipped so far, in every loader process."""
        return int(self._skipped_N.sum())

    def __len__(self) -> int:
        return len(self._photos)

    def __getitems__(self, draws: list[Draw]) -> Batch:
        """Decode and transform; the batch is shorter where `on_error` is skip and a file cannot be read."""
        size = self._image_size
        images_BCHW = torch.empty(len(draws), 3, size, size, dtype=torch.uint8)
        masks_BHW = torch.zeros(len(draws), size, size, dtype=torch.uint8)
        read: list[Photo] = []
        with torch.random.fork_rng(devices=[]):
            for draw in draws:
                fetched = self._fetch(draw)
                if fetched is None:
                    continue
                photo, images_BCHW[len(read)], mask_HW = fetched
                if mask_HW is not None:
                    masks_BHW[len(read)] = mask_HW
                read.append(photo)
        num_classes = len(self.class_names) if self._class_maps else None
        return _to_batch(images_BCHW[: len(read)], masks_BHW[: len(read)], read, num_classes=num_classes)

    def digest(self) -> str:
        """Hash the sorted names, sizes in bytes and labels of pictures and masks; contents are not read."""
        return self._digest

    @functools.cached_property
    def _digest(self) -> str:
        lines = sorted(
            f"{self._name_and_size(photo.path)}\t{photo.label}\t{self._name_and_size(photo.mask_path)}\n"
            for photo in self._photos
        )
        return _hash("".join(lines))

    def _name_and_size(self, path: Path | None) -> str:
        if path is None:
            return "-"
        size = path.stat().st_size if path.exists() else "missing"
        return f"{path.relative_to(self._root).as_posix()}\t{size}"

    def _fetch(self, draw: Draw) -> tuple[Photo, Tensor, Tensor | None] | None:
        """Return the photo with its label, its picture and its mask, both transformed; None where it is skipped."""
        photo = self._photos[draw.index]
        try:
            image_CHW, mask_HW = _decode(photo, self._mask_values, self._read_mask)
        except PictureError as error:
            if self._on_error == "raise":
                raise PictureError(
                    f"{error}; repair or remove it, or set {self._section}.on_error=skip to go on without it"
                ) from error
            if not self._skipped_N[draw.index]:
                logger.warning("skipped: %s", error)
            self._skipped_N[draw.index] = True
            return None
        if self._class_maps:
            assert mask_HW is not None, "a class map says what the picture shows"
            photo = photo._replace(label=main_class(mask_HW, len(self.class_names)))
        # The default generator alone: torch.manual_seed would also reseed the accelerators.
        torch.default_generator.manual_seed(draw.seed)
        return photo, *self._transform(image_CHW, mask_HW)


def photo_ids(relative_paths: Iterable[Path]) -> list[str]:
    """Return an id for each file: folders and stem joined by `__`.

    Where two would agree, or one is too long for a file name, it is cut to fit and a hash of the path follows.
    """
    paths = list(relative_paths)
    joined = ["__".join(path.with_suffix("").parts) for path in paths]
    count = Counter(joined)
    return [
        name if count[name] == 1 and len(os.fsencode(name)) <= _MAX_ID_BYTES else _with_hash(name, path)
        for name, path in zip(joined, paths, strict=True)
    ]


def _with_hash(name: str, path: Path) -> str:
    end = f"-{_hash(path.as_posix())}"
    head = os.fsencode(name)[: _MAX_ID_BYTES - len(end)].decode(errors="ignore")
    return head + end


def _hash(text: str) -> str:
    """Return 16 hex digits; file names may hold bytes that are no UTF-8, which Python keeps as surrogates."""
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:16]


def read_picture(path: Path, *, image_size: int) -> Batch:
    """Return a picture from anywhere as a batch of one, cropped as validation pictures are; its label is 0.

    Raises:
        PictureError: It is missing or cannot be decoded; the message names it.
    """
    photo = Photo(path, None, 0, path.stem)
    image_CHW, _ = evaluation_transform(image_size)(*_decode(photo, _labels, _anything))
    return _to_batch(image_CHW[None], torch.zeros(1, *image_CHW.shape[-2:], dtype=torch.uint8), [photo])


def _decode(
    photo: Photo, mask_values: MaskValues, read_mask: ReadMask
) -> tuple[tv_tensors.Image, tv_tensors.Mask | None]:
    image_CHW = torch.from_numpy(_read(photo.path, _colours)).permute(2, 0, 1)
    if photo.mask_path is None:
        return tv_tensors.Image(image_CHW), None
    mask_HW = torch.from_numpy(_read(photo.mask_path, mask_values))
    if mask_HW.shape != image_CHW.shape[1:]:
        raise PictureError(
            f"{photo.mask_path} has shape {tuple(mask_HW.shape)}, but its picture {photo.path} has "
            f"height and width {tuple(image_CHW.shape[1:])}"
        )
    try:
        read_HW = read_mask(mask_HW, photo.label)
    except ValueError as error:
        raise PictureError(f"{photo.mask_path} {error}") from error
    return tv_tensors.Image(image_CHW), tv_tensors.Mask(read_HW)


def _anything(values_HW: Tensor, _: int | None) -> Tensor:
    return values_HW.bool()


def _read(path: Path, values: Callable[[Image.Image], Values]) -> Values:
    try:
        with Image.open(path) as picture:
            return values(picture)
    except _DECODING_ERRORS as error:
        raise PictureError(f"{path} cannot be read ({error})") from error


def _colours(picture: Image.Image) -> Pixels:
    """Return HWC in 8 bits; those of 16 are scaled, and those of 32, whose range no file tells, are refused."""
    if picture.mode in ("I", "F"):
        raise ValueError(
            f"its pixels have 32 bits, of which black and white are not known (mode {picture.mode}); "
            "save it with 8 or 16 bits a channel"
        )
    if picture.mode.startswith("I;16"):
        grey_HW = np.array(picture).astype(np.float32) / 257
        return np.stack([grey_HW.round().astype(np.uint8)] * 3, axis=-1)
    return np.array(picture.convert("RGB"), dtype=np.uint8)


def _labels(picture: Image.Image) -> Pixels:
    """Return the values of a mask as they are."""
    values = np.array(picture)
    if values.dtype.kind == "f" or (values.size and (values.min() < 0 or values.max() > 255)):
        raise ValueError(
            f"its values go from {values.min()} to {values.max()} (mode {picture.mode}); "
            "a mask has whole numbers from 0 to 255"
        )
    return values.astype(np.uint8)


def _to_batch(
    images_BCHW: Tensor, masks_BHW: Tensor, photos: Sequence[Photo], *, num_classes: int | None = None
) -> Batch:
    """Return the batch of 8-bit pictures with masks of their objects; or with class maps, of `num_classes`."""
    assert all(photo.label is not None for photo in photos), "a label is listed, or read from a class map"
    images_BCHW = images_BCHW.float() / 255
    labels_B = torch.tensor([photo.label for photo in photos], dtype=torch.int64)
    ids = tuple(photo.id for photo in photos)
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
