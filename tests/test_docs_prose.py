"""README and docs are written in short sentences."""

import re
import statistics
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
MAX_MEAN = 18
MAX_WORDS = 35

FENCED = re.compile(r"^ *(```|~~~).*?^ *\1 *$", re.DOTALL | re.MULTILINE)
NOT_PROSE = re.compile(r"^ *(\||#|<|!\[).*$", re.MULTILINE)
"""Tables, headings, HTML and images that stand alone."""
LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
CODE = re.compile(r"`[^`]+`")
ITEM = re.compile(r"^ *(?:[-*+]|\d+\.) +", re.MULTILINE)
END = re.compile(
    r"""(?<![. ][a-zA-Z])(?<!\be\.g)(?<!\bi\.e)(?<!\bvs)(?<!\betc)[.!?]["')*_]*\s+(?=["'(*_\[]*[A-Z0-9`])"""
)


def sentences(text: str) -> list[str]:
    """Return the sentences of a Markdown page's prose, with inline code as one word each.

    A list item ends a sentence as a paragraph does; a colon and a semicolon do not.
    """
    prose = NOT_PROSE.sub("\n\n", FENCED.sub("\n\n", text))
    blocks = re.split(r"\n\s*\n", ITEM.sub("\n\n", LINK.sub(capitalised_text, CODE.sub("Code", prose))))
    found = [sentence for block in blocks for sentence in END.split(" ".join(block.split()))]
    return [sentence for sentence in found if words(sentence)]


def capitalised_text(link: re.Match[str]) -> str:
    """Return a link's text so that it may start a sentence."""
    return link[1][:1].upper() + link[1][1:]


def words(sentence: str) -> list[str]:
    return [word for word in sentence.split() if re.search(r"\w", word)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page_has_no_long_sentence(page: Path) -> None:
    found = sentences(page.read_text(encoding="utf-8"))
    assert [sentence for sentence in found if len(words(sentence)) > MAX_WORDS] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_sentences_of_a_page_are_short_on_average(page: Path) -> None:
    found = sentences(page.read_text(encoding="utf-8"))
    assert statistics.fmean(len(words(sentence)) for sentence in found) <= MAX_MEAN


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two two! Three?", ["One", "Two two", "Three?"]),
        ("A line\nthat goes on. `code.py` starts one.", ["A line that goes on", "Code starts one."]),
        ("# Title\nText.\n\n## Next. One\nMore.", ["Text.", "More."]),
        ("Before:\n\n```\nno. Prose here.\n```\nAfter.", ["Before:", "After."]),
        ("  ```yaml\n  a: 1\n  ```\nAfter.", ["After."]),
        ("| a. B | c |\n|---|---|\n| d. E | f |\n\nText.", ["Text."]),
        ("- one thing\n- two things. And more\n1. third", ["one thing", "two things", "And more", "third"]),
        ("See [the page](a/b.md#c). [data.md](data.md) has it.", ["See The page", "Data.md has it."]),
        ("![An image. Not read](img/a.png)\n\nText.", ["Text."]),
        ("It costs 0.5 e.g. Here, i.e. There. Done.", ["It costs 0.5 e.g. Here, i.e. There", "Done."]),
        ("One: two; three.", ["One: two; three."]),
        ("(In brackets.) Next. **Bold.** Then.", ["(In brackets", "Next", "**Bold", "Then."]),
        ("<details><summary>More, 3 rows</summary>\n\nText.\n\n</details>", ["Text."]),
    ],
)
def test_page_is_split_into_sentences(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


def test_words_are_counted_without_marks() -> None:
    assert words("A word + two, 0.5 and `code` = 1.") == ["A", "word", "two,", "0.5", "and", "`code`", "1."]
