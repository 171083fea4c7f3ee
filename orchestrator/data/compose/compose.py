"""`campaign data compose`: a new folder with images, masks, tables, a config that reads them, and a contact sheet."""

import math
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from orchestrator.data.compose.config_file import write_config, write_sheet
from orchestrator.data.compose.copies import first_of_same, num_in_two_splits, without_copies
from orchestrator.data.compose.new_folder import new_folder
from orchestrator.data.compose.objects import Objects, find_objects, read_object
from orchestrator.data.compose.plan import SPLITS, Ints, Planned, Split, own_kinds, plan_images, split_scenes
from orchestrator.data.compose.scenes import KindsBy, Scene, kinds_by_colour, list_scenes, write_scene
from orchestrator.data.compose.writing import (
    SCENES,
    SHIFTED_TABLE,
    TABLE,
    ObjectFile,
    Row,
    SceneFile,
    agreement_of,
    read_rows,
    row_of,
    write_images,
    write_table,
)
from orchestrator.data.files import Track
from trainables.config import ConfigError, DataConfig
from trainables.config.table import TABLE_SUFFIXES
from trainables.data.folders import first_few

_ENLARGED = 2
"""Scenes are kept at so many times the size of the images, since one that is narrower than an image is enlarged."""
_APART = {"folder": "put each kind into a sub-folder", "column": "name each scene's kind in the column kind"}
"""How scenes are of several kinds, by what says the kind; clusters of colours are two or more."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to compose."""

    scenes: Path
    scene_masks: Path | None
    kinds_by: KindsBy
    kinds: int
    """Clusters of mean colour, with `kinds_by` colour."""
    clearest: float
    """Share of the scenes of each such cluster that is used, those of the clearest colour."""
    agreement: float
    """Share of a class's training images that stand before its own kind of scene."""
    scene_shares: tuple[float, float, float]
    """Shares of the scenes for training, validation and test."""
    image_size: int | None
    """Pixels of an image's shorter side, unless it has fewer; None keeps images as large as they are."""
    feather: float
    """Blur of an object's edge, in pixels."""
    seed: int

    def __post_init__(self) -> None:
        """Raise ConfigError where shares do not divide the scenes."""
        if min(self.scene_shares) <= 0 or not math.isclose(sum(self.scene_shares), 1):
            found = " ".join(f"{share:g}" for share in self.scene_shares)
            raise ConfigError(f"--scene-shares {found}: expected three shares above 0 whose sum is 1")


@dataclass(frozen=True)
class Composed:
    """What was written, counted in the tables."""

    groups: Mapping[str, Mapping[str, int]]
    """By split, the images of each group, `<class> before <kind>`."""
    shifted: Mapping[str, int]
    """Images by shifted set."""
    own_kind: Mapping[str, str]
    """By class."""
    agreement: Mapping[str, tuple[int, int]]
    """By class, the training images before its own kind of scene, and all of them."""
    scenes: Mapping[str, Mapping[str, int]]
    """By split, the scenes of each kind."""
    scenes_left_out: int
    """Scenes that show too little around their objects, are copies of another or of an object's image, or have no clear
    colour."""
    without_mask: Mapping[str, int]
    """By split, images that are left out, since they have no mask."""
    without_scene: Mapping[str, int]
    """By split, objects that fill their image, so that no scene shows around them."""
    in_two_splits: int
    """Images with the same bytes as one of another split, which the data themselves have."""

    @property
    def measured_agreement(self) -> float:
        """The share of the training images that stand before their class's own kind of scene."""
        return sum(own for own, _ in self.agreement.values()) / sum(num for _, num in self.agreement.values())

    def document(self) -> dict[str, Any]:
        """Return all of it, for JSON."""
        return {**asdict(self), "measured_agreement": self.measured_agreement}


