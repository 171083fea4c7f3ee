"""Images of trials, side by side, as data that a page can hold."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from trainables.trial_folder import TrialFolder

MAX_IMAGES = 8
WIDEST_OF_TWO = 800


@dataclass(frozen=True, slots=True)
class ImageRow:
    """An image as each trial has it, as a data URI; None where the trial has none."""

    image: str
    uris: tuple[str | None, ...]
    width: int
    """Of the widest, in pixels."""

    @property
    def is_wide(self) -> bool:
        """Whether two of them would be too small beside each other on a common screen."""
        return self.width > WIDEST_OF_TWO


def image_rows(folders: Sequence[TrialFolder]) -> list[ImageRow]:
    """Return the last panels of the trials, the same image beside itself, those that all have first."""
    return side_by_side([last_panels(folder) for folder in folders])


def side_by_side(found: Sequence[Mapping[str, Path]], *, most: int = MAX_IMAGES) -> list[ImageRow]:
    """Return the images of one name beside each other, those that all have first."""
    names = sorted(
        {name for images in found for name in images},
        key=lambda name: (sum(name not in images for images in found), name),
    )
    return [_row(name, [images.get(name) for images in found]) for name in names[:most]]


def _row(name: str, paths: Sequence[Path | None]) -> ImageRow:
    return ImageRow(name, tuple(map(_data_uri, paths)), max(_width(path) for path in paths if path is not None))


def _width(path: Path) -> int:
    with Image.open(path) as image:
        return image.width


def last_panels(folder: TrialFolder) -> dict[str, Path]:
    """Return image id -> panel of the last epoch that has panels."""
    epochs = [int(number) for path in folder.path.glob("panels/epoch-*") if (number := path.name[6:]).isdecimal()]
    by_epoch = ({path.stem: path for path in folder.panels_path(epoch).glob("*.png")} for epoch in sorted(epochs)[::-1])
    return next(filter(None, by_epoch), {})


def _data_uri(path: Path | None) -> str | None:
    return None if path is None else f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"
