"""Counts, lists and durations as users read them."""

import pytest

from orchestrator.files.text import format_seconds, listing, plural


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
