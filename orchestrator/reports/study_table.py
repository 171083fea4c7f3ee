"""A study's result as one table with notes, the same in Markdown, on the terminal and in the report."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter

from rich.text import Text

from orchestrator.files.text import format_seconds, listing, plural
from orchestrator.reports.metric_table import ARROWS
from orchestrator.reports.terminal_table import TerminalColumn, TerminalTable
from orchestrator.results.formatting import (
    MISSING,
    SMALLEST_SHOWN,
    format_difference,
    format_metric,
    format_setting,
    markdown_cell,
)
from orchestrator.results.study_document import (
    ArmMetric,
    ArmResult,
    Difference,
    StudyDocument,
    covers,
    differences,
    is_apart_after_holm,
)
from trainables.metric_names import without_split

FEW_SEEDS = 5


@dataclass(frozen=True, slots=True)
class Cell:
    """A mean with its spread, and under it the difference from the reference arm with its interval."""

    value: str
    difference: str = ""
    is_apart_from_zero: bool = False
    star: str = ""
    """A star, after a blank, where the difference stays apart from zero after Holm's correction."""


@dataclass(frozen=True, slots=True)
class StudyTable:
    """Heads, a line for each arm, notes and warnings."""

    title: str
    summary: str
    columns: tuple[str, ...]
    lines: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...]
    arms: tuple[str, ...]
    """A sentence for each arm on what it changes."""
    warnings: tuple[str, ...]


def study_table(document: StudyDocument) -> StudyTable:
    """Return the table of a study's result."""
    metrics = [column["metric"] for column in document["metrics"]]
    heads = [f"{column['metric']} {ARROWS[column['better']]}".strip() for column in document["metrics"]]
    return StudyTable(
        title=document["study"],
        summary=document["summary"],
        columns=("arm", "seeds", *heads, "training"),
        lines=tuple(_line(arm, metrics, len(document["seeds"])) for arm in document["arms"]),
        notes=tuple(_notes(document)),
        arms=tuple(_changes(arm, document["reference"]) for arm in document["arms"]),
        warnings=tuple(document["warnings"]),
    )


def study_markdown(document: StudyDocument) -> str:
    """Return the table as Markdown, with its warnings above and its notes below."""
    table = study_table(document)
    heads = [table.columns[0], table.columns[1], *(f"`{name}`" for name in table.columns[2:-1]), table.columns[-1]]
    lines = [
        *(f"**{warning}**\n" for warning in table.warnings),
        f"| {' | '.join(map(markdown_cell, heads))} |",
        f"| --- |{' ---: |' * (len(heads) - 1)}",
        *(f"| {' | '.join(map(_markdown, line))} |" for line in table.lines),
        "",
        *(f"{note}\n" for note in table.notes),
        *(f"- {arm}" for arm in table.arms),
    ]
    return "\n".join(lines) + "\n"


def study_rich(document: StudyDocument) -> TerminalTable:
    """Return the table for the terminal, without its notes."""
    table = study_table(document)
    return TerminalTable(
        columns=tuple(TerminalColumn(name, is_numeric=index > 0) for index, name in enumerate(table.columns)),
        lines=tuple(tuple(Text.assemble(cell.value, *_below(cell)) for cell in line) for line in table.lines),
    )


def _below(cell: Cell) -> list[tuple[str, str]]:
    """Return the difference and its interval on lines of their own, with their style."""
    text = f"{cell.difference}{cell.star}".replace(" (", "\n(")
    return [(f"\n{text}", "bold" if cell.is_apart_from_zero else "")] if text else []


def _line(arm: ArmResult, metrics: Sequence[str], num_seeds: int) -> tuple[Cell, ...]:
    seconds = arm["train_s"]
    return (
        Cell(arm["arm"]),
        Cell(str(num_seeds) if arm["num_seeds"] == num_seeds else f"{arm['num_seeds']} of {num_seeds}"),
        *(_cell(arm["figures"][metric], arm["num_seeds"]) for metric in metrics),
        Cell(MISSING if seconds is None else format_seconds(seconds)),
    )


def _cell(metric: ArmMetric, num_seeds: int) -> Cell:
    if metric["mean"] is None:
        return Cell(MISSING)
    spread = "" if metric["std"] is None else f" ± {_spread(metric['std'])}"
    fewer = "" if metric["num_seeds"] == num_seeds else f" (of {metric['num_seeds']})"
    found = metric["difference"]
    if found is None:
        return Cell(f"{format_metric(metric['mean'])}{spread}{fewer}")
    paired = "" if found["num_seeds"] == metric["num_seeds"] else f", of {found['num_seeds']}"
    difference = f"{_interval(found)}{paired}"
    star = " *" if is_apart_after_holm(found) else ""
    return Cell(f"{format_metric(metric['mean'])}{spread}{fewer}", difference, found["is_apart_from_zero"], star)


