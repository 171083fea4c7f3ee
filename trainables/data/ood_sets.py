"""Out-of-distribution sets: images of no class of the training set, from a folder or drawn when they are fetched.

Shape letters: B batch, N digits, C channels, H W image height and width.
"""

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import assert_never

import numpy as np
import torch

from trainables.config import (
    ChimeraSet,
    ConfigError,
    DataConfig,
    FolderSet,
    NoiseSet,
    OodSet,
    SpuriousDigits,
    TextureSet,
)
from trainables.data.batch import Batch
from trainables.data.dataset import NO_CLASS, Draw, ImageSet
from trainables.data.file_reader import FileReader
from trainables.data.folder_walk import FolderWalk
from trainables.data.folders import as_on_disk, left_out_text
from trainables.data.image_file import ImageFile, image_ids
from trainables.data.image_files import ImageFiles, evaluation_of
from trainables.data.image_list import ImageList
from trainables.data.image_names import is_image
from trainables.data.spurious_digits import DigitSet, draw_digits, held_out_glyphs
from trainables.data.textures import NUM_FAMILIES, SEEN, Array, Ints, Rng, draw_textures

logger = logging.getLogger(__name__)


def default_ood_sets(config: DataConfig) -> dict[str, OodSet]:
    """Return the sets of a suite that names none; they need no files."""
    if isinstance(config, SpuriousDigits):
        return {
            "chimeras": ChimeraSet(role="near"),
            "textures": TextureSet(role="far"),
            "noise": NoiseSet(role="far"),
        }
    return {"noise": NoiseSet(role="far")}


def build_ood_set(config: DataConfig, section: OodSet, *, name: str, num: int, seed: int) -> ImageSet:
    """Return the set `evaluation.suite.ood.sets.<name>` for a network trained on `config`.

    Its images have the size of the training set's images and the label -1; it has no class names.

    Args:
        config: The data section of the network's training.
        section: The set.
        name: Its name, for messages.
        num: How many images to draw; a folder has its own number.
        seed: Seed of the drawing.

    Raises:
        ConfigError: Its folder is missing or empty, or it does not fit the training set.
    """
    where = f"evaluation.suite.ood.sets.{name}"
    match section:
        case FolderSet():
            return _folder(config, section, where)
        case ChimeraSet():
            if not isinstance(config, SpuriousDigits):
                raise ConfigError(f"{where}: chimera_digits needs data.kind=spurious_digits, but it is {config.kind}")
            return draw_chimeras(config, num=num, seed=seed)
        case TextureSet():
            return DrawnSet("texture", num, config.image_size, seed, bare_texture)
        case NoiseSet():
            draw = normal_noise if section.distribution == "normal" else uniform_noise
            return DrawnSet(f"{section.distribution}-noise", num, config.image_size, seed, draw)
        case _:
            assert_never(section)


@dataclass(frozen=True)
class DrawnSet:
    """An `ImageSet` without classes or masks, drawn from (seed, index) alone; a draw's own seed has no effect."""

    name: str
    """The prefix of its ids."""
    num: int
    image_size: int
    seed: int
    draw: Callable[[int, Rng], Array]
    """From a side in pixels to an image, CHW in [0, 1]."""
    class_names: tuple[str, ...] = ()
    num_skipped: int = 0

    def __len__(self) -> int:
        return self.num

    def __getitems__(self, draws: list[Draw]) -> Batch:
        """Draw the images, in the 256 levels of an image file."""
        size = self.image_size
        images_BCHW = torch.empty(len(draws), 3, size, size)
        for row_CHW, draw in zip(images_BCHW, draws, strict=True):
            image_CHW = self.draw(size, np.random.default_rng([self.seed, draw.index]))
            row_CHW.copy_(torch.from_numpy(np.rint(image_CHW * 255) / 255))
        return Batch(
            images_BCHW=images_BCHW,
            labels_B=torch.full((len(draws),), NO_CLASS),
            background_BHW=torch.zeros(len(draws), size, size),
            has_mask_B=torch.zeros(len(draws), dtype=torch.bool),
            ids=tuple(f"{self.name}-{draw.index:05d}" for draw in draws),
        )

    def digest(self) -> str:
        """Hash name, number, size and seed, which decide the images."""
        identity = (self.name, self.num, self.image_size, self.seed)
        return hashlib.sha256(repr(identity).encode()).hexdigest()[:16]


