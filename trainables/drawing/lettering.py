"""Text of limited width, in Pillow's own scalable font, which has little more than the letters of ASCII."""

import unicodedata
from bisect import bisect_right
from collections.abc import Sequence
from functools import cache

from PIL import Image, ImageDraw, ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

LINE_SPACING = 1.3
LETTERS = {
    "ß": "ss",
    "Æ": "AE",
    "æ": "ae",
    "Œ": "OE",
    "œ": "oe",
    "Ø": "O",
    "ø": "o",
    "Ł": "L",
    "ł": "l",
    "Đ": "D",
    "đ": "d",
    "Ð": "D",
    "ð": "d",
    "Þ": "Th",
    "þ": "th",
    "\N{LATIN SMALL LETTER DOTLESS I}": "i",
    "\N{MULTIPLICATION SIGN}": "x",
}
"""Letters that Unicode does not take apart."""
_UNASSIGNED = "\U0010ffff"


@cache
def font(size: int) -> Font:
    """Return Pillow's default font at `size` pixels."""
    return ImageFont.load_default(size=size)


def line_height(size: int) -> int:
    """Return the distance of two lines of text of `size` pixels."""
    return round(size * LINE_SPACING)


def write(draw: ImageDraw.ImageDraw, corner: tuple[int, int], lines: Sequence[str], *, size: int, fill: str) -> None:
    """Write `lines` one below the other, from `corner`, the upper left."""
    for number, line in enumerate(lines):
        draw.text((corner[0], corner[1] + number * line_height(size)), line, font=font(size), fill=fill)


def wrap(text: str, font: Font, *, width: int, max_lines: int) -> list[str]:
    """Break `text` at spaces into lines of at most `width` pixels; what does not fit ends in an ellipsis.

    Letters that the font lacks are written in those that it has.
    """
    lines: list[str] = []
    for word in drawable(text).split():
        if lines and (len(lines) == max_lines or font.getlength(f"{lines[-1]} {word}") <= width):
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return [_shorten(line, font, width) for line in lines]


def drawable(text: str) -> str:
    """Return `text` with letters that the font lacks replaced: é by e, ß by ss, others by ?."""
    composed = unicodedata.normalize("NFC", text)
    return "".join(char if char.isspace() or _has_glyph(char) else _in_glyphs(char) for char in composed)


def latin(char: str) -> str:
    """Return a character without its accents, in the letters of ASCII where it has any."""
    parts = unicodedata.normalize("NFKD", LETTERS.get(char, char))
    return "".join(LETTERS.get(part, part) for part in parts if not unicodedata.combining(part))


def _in_glyphs(char: str) -> str:
    return "".join(part if _has_glyph(part) else "?" for part in latin(char))


@cache
def _has_glyph(char: str) -> bool:
    return _drawn(char) != _drawn(_UNASSIGNED)


def _drawn(char: str) -> bytes:
    """Return a character's pixels; all that the font lacks look the same."""
    image = Image.new("L", (48, 32))
    ImageDraw.Draw(image).text((4, 4), char, font=font(16), fill=255)
    return image.tobytes()


def _shorten(line: str, font: Font, width: int) -> str:
    if font.getlength(line) <= width:
        return line
    length = bisect_right(range(1, len(line)), float(width), key=lambda end: font.getlength(f"{line[:end]}..."))
    return f"{line[:length].rstrip()}..."
