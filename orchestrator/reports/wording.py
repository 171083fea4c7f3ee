"""How numbers, settings and trials are worded, the same in HTML, Markdown and on the terminal."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from orchestrator.results import TrialRow

MISSING = "–"  # noqa: RUF001
CROSS_ENTROPY = "cross_entropy"
SMALLEST_SHOWN = 0.0005


def format_metric(value: float | None) -> str:
    """Return three decimals, or two digits and an exponent where those would all be zero."""
    if value is None:
        return MISSING
    return f"{value:.3f}" if value == 0 or abs(value) >= SMALLEST_SHOWN else f"{value:.1e}"


def format_difference(value: float) -> str:
    """Return a signed number of three decimals; 0.000 where they are all zero."""
    return "0.000" if abs(value) < SMALLEST_SHOWN else f"{value:+.3f}".replace("-", "−")  # noqa: RUF001


def format_setting(value: Any) -> str:
    """Return a config value as YAML writes it, a float with three digits."""
    match value:
        case None:
            return MISSING
        case bool():
            return str(value).lower()
        case float():
            return f"{value:.3g}"
        case _:
            return str(value)


def markdown_cell(text: str) -> str:
    """Return text as it may stand in a cell of a Markdown table."""
    for found, written in (("\\", "\\\\"), ("|", "\\|"), ("<", "&lt;"), ("\n", " ")):
        text = text.replace(found, written)
    return text


def short_names(fields: Sequence[str]) -> list[str]:
    """Return each field's last part, the section for a `kind`, and the whole where that is not unique."""
    short = [_last_part(field) for field in fields]
    counts = Counter(short)
    return [name if counts[name] == 1 else field for name, field in zip(short, fields, strict=True)]


def _last_part(field: str) -> str:
    *sections, name = field.split(".")
    return sections[-1] if name == "kind" and sections else name


def objective(row: TrialRow) -> str:
    """Return the kind of the trial's objective."""
    return str(row["config"].get("objective.kind", "unknown"))


def objective_name(kind: str) -> str:
    return kind.replace("_", "-")


def is_cross_entropy(row: TrialRow) -> bool:
    return objective(row) == CROSS_ENTROPY


def background_weight(row: TrialRow) -> float | None:
    """Return the objective's background weight, or None where it has none."""
    weight = row["config"].get("objective.background_weight")
    return None if weight is None else float(weight)


def describe(row: TrialRow) -> str:
    """Return `0003 (contrastive, background weight 0.31)`."""
    return f"{row['trial_id']} ({describe_objective(row)})"


def describe_objective(row: TrialRow) -> str:
    """Return `contrastive, background weight 0.31`."""
    weight = background_weight(row)
    setting = "" if weight is None else f", background weight {format_setting(weight)}"
    return f"{objective_name(objective(row))}{setting}"


def listing(parts: Sequence[str]) -> str:
    """Return `a`, `a and b` or `a, b and c`."""
    *start, last = parts
    return f"{', '.join(start)} and {last}" if start else last
