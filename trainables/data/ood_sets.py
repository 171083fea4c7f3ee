"""Sets of images that belong to no class of the training set, to see whether a network notices."""

import os
from pathlib import Path
from typing import assert_never

from torchvision.datasets.folder import IMG_EXTENSIONS

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
from trainables.data.chimeras import draw_chimeras
from trainables.data.dataset import NO_CLASS, ImageSet
from trainables.data.drawn_set import DrawnSet, bare_texture, normal_noise, uniform_noise
from trainables.data.image_file import ImageFile, image_ids
from trainables.data.image_files import ImageFiles
from trainables.data.transforms import evaluation_transform


def default_ood_sets(config: DataConfig) -> dict[str, OodSet]:
    """Return the sets that need no files, for a suite that names none."""
    if isinstance(config, SpuriousDigits):
        return {
            "chimeras": ChimeraSet(role="near"),
            "textures": TextureSet(role="far"),
            "noise": NoiseSet(role="far"),
            "uniform_noise": NoiseSet(role="validation", distribution="uniform"),
        }
    return {"noise": NoiseSet(role="far"), "textures": TextureSet(role="validation")}


def build_ood_set(config: DataConfig, section: OodSet, *, name: str, num: int, seed: int) -> ImageSet:
    """Return the set `evaluation.suite.ood.sets.<name>` for a network trained on `config`.

    Its images have the size of the training set's and the label -1, and it names no classes.

    Args:
        config: What the network was trained on.
        section: The set.
        name: Its name, for messages.
        num: How many images to draw, where they are drawn.
        seed: Seed of the drawing.

    Raises:
        ConfigError: Its folder is missing or empty, or it does not go with the training set.
    """
    where = f"evaluation.suite.ood.sets.{name}"
    match section:
        case FolderSet():
            return _folder(config, section, where)
        case ChimeraSet():
            if not isinstance(config, SpuriousDigits):
                raise ConfigError(f"{where}: chimera_digits needs data.kind=spurious_digits, found {config.kind}")
            return draw_chimeras(config, num=num, seed=seed)
        case TextureSet():
            return DrawnSet("texture", num, config.image_size, seed, bare_texture)
        case NoiseSet():
            draw = normal_noise if section.distribution == "normal" else uniform_noise
            return DrawnSet(f"{section.distribution}-noise", num, config.image_size, seed, draw)
        case _:
            assert_never(section)


def _folder(config: DataConfig, section: FolderSet, where: str) -> ImageFiles:
    folder = Path(_root(config, section, where), section.folder)
    folders = [folder] if section.classes is None else [folder / name for name in section.classes]
    missing = [str(path) for path in folders if not path.is_dir()]
    if missing:
        raise ConfigError(f"{where}: there is no folder {', '.join(missing)}; set {where}.root and {where}.folder")
    paths = sorted({path for each in folders for path in _images_below(each)})
    if not paths:
        raise ConfigError(f"{where}: found no images below {', '.join(map(str, folders))}")
    ids = image_ids(path.relative_to(folder) for path in paths)
    return ImageFiles(
        [ImageFile(path, None, NO_CLASS, id_) for path, id_ in zip(paths, ids, strict=True)],
        class_names=(),
        root=folder,
        image_size=config.image_size,
        transform=evaluation_transform(config.image_size),
        on_error=section.on_error,
        section=where,
    )


def _root(config: DataConfig, section: FolderSet, where: str) -> str:
    if section.root is not None:
        return section.root
    if isinstance(config, SpuriousDigits):
        raise ConfigError(f"{where}.root: left out, but data.kind={config.kind} has no root to take its place; set it")
    return config.root


def _images_below(folder: Path) -> list[Path]:
    walked = os.walk(folder, followlinks=True)
    return [
        Path(parent, name) for parent, _, names in walked for name in names if name.lower().endswith(IMG_EXTENSIONS)
    ]
