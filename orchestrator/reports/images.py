"""Images of trials side by side: as data that a page can hold, and as one sheet for MLflow."""

import base64
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

from orchestrator.files.trial_record import find_panels
from orchestrator.results.evaluated import EvaluatedRun
from orchestrator.results.metric_catalogue import category_of_evaluation
from trainables.json_file import read_object
from trainables.outcome import KEPT_EPOCH

MAX_IMAGES = 8
WIDEST_OF_TWO = 800
MARGIN = 8
TITLE_HEIGHT = 16
PANELS_A_TRIAL = 4


@dataclass(frozen=True, slots=True)
class ImageRow:
    """An image as each trial has it, as a data URI; None where the trial has none."""

    image: str
    uris: tuple[str | None, ...]
    width: int
    """Of the widest, in pixels."""

    @property
    def is_wide(self) -> bool:
        """Whether two side by side would be too small on a common screen."""
        return self.width > WIDEST_OF_TWO


@dataclass(frozen=True, slots=True)
class Images:
    """The images of an evaluation."""

    evaluation: str
    rows: tuple[ImageRow, ...]
    num_left_out: int


def images(runs: Sequence[EvaluatedRun], *, without: str = "") -> dict[str, list[Images]]:
    """Return by category the images of its evaluations: those that all runs have, or where there are none, all.

    Args:
        without: An evaluation to leave out.
    """
    found: dict[str, list[Images]] = {}
    for name in dict.fromkeys(name for run in runs for name in run.evaluations):
        shown = images_of(runs, name)
        if shown.rows and name != without:
            found.setdefault(category_of_evaluation(name), []).append(shown)
    return found


def images_of(runs: Sequence[EvaluatedRun], evaluation: str) -> Images:
    """Return the images of one evaluation."""
    by_run = [
        {path.stem: path for path in run.evaluations[evaluation].images} if evaluation in run.evaluations else {}
        for run in runs
    ]
    names = {name for paths in by_run for name in paths}
    shared = {name for name in names if all(name in paths for paths in by_run)} or names
    rows = tuple(side_by_side([_only(paths, shared) for paths in by_run]))
    return Images(evaluation, rows, len(names) - len(rows))


def _only(paths: Mapping[str, Path], names: Collection[str]) -> dict[str, Path]:
    return {name: path for name, path in paths.items() if name in names}


def side_by_side(found: Sequence[Mapping[str, Path]]) -> list[ImageRow]:
    """Return the images of the same name in one row, those that all have first."""
    names = sorted(
        {name for images in found for name in images},
        key=lambda name: (sum(name not in images for images in found), name),
    )
    return [_row(name, [images.get(name) for images in found]) for name in names[:MAX_IMAGES]]


def _row(name: str, paths: Sequence[Path | None]) -> ImageRow:
    return ImageRow(name, tuple(map(_data_uri, paths)), max(_width(path) for path in paths if path is not None))


def _width(path: Path) -> int:
    with Image.open(path) as image:
        return image.width


def last_panels(folder: Path) -> dict[str, Path]:
    """Return image id -> panel of the network that the trial keeps, or else of the last epoch that has panels."""
    panels = find_panels(folder / "panels")
    kept = read_object(folder / "evaluation.json").get(KEPT_EPOCH)
    epochs = [panel.epoch for panel in panels]
    shown = kept if kept in epochs else max(epochs, default=0)
    return {panel.image: panel.file for panel in panels if panel.epoch == shown}


def _data_uri(path: Path | None) -> str | None:
    return None if path is None else f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"


def draw_contact_sheet(folders: Mapping[str, Path]) -> Image.Image | None:
    """Return an image with a titled row for each trial, its panels as `last_panels` has them; None without panels."""
    panels = {trial_id: list(last_panels(folder).values())[:PANELS_A_TRIAL] for trial_id, folder in folders.items()}
    strips = {trial_id: _strip(files) for trial_id, files in panels.items() if files}
    if not strips:
        return None
    width = max(strip.width for strip in strips.values()) + 2 * MARGIN
    height = sum(strip.height + TITLE_HEIGHT + MARGIN for strip in strips.values()) + MARGIN
    sheet = Image.new("RGB", (width, height), "white")
    draw, top = ImageDraw.Draw(sheet), MARGIN
    for trial_id, strip in strips.items():
        draw.text((MARGIN, top), trial_id, fill="black")
        sheet.paste(strip, (MARGIN, top + TITLE_HEIGHT))
        top += TITLE_HEIGHT + strip.height + MARGIN
    return sheet


def _strip(files: Sequence[Path]) -> Image.Image:
    """Paste panels below each other; a panel is wide already."""
    panels = [_opened(file) for file in files]
    strip = Image.new("RGB", (max(p.width for p in panels), sum(p.height + MARGIN for p in panels)), "white")
    top = 0
    for panel in panels:
        strip.paste(panel, (0, top))
        top += panel.height + MARGIN
    return strip


def _opened(file: Path) -> Image.Image:
    with Image.open(file) as image:
        return image.convert("RGB")
