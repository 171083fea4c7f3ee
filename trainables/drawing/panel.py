"""One image's ContrastiveCAMs side by side.

C channels, K classes, H W image or map.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from PIL import Image, ImageDraw
from torch import Tensor
from torch.nn import functional

from trainables.drawing.colours import FAINT, FRAME, INK, PAPER, overlay, pale_grey, to_image
from trainables.drawing.legend import LEGEND_WIDTH, draw_legend
from trainables.drawing.lettering import font, line_height, wrap, write
from trainables.drawing.tile import resize_map, resize_object

MIN_CELL, MAX_CELL = 160, 336
MARGIN, GAP = 20, 12
TITLE_SIZE, CAPTION_SIZE = 19, 15
CAPTION_LINES = 2
DIMMED = 0.2


@dataclass(frozen=True)
class Cell:
    """An image of a panel and the caption above it."""

    caption: str
    image: Image.Image


def draw_panel(
    image_CHW: Tensor,
    background_HW: Tensor | None,
    contrastive_KHW: Tensor,
    *,
    title: str,
    rivals: Sequence[tuple[int, str]],
) -> Image.Image:
    """Draw a row: the image, its object, and the ContrastiveCAM against each rival.

    A map is red where the image speaks for its own class and blue where it speaks for the rival. All maps of a
    row share one symmetric scale, which ends at their largest absolute value.

    Args:
        image_CHW: Image in [0, 1] with 1 or 3 channels.
        background_HW: Background at the image's resolution, in [0, 1]; None where there is no mask.
        contrastive_KHW: ContrastiveCAMs of the own class against each class.
        title: The line above the row.
        rivals: Class number and caption of each map to draw.

    Raises:
        ValueError: If shapes disagree or a rival is no class.
    """
    _check(image_CHW, background_HW, contrastive_KHW, rivals)
    image_CHW = _enlarge(image_CHW.detach().float().cpu().expand(3, -1, -1))
    maps_RHW = contrastive_KHW.detach().float().cpu()[[rival for rival, _ in rivals]]
    scale = maps_RHW.abs().max().item() if rivals else 0.0
    cells = [Cell("input", to_image(image_CHW)), Cell("object", _object(image_CHW, background_HW))]
    for map_HW, (_, caption) in zip(maps_RHW, rivals, strict=True):
        values_HW = resize_map(map_HW, image_CHW.shape[1:]) / (scale or 1.0)
        cells.append(Cell(caption, to_image(overlay(values_HW, pale_grey(image_CHW)))))
    return _compose(title, cells, scale)


def _check(
    image_CHW: Tensor, background_HW: Tensor | None, contrastive_KHW: Tensor, rivals: Sequence[tuple[int, str]]
) -> None:
    if image_CHW.ndim != 3 or image_CHW.shape[0] not in {1, 3}:
        raise ValueError(f"image has the shape {tuple(image_CHW.shape)}; expected 3,H,W or 1,H,W")
    if background_HW is not None and background_HW.shape != image_CHW.shape[1:]:
        raise ValueError(
            f"background has the shape {tuple(background_HW.shape)}; expected {tuple(image_CHW.shape[1:])}, the image's"
        )
    if contrastive_KHW.ndim != 3:
        raise ValueError(f"maps have the shape {tuple(contrastive_KHW.shape)}; expected K,H,W")
    for rival, caption in rivals:
        if not 0 <= rival < len(contrastive_KHW):
            raise ValueError(f"rival {rival} ({caption!r}) is no class; expected 0 to {len(contrastive_KHW) - 1}")


def _enlarge(image_CHW: Tensor) -> Tensor:
    """Repeat the pixels of a small image, or average those of a large one, to the size of a cell."""
    short, long = sorted(image_CHW.shape[1:])
    if short < MIN_CELL:
        factor = ceil(MIN_CELL / short)
        return image_CHW.repeat_interleave(factor, 1).repeat_interleave(factor, 2)
    if long <= MAX_CELL:
        return image_CHW
    size = [max(1, round(side * MAX_CELL / long)) for side in image_CHW.shape[1:]]
    return functional.interpolate(image_CHW.unsqueeze(0), size, mode="bilinear", antialias=True).squeeze(0)


def _object(image_CHW: Tensor, background_HW: Tensor | None) -> Image.Image:
    if background_HW is None:
        empty = Image.new("RGB", (image_CHW.shape[2], image_CHW.shape[1]), "#efefef")
        centre = (empty.width // 2, empty.height // 2)
        ImageDraw.Draw(empty).text(centre, "no mask", font=font(CAPTION_SIZE), fill=FAINT, anchor="mm")
        return empty
    dim_HW = resize_object(background_HW.detach().float().cpu(), image_CHW.shape[1:]) * (1 - DIMMED)
    return to_image(image_CHW * (1 - dim_HW))


def _compose(title: str, cells: Sequence[Cell], scale: float) -> Image.Image:
    width, height = cells[0].image.size
    row_width = len(cells) * (width + GAP)
    total = 2 * MARGIN + row_width + LEGEND_WIDTH
    titles = wrap(title, font(TITLE_SIZE), width=total - 2 * MARGIN, max_lines=1)
    captions = [wrap(cell.caption, font(CAPTION_SIZE), width=width, max_lines=CAPTION_LINES) for cell in cells]
    captions_top = MARGIN + len(titles) * (line_height(TITLE_SIZE) + GAP)
    captions_bottom = captions_top + max(map(len, captions)) * line_height(CAPTION_SIZE)
    top = captions_bottom + GAP // 2
    panel = Image.new("RGB", (total, top + height + MARGIN), PAPER)
    draw = ImageDraw.Draw(panel)
    write(draw, (MARGIN, MARGIN), titles, size=TITLE_SIZE, fill=INK)
    for position, (cell, lines) in enumerate(zip(cells, captions, strict=True)):
        left = MARGIN + position * (width + GAP)
        panel.paste(cell.image, (left, top))
        draw.rectangle((left - 1, top - 1, left + width, top + height), outline=FRAME)
        above = captions_bottom - len(lines) * line_height(CAPTION_SIZE)
        write(draw, (left, above), lines, size=CAPTION_SIZE, fill=INK)
    draw_legend(panel, (MARGIN + row_width, top), height, (f"{scale:+.2g}", f"{-scale:+.2g}"))
    return panel
