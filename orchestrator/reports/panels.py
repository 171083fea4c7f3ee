"""The CAM panels of trials, side by side, as data that a page can hold."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trainables.trial_folder import TrialFolder

MOST_PICTURES = 8


@dataclass(frozen=True, slots=True)
class PictureRow:
    """One picture's panel of each trial, as a data URI; None where the trial has none."""

    picture: str
    uris: tuple[str | None, ...]


def picture_rows(folders: Sequence[TrialFolder], *, most: int = MOST_PICTURES) -> list[PictureRow]:
    """Return the last panels of the trials, the same picture beside itself, those that all have first."""
    found = [last_panels(folder) for folder in folders]
    pictures = sorted(
        {picture for panels in found for picture in panels},
        key=lambda picture: (sum(picture not in panels for panels in found), picture),
    )
    return [
        PictureRow(picture, tuple(_data_uri(panels.get(picture)) for panels in found)) for picture in pictures[:most]
    ]


def last_panels(folder: TrialFolder) -> dict[str, Path]:
    """Return picture id -> panel of the last epoch that has panels."""
    epochs = [int(number) for path in folder.path.glob("panels/epoch-*") if (number := path.name[6:]).isdecimal()]
    by_epoch = ({path.stem: path for path in folder.panels_path(epoch).glob("*.png")} for epoch in sorted(epochs)[::-1])
    return next(filter(None, by_epoch), {})


def _data_uri(path: Path | None) -> str | None:
    return None if path is None else f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"
