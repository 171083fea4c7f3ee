"""What the files of one set of images show, and what is wrong with them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from orchestrator.data.alignment import EXIF_TURNS, fit_after, needed_rotation
from orchestrator.data.contact_sheet import evenly
from orchestrator.data.files import Broken, Files, Look, Track, decode_files, stat_files
from trainables.data import Draw, ImageSet
from trainables.data.file_reader import UPRIGHT, orientation_of
from trainables.data.folders import first_few, left_out_text
from trainables.data.image_files import ImageFiles
from trainables.data.masks.voc_boxes import XML

SAMPLE = 200
"""Images of a set that are read unless all are."""
NUM_TURNED = 100
"""Images with masks whose fit is measured."""
_MAX_OPENED = 1000
_RESTORE = "restore them, or set data.on_error=skip to leave them out"


@dataclass(slots=True)
class Seen:
    """What is known of the files of a set."""

    files: Files
    looks: list[Look]
    wrong: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def look_at(images: ImageFiles, *, full: bool, processes: int, track: Track) -> Seen:
    """Look for every file, and read a sample of the images, or all of them."""
    files = stat_files(images, track)
    chosen = files.usable if full else evenly(files.usable, SAMPLE)
    looks, broken = decode_files(images, chosen, processes=processes, track=track)
    seen = Seen(files, looks, [*_unusable(files), *_broken(broken, len(chosen))])
    left_out = _images_among(images.left_out)
    if left_out:
        seen.wrong.append(f"images whose endings leave them out ({len(left_out)}): {first_few(left_out)}; rename them")
    others = [path for path in images.left_out if path not in left_out]
    if others:
        seen.notes.append(left_out_text(others))
    _note_objects(images, seen)
    return seen


def turned(images: ImageSet, indices: Sequence[int]) -> Iterator[str]:
    """Yield what is wrong where masks fit their images only after a turn; `indices` are images with masks."""
    chosen = evenly(indices, NUM_TURNED)
    batch = images.__getitems__([Draw(index, 0) for index in chosen])
    by_exif = torch.tensor([_turned_by_exif(images, index) for index in chosen])
    is_turned = by_exif != UPRIGHT
    if is_turned.any():
        turns = [EXIF_TURNS[int(orientation)] for orientation in by_exif[is_turned]]
        fit = fit_after(turns, batch.images_BCHW[is_turned], batch.background_BHW[is_turned])
        if fit.is_turned:
            yield (
                f"masks that fit their images only as these are stored ({fit.better} of {fit.num} that EXIF turns): "
                "turn the masks too, or remove the EXIF orientation of the images"
            )
    needed = needed_rotation(batch.images_BCHW[~is_turned], batch.background_BHW[~is_turned])
    if needed:
        degrees, fit = needed
        yield (
            f"masks that fit their images better after a rotation by {degrees} degrees against the clock ("
            f"{fit.better} of {fit.num}): see the contact sheet, and turn the masks"
        )


def _turned_by_exif(images: ImageSet, index: int) -> int:
    """Return the orientation of an image whose mask has none."""
    if not isinstance(images, ImageFiles):
        return UPRIGHT
    image_file = images.entries[index]
    mask = image_file.mask_path
    if mask is None or mask.suffix == XML or orientation_of(mask) != UPRIGHT:
        return UPRIGHT
    return orientation_of(image_file.path)


def _unusable(files: Files) -> Iterator[str]:
    for what, paths in (("missing", files.missing), ("empty", files.empty)):
        if paths:
            yield f"{what} files ({len(paths)}): {first_few(paths)}; {_RESTORE}"
    if files.irregular:
        yield f"what cannot be read as a file ({len(files.irregular)}): {first_few(files.irregular)}; {_RESTORE}"


def _broken(broken: Sequence[Broken], num_read: int) -> Iterator[str]:
    sizes = [one.message for one in broken if one.is_size]
    if len(sizes) > 1:
        yield f"masks of another size than their images ({len(sizes)} of {num_read} read): {sizes[0]}, and others"
    for one in broken:
        if not one.is_size or len(sizes) == 1:
            yield f"{one.message}; restore it, or set data.on_error=skip to leave it out"


def _note_objects(images: ImageFiles, seen: Seen) -> None:
    """Add which of the masks that were read show no object."""
    masked = [look for look in seen.looks if look.has_mask]
    without = [str(images.entries[look.index].mask_path) for look in masked if not look.shows_object]
    text = f"masks that show no object ({len(without)} of {len(masked)} that were read): {first_few(without)}"
    if without and len(without) == len(masked):
        seen.wrong.append(f"{text}; no mask has an effect, so check the values of their pixels")
    elif without:
        seen.notes.append(f"{text}; their images count as without a mask")


def _images_among(paths: Sequence[str]) -> list[str]:
    """Return those of the first files that are images by their content."""
    return [path for path in paths[:_MAX_OPENED] if _is_image(Path(path))]


def _is_image(path: Path) -> bool:
    if not path.is_file():
        return False
    try:
        orientation_of(path)
    except (OSError, SyntaxError, ValueError):
        return False
    return True
