"""Text of limited width, in Pillow's own scalable font."""

from functools import cache

from PIL import ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@cache
def font(size: int) -> Font:
    """Return Pillow's default font at `size` pixels."""
    return ImageFont.load_default(size=size)


def wrap(text: str, font: Font, *, width: int, max_lines: int) -> list[str]:
    """Break `text` at spaces into lines of at most `width` pixels; what does not fit ends in an ellipsis."""
    lines: list[str] = []
    for word in text.split():
        if lines and (len(lines) == max_lines or font.getlength(f"{lines[-1]} {word}") <= width):
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return [_shorten(line, font, width) for line in lines]


def _shorten(line: str, font: Font, width: int) -> str:
    if font.getlength(line) <= width:
        return line
    while line and font.getlength(f"{line}...") > width:
        line = line[:-1]
    return f"{line.rstrip()}..."
