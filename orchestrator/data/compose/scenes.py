"""The scenes that objects are put before: where they lie, which kind each is, and what is left without its object."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from PIL import Image
from sklearn.cluster import KMeans

from orchestrator.files.text import plural
from trainables.config import ConfigError, NonzeroMasks
from trainables.config.table import TABLE_SUFFIXES
from trainables.data.compositing import mean_colour, resized, shrunk, without_object
from trainables.data.file_reader import FileReader, decode_image
from trainables.data.folder_walk import FolderWalk
from trainables.data.folders import Folders, first_few
from trainables.data.image_file import ImageFile, image_ids
from trainables.data.image_names import is_image
from trainables.data.masks.mask_format import OBJECT, ObjectMask
from trainables.data.masks.names import MaskNames
from trainables.data.table_file import TableFile, read_table_file

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
KindsBy = Literal["folder", "column", "colour"]
_READER = FileReader()


@dataclass(frozen=True)
class Scene:
    """An image without an object, or with one that its mask shows."""

    file: ImageFile
    kind: str | None = None
    """Its kind, where folders or a column say it."""


def list_scenes(source: Path, masks: Path | None, kinds_by: KindsBy) -> list[Scene]:
    """Return the scenes of a folder, or of a table with the columns path, mask and perhaps kind, by their paths.

    Args:
        source: The folder or the table.
        masks: For a folder, the folder with masks of the same names; None where scenes show no object.
        kinds_by: What says which kind a scene is.

    Raises:
        ConfigError: There are none, or their kinds are not known.
    """
    if source.suffix.lower() in TABLE_SUFFIXES:
        return _of_table(source, masks, kinds_by)
    if not source.is_dir():
        raise ConfigError(f"--scenes: there is no folder {source}; give a folder of images, or a .csv or .parquet file")
    found = sorted(path for path in FolderWalk("--scenes").files(source, owner="") if is_image(path.name))
    if not found:
        raise ConfigError(f"--scenes: there are no images below {source}")
    names = [PurePosixPath(path.relative_to(source).as_posix()) for path in found]
    if kinds_by == "column":
        raise ConfigError(f"--kinds-by column needs a table, and --scenes {source} is a folder; take folder or colour")
    if kinds_by == "folder" and any(len(name.parts) == 1 for name in names):
        raise ConfigError(
            f"--kinds-by folder: {source} has images in no sub-folder, such as {found[0].name}; put each kind of scene "
            "into a sub-folder, or pass --kinds-by colour"
        )
    kinds = [name.parts[0] for name in names]
    return _scenes(found, _named_masks(source, masks, names), image_ids(map(Path, names)), kinds, kinds_by)


def _of_table(source: Path, masks: Path | None, kinds_by: KindsBy) -> list[Scene]:
    if masks is not None:
        raise ConfigError(
            f"--scene-masks has no effect, since the column mask of {source} names the masks; leave it out"
        )
    if kinds_by == "folder":
        raise ConfigError(f"--kinds-by folder needs a folder, and --scenes {source} is a table; take column or colour")
    wanted = ("path", "mask", "kind") if kinds_by == "column" else ("path", "mask")
    table = read_table_file(source, required=dict.fromkeys(wanted, "column"), refused={}, setting="--scenes")
    columns = {name: table.columns[name].to_pylist() for name in wanted}
    empty = [name for name in wanted if name != "mask" and None in columns[name]]
    if empty:
        raise ConfigError(f"{table.where(columns[empty[0]].index(None), empty[0])}: is empty; every row needs a value")
    slashed = next((kind for kind in columns.get("kind", ()) if "/" in kind), None)
    if slashed is not None:
        raise ConfigError(
            f"{source}, column kind: found {slashed}; a kind becomes a part of file names: leave out the /"
        )
    places = [os.path.normpath(source.parent.absolute() / path) for path in columns["path"]]
    twice = next((place for place, num in Counter(places).items() if num > 1), None)
    if twice is not None:
        name = columns["path"][places.index(twice)]
        raise ConfigError(f"{source}, column path: {name} is there twice; each scene has one row")
    for column in ("path", "mask"):
        _check_there(table, column)
    top = os.path.commonpath([os.path.normpath(source.parent.absolute()), *places])
    ids = image_ids(Path(os.path.relpath(place, top)) for place in places)
    files = [source.parent / path for path in columns["path"]]
    masks_ = [None if mask is None else source.parent / mask for mask in columns["mask"]]
    return _scenes(files, masks_, ids, columns.get("kind", [""] * len(files)), kinds_by)


def _check_there(table: TableFile, column: str) -> None:
    """Raise ConfigError where a file that the table names is not below its folder."""
    folder, names = table.path.parent, table.columns[column].to_pylist()
    table.refuse(
        column,
        pa.array([name is not None and not (folder / name).is_file() for name in names]),
        lambda name: f"there is no file {folder / (name or '')}; correct the path, or leave the row out",
    )


def _named_masks(source: Path, masks: Path | None, names: Sequence[PurePosixPath]) -> list[Path | None]:
    if masks is None:
        return [None] * len(names)
    finder = MaskNames(masks.parent, source, NonzeroMasks(folder=masks.name), Folders())
    found = [finder.path(name) for name in names]
    missing = [str(name) for name, mask in zip(names, found, strict=True) if mask is None]
    if missing:
        raise ConfigError(
            f"--scene-masks: {len(missing)} of {len(names)} scenes have no mask in {masks}: {first_few(missing)}; add "
            "them, or list the scenes in a table whose column mask is empty for a scene without an object"
        )
    return found


def _scenes(
    files: Sequence[Path], masks: Sequence[Path | None], ids: Sequence[str], kinds: Sequence[str], by: KindsBy
) -> list[Scene]:
    return [
        Scene(ImageFile(path, mask, None, id_), None if by == "colour" else kind)
        for path, mask, id_, kind in zip(files, masks, ids, kinds, strict=True)
    ]


def write_scene(scene: Scene, target: Path, shorter: int | None) -> tuple[float, float, float] | None:
    """Write a scene without its object, as PNG, and return its mean colour; None, and no file, if too little is left.

    Raises:
        ImageError: The scene or its mask cannot be read.
    """
    pixels_HWC = decode_image(scene.file.path, _READER).permute(1, 2, 0).numpy()
    map_HW = ObjectMask().read(scene.file, pixels_HWC.shape[:2], _READER)
    whole_HWC = shrunk(pixels_HWC, shorter)
    if map_HW is not None:
        object_HW = resized((map_HW.numpy() == OBJECT).astype(np.uint8) * 255, whole_HWC.shape[:2]) > 0
        filled_HWC = without_object(whole_HWC, object_HW)
        if filled_HWC is None:
            return None
        whole_HWC = filled_HWC
    Image.fromarray(whole_HWC).save(target, compress_level=1)
    return mean_colour(whole_HWC)


def kinds_by_colour(
    colours: Sequence[tuple[float, float, float]], num: int, *, clearest: float, seed: int
) -> list[str | None]:
    """Return `colour-1` to `colour-<num>` for the clusters of k-means over mean colours, ordered by their centres.

    Args:
        colours: The mean colour of each scene.
        num: The number of clusters.
        clearest: Share of each cluster that is kept; the others are None. Those are kept whose squared distance to the
            next centre exceeds that to their own by the most, so that they lie far out on the line between both.
        seed: Seed of the clustering.

    Raises:
        ConfigError: There are fewer different scenes than kinds.
    """
    different = len(set(colours))
    if different < num:
        remedy = f"pass --kinds {different}" if different > 1 else "add others, or pass --kinds-by folder"
        raise ConfigError(f"--kinds {num}: the scenes have {plural(different, 'different mean colour')}; {remedy}")
    means_SC = np.array(colours)
    clusters = KMeans(num, n_init=10, random_state=seed).fit(means_SC)
    order = np.lexsort(clusters.cluster_centers_.round(6).T[::-1])
    rank = {int(cluster): place for place, cluster in enumerate(order, 1)}
    nearest_S2 = np.sort(clusters.transform(means_SC) ** 2, axis=1)[:, :2]
    is_clear_S = _clearest(nearest_S2[:, 1] - nearest_S2[:, 0], clusters.labels_, clearest)
    return [
        f"colour-{rank[int(cluster)]}" if is_clear else None
        for cluster, is_clear in zip(clusters.labels_, is_clear_S, strict=True)
    ]


def _clearest(margins_S: Floats, clusters_S: Ints, share: float) -> Mask:
    """Return which scenes are among the share of their cluster with the largest margins."""
    is_clear_S = np.zeros(len(margins_S), dtype=np.bool_)
    for cluster in np.unique(clusters_S):
        of_cluster = np.flatnonzero(clusters_S == cluster)
        order = np.argsort(-margins_S[of_cluster], kind="stable")
        is_clear_S[of_cluster[order[: ceil(share * len(of_cluster))]]] = True
    return is_clear_S