def compose_data(
    config: DataConfig, options: Options, target: Path, *, made_by: str = "", track: Track | None = None
) -> Composed:
    """Write the composed data into `target`, a folder that is missing or empty.

    Args:
        config: The data whose objects are used: those with masks.
        options: Scenes, agreement, sizes and seed.
        target: The folder to make.
        made_by: The command, for the head of the written config.
        track: Shows progress.

    Raises:
        ConfigError: The data, the scenes or the options do not fit each other, or the target is not empty or overlaps
            with a folder that is read.
        ImageError: An image or a mask cannot be read.
    """
    track = track or (lambda steps, *_: steps)
    _check_apart(target, config, options)
    objects, class_names = find_objects(config)
    listed = list_scenes(options.scenes, options.scene_masks, options.kinds_by)
    with new_folder(target, "data compose") as folder:
        files = _write_scenes(without_copies(listed, objects), options, folder, track)
        scenes = _kinds_and_splits(files, {scene.kind for scene in listed if scene.kind is not None}, options)
        labels = {split: each.labels_N for split, each in objects.items()}
        planned = plan_images(labels, scenes.kinds_S, scenes.splits_S, agreement=options.agreement, seed=options.seed)
        shown = {split: _object_files(split, each, class_names, config) for split, each in objects.items()}
        rows = [(image, row_of(image, shown[image.split][image.object], scenes.files)) for image in planned]
        without_scene = _write_objects(rows, objects, shown, options, config, folder, track)
        write_table(folder / TABLE, (row for image, row in rows if image.set in SPLITS))
        write_table(folder / SHIFTED_TABLE, (row for image, row in rows if image.set not in SPLITS))
        write_config(folder, str(target), config.image_size, made_by)
        write_sheet(folder)
        return _count(folder, class_names, scenes, len(listed), objects, without_scene)


def _check_apart(target: Path, config: DataConfig, options: Options) -> None:
    """Raise ConfigError where the target lies below a folder that is read as a whole, or the other way round."""
    is_table = options.scenes.suffix.lower() in TABLE_SUFFIXES
    read = {
        "--scenes": None if is_table else options.scenes,
        "--scene-masks": options.scene_masks,
        "data.root": None if config.kind == "table" else getattr(config, "root", None),
    }
    out = Path(os.path.realpath(target))
    for name, folder in read.items():
        real = None if folder is None else Path(os.path.realpath(folder))
        if real is not None and (out.is_relative_to(real) or real.is_relative_to(out)):
            raise ConfigError(
                f"--out {target} overlaps with {name} {folder}, so that composed images would be read as its own; give "
                "a folder outside of it"
            )


class _Scenes(NamedTuple):
    files: Sequence[SceneFile]
    kinds: Sequence[str]
    kinds_S: Ints
    """The place of each scene's kind among them."""
    splits_S: Ints
    """The place of each scene's split among `SPLITS`."""


def _kinds_and_splits(files: Sequence[SceneFile], listed: set[str], options: Options) -> _Scenes:
    kinds = sorted({scene.kind for scene in files})
    if gone := sorted(listed.difference(kinds)):
        raise ConfigError(
            f"--scenes: none of these kinds is left ({len(gone)}): {first_few(gone)}; their scenes show too little "
            "around their objects, or are copies of others; add scenes of them, or take the kinds out"
        )
    if len(kinds) < 2:
        raise ConfigError(
            f"--scenes: there is one kind of scene, {kinds[0]}; expected two or more; {_APART[options.kinds_by]}, or "
            "pass --kinds-by colour"
        )
    kinds_S = np.array([kinds.index(scene.kind) for scene in files])
    return _Scenes(files, kinds, kinds_S, split_scenes(kinds_S, options.scene_shares, kinds, options.seed))


def _count(
    folder: Path,
    class_names: Sequence[str],
    scenes: _Scenes,
    num_listed: int,
    objects: Mapping[Split, Objects],
    without_scene: Mapping[str, int],
) -> Composed:
    rows, shifted = read_rows(folder / TABLE), read_rows(folder / SHIFTED_TABLE)
    own = [scenes.kinds[kind] for kind in own_kinds(np.arange(len(class_names)), len(scenes.kinds))]
    own_kind = dict(zip(class_names, own, strict=True))
    return Composed(
        groups=_by_split((row.split, f"{row.label} before {row.kind}") for row in rows),
        shifted=dict(Counter(row.split for row in shifted)),
        own_kind=own_kind,
        agreement=agreement_of(rows, own_kind),
        scenes=_by_split(
            (SPLITS[split], scene.kind) for split, scene in zip(scenes.splits_S, scenes.files, strict=True)
        ),
        scenes_left_out=num_listed - len(scenes.files),
        without_mask={split: each.without_mask for split, each in objects.items()},
        without_scene=without_scene,
        in_two_splits=num_in_two_splits(objects),
    )


