"""Counts, lists and durations as users read them."""

import pytest

from orchestrator.files.text import format_seconds, listing, parse_seconds, plural


@pytest.mark.parametrize(("number", "text"), [(0, "no trials"), (1, "1 trial"), (2, "2 trials")])
def test_plural_is_for_every_number_but_one(number: int, text: str) -> None:
    assert plural(number, "trial") == text


@pytest.mark.parametrize(("words", "text"), [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")])
def test_last_word_of_a_listing_follows_and(words: list[str], text: str) -> None:
    assert listing(words) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (7.4, "7s"), (59.6, "1m00s"), (125, "2m05s"), (3600, "1h00m"), (3725, "1h02m"), (90000, "25h00m")],
)
def test_seconds_for_people(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text


@pytest.mark.parametrize(("text", "seconds"), [("90", 90.0), ("90s", 90.0), ("30m", 1800.0), ("1.5h", 5400.0)])
def test_duration_is_read_in_its_unit(text: str, seconds: float) -> None:
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "0m", "-5", "5d", "m", "1e3", "1h30m"])
def test_other_text_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match=f"found '{text}'; expected a duration such as 90s, 30m or 2h"):
        parse_seconds(text)
