"""The folders of ImageNet-S, from a copy of ImageNet and the published masks."""

import os
import re
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from orchestrator.data.links import LinkJob
from trainables.config import ConfigError
from trainables.data.folders import check_same_classes, class_folders, first_few, image_names
from trainables.data.image_names import is_hidden

MERGED = {
    "n04356056": "n04355933",
    "n04493381": "n02808440",
    "n03642806": "n03832673",
    "n04008634": "n03773504",
    "n03887697": "n15075141",
}
"""Classes of ImageNet that the set of 919 classes merges into others (github.com/LUSSeg/ImageNet-S)."""
_NUM_CLASSES_MERGED = 919
_SPLITS = ("train-semi", "validation")
"""Those that have masks."""
_IMAGENET, _ANNOTATIONS = "--imagenet", "--annotations"
_REMEDY = "pass as --imagenet the folder that holds train/<class>/*.JPEG and val"
_Find = Callable[[Sequence[str]], Mapping[str, Path]]
"""From the stems of images to their files; it may return more, and leaves out missing ones."""


@dataclass(frozen=True)
class Tree:
    """One set: what to link, and what is missing in ImageNet."""

    folder: str
    class_names: tuple[str, ...]
    jobs: Sequence[LinkJob]
    missing: Sequence[str]
    """Images with masks that are not in ImageNet, `<split>/<class>/<image>`."""


def annotated_folders(annotations: Path) -> list[Path]:
    """Return the folders in `annotations` that hold masks, or `annotations` itself if it does.

    Raises:
        ConfigError: There are none.
    """
    if _has_masks(annotations):
        return [annotations.absolute()]
    folders = sorted(path for path in annotations.glob("*") if _has_masks(path))
    if not folders:
        raise ConfigError(
            f"{_ANNOTATIONS}: looked for ImageNetS{{50,300,919}}/{{train-semi,validation}}-segmentation/<class>/*.png "
            f"in {annotations}, but there is none; pass the folder into which the published archives were unpacked"
        )
    return folders


def plan_tree(imagenet: Path, annotations: Path, root: Path) -> Tree:
    """Return the jobs that make `<root>/<annotations' name>`; nothing is written.

    Args:
        imagenet: Holds `train/<class>/*.JPEG` and `val`, flat or in class folders.
        annotations: Holds `{train-semi,validation}-segmentation/<class>/*.png`.

    Raises:
        ConfigError: Folders or classes are missing, or do not fit.
    """
    class_names = _class_names(annotations)
    origins = {name: [name] for name in class_names}
    if len(class_names) == _NUM_CLASSES_MERGED:
        for merged, into in MERGED.items():
            origins[into].append(merged)
    train, target = imagenet / "train", root / annotations.name
    _check_classes(train, [origin for names in origins.values() for origin in names])
    jobs = [
        LinkJob("train", target / "train" / name, partial(_images, [train / origin for origin in origins[name]]))
        for name in class_names
    ]
    missing: list[str] = []
    for split, find in (("train-semi", partial(_in_train, train)), ("validation", _in_val(imagenet / "val"))):
        with ThreadPoolExecutor() as pool:
            pairs = list(pool.map(partial(_masked, annotations / f"{split}-segmentation", find), class_names))
        for name, (images, lost) in zip(class_names, pairs, strict=True):
            jobs.append(LinkJob(split, target / split / name, partial(list, images)))
            missing += [f"{split}/{name}/{stem}" for stem in lost]
    if not _is_same(annotations, target):
        for split in _SPLITS:
            masks = f"{split}-segmentation"
            jobs += [
                LinkJob(masks, target / masks / name, partial(_images, [annotations / masks / name]))
                for name in class_names
            ]
    return Tree(annotations.name, class_names, jobs, missing)


def _has_masks(folder: Path) -> bool:
    return (folder / "validation-segmentation").is_dir()


def _is_same(first: Path, second: Path) -> bool:
    return second.exists() and first.samefile(second)


def _class_names(annotations: Path) -> tuple[str, ...]:
    first, second = (annotations / f"{split}-segmentation" for split in _SPLITS)
    remedy = "unpack the published archive of masks again"
    names = class_folders(second, remedy=remedy, setting=_ANNOTATIONS)
    check_same_classes(
        first, class_folders(first, remedy=remedy, setting=_ANNOTATIONS), second, names, setting=_ANNOTATIONS
    )
    number = re.fullmatch(r"ImageNetS(\d+)", annotations.name)
    if number and int(number[1]) != len(names):
        raise ConfigError(
            f"{_ANNOTATIONS}: {second} holds {len(names)} classes, but the folder's name says {number[1]}; {remedy}"
        )
    if len(names) == _NUM_CLASSES_MERGED and (unknown := set(MERGED.values()) - set(names)):
        raise ConfigError(
            f"{_ANNOTATIONS}: {second} holds {len(names)} classes but not {first_few(sorted(unknown))}, into which "
            f"other classes are merged; {remedy}"
        )
    return names


def _check_classes(train: Path, names: Sequence[str]) -> None:
    there = class_folders(train, remedy=_REMEDY, setting=_IMAGENET)
    absent = sorted(set(names) - set(there))
    if absent:
        raise ConfigError(
            f"{_IMAGENET}: {train} has {len(there)} classes, but lacks {len(absent)} of those needed: "
            f"{first_few(absent)}; unpack the archives of these classes there"
        )


def _images(folders: Sequence[Path], stems: Container[str] | None = None) -> Iterator[Path]:
    """Yield the images in `folders`, all of them or only those of the given stems."""
    for folder in folders:
        for name in image_names(folder, setting=_IMAGENET):
            if stems is None or name.rpartition(".")[0] in stems:
                yield folder / name


def _masked(masks: Path, find: _Find, class_name: str) -> tuple[list[Path], list[str]]:
    """Return the images of a class's masks, and the names of those that are missing."""
    stems = [Path(file).stem for file in image_names(masks / class_name, setting=_ANNOTATIONS)]
    files = find(stems)
    return [files[stem] for stem in stems if stem in files], [stem for stem in stems if stem not in files]


def _in_train(train: Path, stems: Sequence[str]) -> dict[str, Path]:
    """Return training images by stem; their names begin with the class that they have in ImageNet."""
    folders = [train / origin for origin in sorted({stem.partition("_")[0] for stem in stems})]
    return {path.stem: path for path in _images([folder for folder in folders if folder.is_dir()], set(stems))}


def _in_val(val: Path) -> _Find:
    """Return a function that finds validation images by their names, in one folder or in class folders."""
    try:
        folders = sorted(Path(entry.path) for entry in os.scandir(val) if entry.is_dir() and not is_hidden(entry.name))
    except OSError as error:
        raise ConfigError(f"{_IMAGENET}: {val} cannot be read ({error.strerror}); {_REMEDY}") from error
    by_stem = {path.stem: path for path in _images(folders or [val])}
    return lambda _: by_stem