def _spread(std: float) -> str:
    return "0.000" if std < SMALLEST_SHOWN else f"{std:.3f}"


def _interval(found: Difference) -> str:
    mean, low, high = found["mean"], found["low"], found["high"]
    if low is None or high is None:
        return format_difference(mean)
    return f"{format_difference(mean)} ({format_difference(low)} to {format_difference(high)})"


def _markdown(cell: Cell) -> str:
    if not cell.difference:
        return markdown_cell(cell.value)
    difference = f"**{cell.difference}**" if cell.is_apart_from_zero else cell.difference
    markdown_star = cell.star.replace("*", "\\*")
    return f"{markdown_cell(cell.value)}<br>{difference}{markdown_star}"


def _notes(document: StudyDocument) -> Iterator[str]:
    """Yield what the values are, what their intervals cover, and the budget of the arms."""
    reference, num_seeds = document["reference"], len(document["seeds"])
    yield (
        "Mean ± standard deviation over the seeds"
        f" ({', '.join(map(str, document['seeds']))}). Below it is the difference from {reference}: the mean over the "
        "seeds of the difference at the same seed, with an interval of 95 %. It is in bold where the interval has a "
        "width and does not contain zero. Arrows say which way is better. Each interval stands for itself: of twenty "
        "true differences of zero, one is to be expected in bold."
    )
    yield _correction(document)
    yield from _coverage(document)
    maps = [f"`{metric}`" for metric in map(itemgetter("metric"), document["metrics"]) if _is_of_maps(metric)]
    if maps:
        yield (
            "Where there are values by image, differences of maps are over the images that both networks predict "
            f"right. They need not be those of the means. This holds for {listing(maps)}."
        )
    if 1 < num_seeds < FEW_SEEDS:
        yield (
            f"With {num_seeds} seeds an interval is wide, for the spread over the seeds is itself hardly known. "
            "A difference that is not in bold may well be there, and more seeds would show it."
        )
    if tuning := document.get("tuning"):
        yield tuning
    yield document["budget"]
    yield (
        "Training is the wall time of the training steps, as a mean over the seeds. "
        "Whatever else the machine ran is in it."
    )


def _correction(document: StudyDocument) -> str:
    """Return what a star marks, or that the result is of an earlier version, which marked nothing."""
    found = differences(document)
    if found and all("p_value" not in difference for difference in found):
        return "This result was made without a correction for the number of comparisons."
    num = sum(difference.get("p_value") is not None for difference in found)
    return (
        f"A star marks what stays apart from zero after Holm's correction, at 5 % for all comparisons together. "
        f"{plural(num, 'difference').capitalize()} of this table {'has' if num == 1 else 'have'} a p-value. "
        "It is from the test that belongs to the interval."
    )


def _is_of_maps(metric: str) -> bool:
    """Return whether a metric says little about images that the network predicts wrong."""
    return without_split(metric)[0].startswith(("attribution/", "adversarial/maps/"))


def _coverage(document: StudyDocument) -> Iterator[str]:
    metrics_of: dict[str, list[str]] = {}
    for metric in (column["metric"] for column in document["metrics"]):
        found = [arm["figures"][metric]["difference"] for arm in document["arms"]]
        for meaning in dict.fromkeys(_meaning(difference) for difference in found if difference is not None):
            metrics_of.setdefault(meaning, []).append(f"`{metric}`")
    yield from (f"{meaning}. This holds for {listing(metrics)}." for meaning, metrics in metrics_of.items())


def _meaning(difference: Difference) -> str:
    """Return what the interval covers, and how it is computed."""
    resampled = "the images" if difference.get("num_sources") is None else "the sources of the images"
    match covers(difference), difference["num_pictures"]:
        case "seeds and images", None:
            return "Covers other seeds and other images, of which each seed has its own (Student's t over the seeds)"
        case "seeds and images", _:
            return (
                f"Covers other seeds and other images (Student's t over the seeds, bootstrap over {resampled}, the "
                "same for all seeds)"
            )
        case "seeds", _:
            return "Covers other seeds, and not other images (Student's t over the seeds)"
        case "images", _:
            return f"Covers other images, and not other seeds (bootstrap over {resampled})"
        case _:
            return "Without an interval, for one seed says nothing of others"


def _changes(arm: ArmResult, reference: str) -> str:
    if arm["arm"] == reference:
        return f"{reference} is what the others are compared with."
    found = [
        f"`{field}: {format_setting(other)} -> {format_setting(own)}`" for field, (own, other) in arm["changes"].items()
    ]
    return f"{arm['arm']} changes {listing(found)}."