def normal_noise(image_size: int, rng: Rng) -> Array:
    """Return independent values of mean 0.5 and standard deviation 1, clipped to [0, 1] (Liang et al. 2018, 4.2)."""
    return rng.normal(0.5, 1, (3, image_size, image_size)).clip(0, 1).astype(np.float32)


def uniform_noise(image_size: int, rng: Rng) -> Array:
    """Return independent values that are uniform in [0, 1]."""
    return rng.random((3, image_size, image_size), dtype=np.float32)


def bare_texture(image_size: int, rng: Rng) -> Array:
    """Return a mosaic in the hues of training, of a random family and without a digit."""
    texture_CHW: Array = draw_textures(SEEN, rng.integers(NUM_FAMILIES, size=1), image_size, rng)[0]
    return texture_CHW


def draw_chimeras(config: SpuriousDigits, *, num: int, seed: int) -> DigitSet:
    """Draw `num` chimeras of digits that no training image shows, on training textures chosen at random.

    A chimera joins the upper half of one digit to the lower half of another class's. Stroke, outline, size, place and
    hues are those of `config`. Some chimeras still look like a digit, because the lower halves of a 3 and a 5 agree, so
    no score can detect all of them.
    """
    rng = np.random.default_rng(seed)
    glyphs_N88, labels_N = held_out_glyphs(config)
    upper_N, lower_N = pairs_of_two_classes(labels_N, num, rng)
    drawn = draw_digits(
        join_halves(glyphs_N88[upper_N], glyphs_N88[lower_N]),
        np.full(num, NO_CLASS, dtype=np.int64),
        rng.integers(NUM_FAMILIES, size=num),
        image_size=config.image_size,
        rng=rng,
        name="chimera",
    )
    return replace(drawn, class_names=())


def pairs_of_two_classes(labels_N: Ints, num: int, rng: Rng) -> tuple[Ints, Ints]:
    """Return the indices of `num` random digits, and of as many partners of another class."""
    first_N = rng.integers(len(labels_N), size=num)
    second_N = [rng.choice(np.flatnonzero(labels_N != labels_N[index])) for index in first_N]
    return first_N, np.array(second_N, dtype=np.int64)


def join_halves(upper_N88: Array, lower_N88: Array) -> Array:
    """Return the upper four rows of the first over the lower four of the second."""
    return np.concatenate([upper_N88[:, :4], lower_N88[:, 4:]], axis=1)


def _folder(config: DataConfig, section: FolderSet, where: str) -> ImageFiles:
    folder = Path(_root(config, section, where), section.folder)
    folders = [folder] if section.classes is None else [as_on_disk(folder / name) for name in section.classes]
    missing = [str(path) for path in folders if not path.is_dir()]
    if missing:
        raise ConfigError(f"{where}: there is no folder {', '.join(missing)}; set {where}.root and {where}.folder")
    walk = FolderWalk(where)
    found = sorted(path for each in folders for path in walk.files(each, owner=""))
    paths = [path for path in found if is_image(path.name)]
    if not paths:
        raise ConfigError(f"{where}: there are no images below {', '.join(map(str, folders))}")
    ids = image_ids(path.relative_to(folder) for path in paths)
    files = [ImageFile(path, None, NO_CLASS, id_) for path, id_ in zip(paths, ids, strict=True)]
    left_out = tuple(str(path) for path in found if not is_image(path.name))
    if left_out:
        logger.warning("%s: %s", where, left_out_text(left_out))
    return ImageFiles(
        ImageList(files, folder, left_out=left_out),
        class_names=(),
        image_size=config.image_size,
        transform=evaluation_of(config),
        on_error=section.on_error,
        section=where,
        reader=FileReader(max_pixels=config.max_image_pixels),
    )


def _root(config: DataConfig, section: FolderSet, where: str) -> str:
    if section.root is not None:
        return section.root
    if isinstance(config, SpuriousDigits):
        raise ConfigError(f"{where}.root: missing, and data.kind={config.kind} has no root to use instead; set it")
    return config.root
