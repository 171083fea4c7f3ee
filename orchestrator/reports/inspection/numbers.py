"""Numbers of documents as text; what a run lacks is a dash."""

from collections.abc import Callable, Mapping
from math import isnan

from orchestrator.results.formatting import MISSING, format_difference, format_metric


def number(value: float | None) -> str:
    """Return a number of three decimals."""
    if value is None or isnan(value):
        return MISSING
    return format_metric(value).replace("-", "−", 1 if value < 0 else 0)  # noqa: RUF001


def signed(value: float | None) -> str:
    """Return a signed number of three decimals."""
    return MISSING if value is None or isnan(value) else format_difference(value)


def percent(value: float | None, decimals: int = 0) -> str:
    """Return a share as a percentage."""
    return MISSING if value is None or isnan(value) else f"{value:.{decimals}%}"


def whole(value: float | None) -> str:
    """Return a number without decimals."""
    return MISSING if value is None or isnan(value) else f"{value:.0f}"


def interval(found: Mapping[str, float | None], show: Callable[[float | None], str] = number) -> str:
    """Return a value with its interval."""
    value, low, high = (found[name] for name in ("value", "low", "high"))
    return MISSING if value is None or isnan(value) else f"{show(value)} ({show(low)} to {show(high)})"
