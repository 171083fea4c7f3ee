"""Words that Pillow's font can write."""

import string

import numpy as np
import pytest
from PIL import Image, ImageDraw

from trainables.drawing.lettering import drawable, font, latin, wrap

MISSING = "\U0010ffff"


def look(text: str) -> bytes:
    image = Image.new("L", (80, 40))
    ImageDraw.Draw(image).text((4, 4), text, font=font(20), fill=255)
    return image.tobytes()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Größe", "Grosse"),
        ("épagneul à l'œil", "epagneul a l'oeil"),
        ("e\N{COMBINING ACUTE ACCENT}", "e"),
        ("Łódź, Ærø, smørrebrød", "Lodz, AEro, smorrebrod"),
        ("Ǿ", "O"),
        ("犬 kot", "? kot"),
        ("2 \N{MULTIPLICATION SIGN} 3", "2 x 3"),
        ("", ""),
    ],
)
def test_letters_that_the_font_lacks_are_replaced(text: str, expected: str) -> None:
    assert drawable(text) == expected


def test_what_the_font_has_is_kept() -> None:
    text = string.digits + string.ascii_letters + string.punctuation + " «»“”…©"
    assert drawable(text) == text


def test_the_font_would_draw_accents_as_boxes() -> None:
    assert look("é") == look(MISSING) != look("e")


def test_no_line_holds_a_box() -> None:
    name = "żółć ñandú Ünderdog 日本 привет"
    for word in wrap(name, font(20), width=1000, max_lines=1)[0]:
        assert look(word) != look(MISSING)


def test_letters_of_ascii_stay() -> None:
    assert "".join(map(latin, string.printable)) == string.printable


def test_lines_are_not_wider_than_asked() -> None:
    lines = wrap("ÄÖÜ " * 40, font(13), width=100, max_lines=3)
    assert len(lines) == 3
    assert lines[-1].endswith("...")
    assert max(font(13).getlength(line) for line in lines) <= 100
    assert np.frombuffer(look(lines[0]), np.uint8).any()
