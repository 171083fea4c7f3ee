"""A table of the concepts' importance for each class, in which those of the background are marked.

J concepts, K classes, H W pixels.
"""

from collections.abc import Sequence
from math import floor, log10

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from trainables.drawing.colours import FAINT, FRAME, INK, PAPER, overlay, to_image
from trainables.drawing.lettering import font, line_height, wrap, write
from trainables.evaluations.concepts.description import Concepts

MAX_CLASSES = 40
"""Rows of the image, of the classes with the lowest numbers."""
MARGIN, NAME_WIDTH, CELL_WIDTH, CELL_HEIGHT = 20, 170, 62, 24
TITLE_SIZE, NOTE_SIZE, CELL_SIZE = 20, 13, 13
NOTE = (
    "What each concept adds to the logit of a class more than to the mean logit, mean over the images of that class. "
    "Red speaks for the class and blue against it. Of concepts marked bg, more than half of the activation lies on the "
    "background."
)
CUT_NOTE = " The rows are the first {shown} of {num} classes with images; concepts.json has all."


def draw_table(concepts: Concepts, names: Sequence[str]) -> Image.Image:
    """Draw a row for each class that has images, at most `MAX_CLASSES`, and a column for each concept."""
    classes = classes_with_images(concepts)[:MAX_CLASSES]
    num_concepts = len(concepts.importance_J)
    width = 2 * MARGIN + NAME_WIDTH + max(num_concepts, 8) * CELL_WIDTH
    note = wrap(note_of(concepts), font(NOTE_SIZE), width=width - 2 * MARGIN, max_lines=6)
    top = MARGIN + line_height(TITLE_SIZE) + len(note) * line_height(NOTE_SIZE) + MARGIN
    numbers = zip(classes, _numbers(concepts.by_class_KJ[classes]), strict=True)
    rows = [("", headings(concepts)), *[(names[k], texts) for k, texts in numbers]]
    rows += [("importance", _percentages(concepts.shares)), ("on the object", _percentages(concepts.object_share_J))]
    sheet = Image.new("RGB", (width, top + len(rows) * CELL_HEIGHT + MARGIN), PAPER)
    draw = ImageDraw.Draw(sheet)
    write(draw, (MARGIN, MARGIN), ["Concepts by class"], size=TITLE_SIZE, fill=INK)
    write(draw, (MARGIN, MARGIN + line_height(TITLE_SIZE)), note, size=NOTE_SIZE, fill=FAINT)
    left = MARGIN + NAME_WIDTH
    sheet.paste(_colours(concepts.by_class_KJ[classes]), (left, top + CELL_HEIGHT))
    for number, (name, texts) in enumerate(rows):
        middle = top + number * CELL_HEIGHT + CELL_HEIGHT // 2
        (short,) = wrap(name, font(CELL_SIZE), width=NAME_WIDTH - 8, max_lines=1) or [""]
        draw.text((MARGIN, middle), short, font=font(CELL_SIZE), fill=INK, anchor="lm")
        for column, text in enumerate(texts):
            place = (left + column * CELL_WIDTH + CELL_WIDTH // 2, middle)
            draw.text(place, text, font=font(CELL_SIZE), fill=INK, anchor="mm")
    bottom = top + (len(classes) + 1) * CELL_HEIGHT
    draw.rectangle((left - 1, top + CELL_HEIGHT - 1, left + num_concepts * CELL_WIDTH, bottom), outline=FRAME)
    return sheet


def note_of(concepts: Concepts) -> str:
    """Return what stands above the table, with the number of classes where it has not all."""
    num = len(classes_with_images(concepts))
    return NOTE + (CUT_NOTE.format(shown=MAX_CLASSES, num=num) if num > MAX_CLASSES else "")


def headings(concepts: Concepts) -> list[str]:
    """Return the concepts' numbers, from 1; that of one on the background is followed by bg."""
    return [
        f"{number} bg" if is_background else str(number)
        for number, is_background in enumerate(concepts.is_background.tolist(), start=1)
    ]


def classes_with_images(concepts: Concepts) -> list[int]:
    """Return the classes of which the sample has images."""
    return [int(label) for label in (~concepts.by_class_KJ.isnan().any(1)).nonzero().flatten()]


def _numbers(values_KJ: Tensor) -> list[list[str]]:
    """Return the numbers with as many decimals as give the largest three digits."""
    decimals = min(max(0, 2 - floor(log10(values_KJ.abs().max().item() or 1.0))), 6)
    return [[f"{value:+.{decimals}f}" for value in values_J] for values_J in values_KJ.tolist()]


def _percentages(values_J: Tensor) -> list[str]:
    return ["" if value != value else f"{value:.0%}" for value in values_J.tolist()]


def _colours(values_KJ: Tensor) -> Image.Image:
    """Draw each number as a pale rectangle, so that the largest size has the strongest colour."""
    strength_KJ = values_KJ / (values_KJ.abs().max() or 1.0) / 2
    height, width = values_KJ.shape
    image = to_image(overlay(strength_KJ.float(), torch.ones(height, width)))
    return image.resize((width * CELL_WIDTH, height * CELL_HEIGHT), Image.Resampling.NEAREST)
