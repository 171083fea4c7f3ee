"""The page of measurements, made from the benchmarks' rows."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HEAD = """# Performance

`make bench` writes this page from its rows in `benchmarks/results`. Values are medians. Each stands next to that of its
bare counterpart, measured in the same run. The ratio is the first over the second.
"""


def write_page(results: Path, page: Path) -> None:
    """Write to `page` a section for each `<benchmark>.jsonl` in `results`.

    Raises:
        FileNotFoundError: There are no rows.
    """
    files = sorted(results.glob("*.jsonl"))
    if not files:
        raise FileNotFoundError(f"{results} holds no rows; run a benchmark first, or all of them with: make bench")
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text("\n".join([HEAD, *(section(read_rows(file)) for file in files)]), encoding="utf-8")


def read_rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def section(rows: Sequence[dict[str, Any]]) -> str:
    """Return one benchmark's section: what is measured, the values, and by what command and machine."""
    first = rows[0]
    lines = [
        f"## {first['benchmark'].replace('_', ' ').capitalize().replace('Cli ', 'CLI ')}",
        "",
        first["about"],
        "",
        "| measured | value | counterpart | ratio |",
        "|---|---|---|---|",
        *(_table_row(row) for row in rows),
        "",
        f"`{first['command']}`, {first['date']}, on {first['hardware']}. Versions: {first['versions']}.",
        "",
    ]
    return "\n".join(lines)


def _table_row(row: dict[str, Any]) -> str:
    value = f"{number(row['value'])} {row['unit']}"
    if row["counterpart"] is None:
        return f"| {row['figure']} | {value} | | |"
    counterpart = f"{number(row['counterpart'])} {row['unit']} ({row['against']})"
    ratio = "" if row["ratio"] is None else f"{row['ratio']:.2f}"
    return f"| {row['figure']} | {value} | {counterpart} | {ratio} |"


def number(value: float) -> str:
    """Return `value` with three significant digits, and never with an exponent.

    >>> number(0.01234), number(12.3456), number(1234.5)
    ('0.0123', '12.3', '1234')
    """
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}" if abs(value) >= 1e-3 else f"{value:.4f}"
