"""The panels of several trials side by side in one image."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrator.files.trial_record import find_panels

MARGIN = 8
TITLE_HEIGHT = 16
PANELS_A_TRIAL = 4


def draw_contact_sheet(folders: Mapping[str, Path]) -> Any | None:
    """Return an image with a titled row a trial, holding the panels of its last drawn epoch; None without panels."""
    from PIL import Image, ImageDraw

    strips = {trial_id: strip for trial_id, folder in folders.items() if (strip := _strip(folder)) is not None}
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


def _strip(folder: Path) -> Any | None:
    """Paste a trial's last panels below each other; a panel is wide already."""
    from PIL import Image

    panels = find_panels(folder / "panels")
    last = [panel for panel in panels if panel.epoch == panels[-1].epoch][:PANELS_A_TRIAL]
    if not last:
        return None
    images = []
    for panel in last:
        with Image.open(panel.file) as image:
            images.append(image.convert("RGB"))
    strip = Image.new("RGB", (max(p.width for p in images), sum(p.height + MARGIN for p in images)), "white")
    top = 0
    for pasted in images:
        strip.paste(pasted, (0, top))
        top += pasted.height + MARGIN
    return strip
