"""A benchmark's figures as flat JSON rows: one file a benchmark, written anew by each run."""

import argparse
import datetime
import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.harness.page import write_page
from orchestrator.files.provenance import collect_provenance

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "performance.md"

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured figure, next to that of its counterpart where it has one."""

    figure: str
    value: float
    unit: str
    against: str | None = None
    """What the counterpart is."""
    counterpart: float | None = None
    """Its value, measured in the same run and in the same unit."""

    @property
    def ratio(self) -> float | None:
        return self.value / self.counterpart if self.counterpart else None


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One script: its name, what it measures, and how it was called."""

    name: str
    about: str
    arguments: argparse.Namespace

    @property
    def quick(self) -> bool:
        """Whether to run only so much that every line has run; the figures mean nothing then."""
        return bool(self.arguments.quick)

    def publish(self, figures: Sequence[Figure]) -> None:
        """Print the figures' rows, write them, and make the page anew where they are written to its folder."""
        lines = [json.dumps(row) for row in self._rows(figures)]
        print("\n".join(lines))
        folder = self.arguments.results or (None if self.quick else RESULTS)
        if folder is None:
            return
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{self.name}.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        if folder == RESULTS:
            write_page(RESULTS, PAGE)

    def _rows(self, figures: Sequence[Figure]) -> list[Row]:
        options = sys.argv[1:]
        made = {
            "about": self.about,
            "command": shlex.join(["python", "-m", f"benchmarks.{self.name}", *options]),
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
            **_machine(),
        }
        return [
            {
                "benchmark": self.name,
                "figure": entry.figure,
                "value": entry.value,
                "unit": entry.unit,
                "against": entry.against,
                "counterpart": entry.counterpart,
                "ratio": entry.ratio,
                **made,
            }
            for entry in figures
        ]


def benchmark(script: str, doc: str | None, *options: tuple[str, dict[str, Any]]) -> Benchmark:
    """Parse the command line of the script at path `script`, whose docstring says what it measures.

    Args:
        script: The script's `__file__`; the benchmark is named after it.
        doc: Its docstring; the first paragraph is the page's text.
        options: Further options, as `add_argument` takes them.
    """
    about = " ".join((doc or "").strip().partition("\n\n")[0].split())
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--quick", action="store_true", help="run as little as can be, and keep no rows")
    parser.add_argument("--results", type=Path, help=f"folder of the rows (default: {RESULTS.relative_to(ROOT)})")
    for name, keywords in options:
        parser.add_argument(name, **keywords)
    return Benchmark(Path(script).stem, about, parser.parse_args())


def _machine() -> Row:
    tags = collect_provenance().tags
    hardware = {key.rpartition(".")[2]: value for key, value in tags.items() if key.startswith("campaign.hardware.")}
    versions = {key.rpartition(".")[2]: value for key, value in tags.items() if key.startswith("campaign.version.")}
    parts = [hardware["cpu"], f"{hardware['cores']} cores", f"{hardware['memory_gib']} GiB", hardware.get("gpus")]
    return {
        "hardware": ", ".join(part for part in parts if part),
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
    }
