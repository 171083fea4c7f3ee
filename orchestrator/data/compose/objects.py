"""The objects that are put before scenes: the images with masks of a data set, split by split."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torchvision import tv_tensors

from orchestrator.data.compose.plan import SPLITS, Ints, Split
from trainables.config import ConfigError, DataConfig, SpuriousDigits
from trainables.config.data import KINDS_WITH_SEVERAL_LABELS
from trainables.config.images import Images
from trainables.data import ImageSet, build_data
from trainables.data.compositing import Share, resized, shrunk, soft_edge
from trainables.data.file_reader import Pixels
from trainables.data.folders import first_few
from trainables.data.image_files import ImageFiles
from trainables.data.image_list import have_masks, labels_of
from trainables.data.masks.frame import cut_to_frame


@dataclass(frozen=True)
class Objects:
    """The images with masks of one split."""

    images: ImageFiles
    indices_N: Ints
    """Their places among the images."""
    labels_N: Ints
    without_mask: int
    """Images that are left out, since they have no mask."""

    def id(self, number: int) -> str:
        """Return the id of an image, which is a file name."""
        return self.images.entries[int(self.indices_N[number])].id

    def path(self, number: int) -> Path:
        """Return the file of an image."""
        return self.images.entries[int(self.indices_N[number])].path

    @property
    def paths(self) -> list[Path]:
        """The files of all images."""
        return [self.path(number) for number in range(len(self.indices_N))]


def find_objects(config: DataConfig) -> tuple[Mapping[Split, Objects], tuple[str, ...]]:
    """Return the objects of each split, and the names of classes.

    Raises:
        ConfigError: The data have several labels an image, no files, one class, one set for validation and test, a
            class without an object to train on, or a setting without effect here.
    """
    if isinstance(config, SpuriousDigits):
        raise ConfigError(f"data.kind = {config.kind} has no files; composed data need images with masks in files")
    if config.kind in KINDS_WITH_SEVERAL_LABELS:
        raise ConfigError(f"data.kind = {config.kind} has several labels an image; composed data need one")
    if config.validation.source == "held_out":
        raise ConfigError(
            "data.validation.source = held_out takes the test images for validation; set data.validation.source=cut"
        )
    _check_effect(config)
    bundle = build_data(config)
    if len(bundle.class_names) < 2:
        raise ConfigError(
            f"data.root = {config.root}: found one class alone, {', '.join(bundle.class_names)}; composed data need "
            "two, of which each has its own kind of scene"
        )
    sets = (bundle.train_unaugmented, bundle.val, bundle.test)
    objects = {split: _objects(images, split, config) for split, images in zip(SPLITS, sets, strict=True)}
    without = sorted(set(range(len(bundle.class_names))) - set(objects["train"].labels_N.tolist()))
    if without:
        names = first_few([bundle.class_names[label] for label in without])
        raise ConfigError(f"classes without a training image that has a mask ({len(without)}): {names}; add masks")
    return objects, bundle.class_names


def _check_effect(config: Images) -> None:
    """Raise ConfigError where a setting says which images or masks are used: all are, each once."""
    oversample = getattr(config, "oversample_masked", 1)
    found = {
        f"data.images_per_class = {config.images_per_class}": (config.images_per_class is not None, "null"),
        "data.mask_subset": (config.mask_subset is not None, "null"),
        f"data.oversample_masked = {oversample}": (oversample > 1, "1"),
    }
    for setting, (is_set, other) in found.items():
        if is_set:
            raise ConfigError(
                f"{setting} has no effect on composed data, which use each image with a mask; set it to {other}"
            )
    if config.on_error == "skip":
        raise ConfigError(
            "data.on_error = skip has no effect on composed data, since an object that cannot be read is an error; set "
            "it to raise"
        )


def _objects(images: ImageSet, split: Split, config: DataConfig) -> Objects:
    assert isinstance(images, ImageFiles), "only digits have no files"
    has_mask_N = have_masks(images.entries)
    if not has_mask_N.any():
        raise ConfigError(f"data.kind = {config.kind}: no image of the split {split} has a mask; set data.masks")
    indices_N = np.flatnonzero(has_mask_N)
    labels_N = labels_of(images.entries)[indices_N]
    return Objects(images, indices_N, labels_N, without_mask=len(has_mask_N) - len(indices_N))


def read_object(
    objects: Objects, number: int, *, shorter: int | None, feather: float, config: DataConfig
) -> tuple[Pixels, Share]:
    """Return an image and its object's share of each pixel, at the size to be written.

    Args:
        objects: The images.
        number: Its place among them.
        shorter: Pixels of the shorter side, unless it has fewer.
        feather: Standard deviation of the blur that fades the edge, in pixels of the written image.
        config: Says which part of an image its mask shows.

    Raises:
        ConfigError: The mask shows no object, or none is left of it at that size.
        ImageError: The image or the mask cannot be read.
    """
    whole = objects.images.whole(int(objects.indices_N[number]))
    if not whole.has_mask_B[0]:
        raise ConfigError(
            f"the mask of {objects.path(number)} shows no object; campaign data check --full lists such masks: leave "
            "these images out"
        )
    image_CHW, map_HW = tv_tensors.Image(whole.images_BCHW[0]), tv_tensors.Mask(whole.background_BHW[0])
    for step in cut_to_frame(config.mask_frame):
        image_CHW, map_HW = step(image_CHW, map_HW)
    pixels_HWC = shrunk((image_CHW * 255).round().byte().permute(1, 2, 0).numpy(), shorter)
    level_HW = resized(((1 - map_HW) * 255).round().byte().numpy(), pixels_HWC.shape[:2])
    share_HW = soft_edge(level_HW / np.float32(255), feather)
    if share_HW.max() < 0.5:
        size = "" if shorter is None else f" at --image-size {shorter}"
        remedy = "" if shorter is None else "raise --image-size, or "
        raise ConfigError(
            f"the mask of {objects.path(number)} has no pixel that is at least half object{size}; {remedy}leave this "
            "image out"
        )
    return pixels_HWC, share_HW
