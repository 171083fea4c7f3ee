"""Numbers of documents as text."""

from collections.abc import Callable
from math import nan

import pytest

from orchestrator.reports.inspection.numbers import interval, number, percent, signed, whole

MINUS, DASH = "−", "–"  # noqa: RUF001


@pytest.mark.parametrize("show", [number, signed, percent, whole])
def test_what_is_missing_is_a_dash(show: Callable[[float | None], str]) -> None:
    assert (show(None), show(nan)) == (DASH, DASH)


def test_numbers_have_the_minus_sign_of_their_differences() -> None:
    assert (number(-1.5), signed(-1.5), signed(1.5)) == (f"{MINUS}1.500", f"{MINUS}1.500", "+1.500")
    assert (number(0.00002), number(-0.00002)) == ("2.0e-05", f"{MINUS}2.0e-05")


def test_shares_and_counts() -> None:
    assert (percent(0.004), percent(0.004, 1), whole(12.0)) == ("0%", "0.4%", "12")


def test_interval_of_a_missing_value_is_a_dash() -> None:
    assert interval({"value": None, "low": None, "high": None}) == DASH
    assert interval({"value": 3.0, "low": 2.0, "high": 4.0}, whole) == "3 (2 to 4)"