def _by_split(pairs: Iterable[tuple[str, str]]) -> dict[str, dict[str, int]]:
    """Return split -> name -> how many pairs there are of both."""
    count = Counter(pairs)
    return {split: {name: count[one, name] for one, name in sorted(count) if one == split} for split in SPLITS}


def _write_scenes(scenes: Sequence[Scene], options: Options, folder: Path, track: Track) -> list[SceneFile]:
    """Write the scenes without their objects, each image once; ConfigError where nothing is left of any."""
    (folder / SCENES).mkdir()
    shorter = None if options.image_size is None else _ENLARGED * options.image_size
    names = [f"{SCENES}/{scene.file.id}.png" for scene in scenes]

    def write(number: int) -> tuple[float, float, float] | None:
        return write_scene(scenes[number], folder / names[number], shorter)

    colours = _in_threads(write, len(scenes), "scenes", track)
    written = [(name, scene, colour) for name, scene, colour in zip(names, scenes, colours, strict=True) if colour]
    if not written:
        raise ConfigError(
            "--scenes: no scene shows enough around its object; give scenes with smaller objects, or without masks"
        )
    distinct = set(first_of_same(folder, [name for name, *_ in written]))
    left = [each for each in written if each[0] in distinct]
    kinds = [scene.kind for _, scene, _ in left]
    if options.kinds_by == "colour":
        of_left = [colour for *_, colour in left]
        kinds = kinds_by_colour(of_left, options.kinds, clearest=options.clearest, seed=options.seed)
    files = [SceneFile(name, kind) for (name, *_), kind in zip(left, kinds, strict=True) if kind is not None]
    for name in {name for name, *_ in written} - {file.name for file in files}:
        (folder / name).unlink()
    return files


def _object_files(split: Split, objects: Objects, class_names: Sequence[str], config: DataConfig) -> list[ObjectFile]:
    root, found = Path(getattr(config, "root", "")).absolute(), []
    sources_N = objects.images.sources()
    for number, label in enumerate(objects.labels_N.tolist()):
        path = objects.path(number).absolute()
        name = (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()
        source = name if sources_N is None else str(int(sources_N[objects.indices_N[number]]))
        found.append(ObjectFile(split, objects.id(number), class_names[label], name, source))
    return found


def _write_objects(
    rows: Iterable[tuple[Planned, Row]],
    objects: Mapping[Split, Objects],
    shown: Mapping[Split, Sequence[ObjectFile]],
    options: Options,
    config: DataConfig,
    folder: Path,
    track: Track,
) -> dict[str, int]:
    """Write the images of each object together, so that it is read once; return how many fill them, by split."""
    by_object: dict[tuple[Split, int], list[tuple[Planned, Row]]] = defaultdict(list)
    for image, row in rows:
        by_object[image.split, image.object].append((image, row))
    jobs = list(by_object.items())

    def write(number: int) -> bool:
        (split, index), images = jobs[number]
        pixels_HWC, share_HW = read_object(
            objects[split], index, shorter=options.image_size, feather=options.feather, config=config
        )
        write_images(folder, shown[split][index].mask, pixels_HWC, share_HW, images)
        return bool(share_HW.min() >= 0.5)

    fill = _in_threads(write, len(jobs), "objects", track)
    count = Counter(split for ((split, _), _), fills in zip(jobs, fill, strict=True) if fills)
    return {split: count[split] for split in SPLITS}


def _in_threads(step: Callable[[int], Any], num: int, what: str, track: Track) -> list[Any]:
    """Return what a function returns for 0 to num - 1; Pillow and NumPy leave Python to other threads."""
    pool = ThreadPoolExecutor(os.cpu_count() or 1)
    try:
        return list(track(pool.map(step, range(num)), what, num))
    finally:
        pool.shutdown(cancel_futures=True)
