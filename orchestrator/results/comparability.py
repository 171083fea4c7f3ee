"""What makes the evaluations of runs incomparable, and which evaluations are missing."""

import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from orchestrator.files.text import listing
from orchestrator.results.evaluated import EvaluatedRun
from trainables.config import Suite
from trainables.config.section import Section
from trainables.evaluations import QUICK

NUM_IMAGES = "num_pictures"
SHOWN = (NUM_IMAGES, "num_images")
"""The key of stored JSON, and what people read for it."""

MAX_NAMED = 3
"""More runs of one value are counted."""
SPLITS = {"val": "validation", "test": "test"}
"""Split -> what its images are called."""


def warnings(runs: Sequence[EvaluatedRun], splits: Collection[str] = tuple(SPLITS)) -> list[str]:
    """Return a sentence for each reason why metrics of the runs do not compare.

    Args:
        runs: The first is what the others are compared with.
        splits: Those whose metrics are compared.
    """
    return [*_data_warnings(runs, splits), *_setting_warnings(runs)]


def _data_warnings(runs: Sequence[EvaluatedRun], splits: Collection[str]) -> Iterator[str]:
    known = [run for run in runs if run.data]
    for run in known[1:]:
        ours, theirs = run.data, known[0].data
        if ours.get("class_names") != theirs.get("class_names"):
            yield f"{run.name} has other classes than {known[0].name}: their metrics do not compare."
            continue
        for split, name in SPLITS.items():
            if split in splits and ours.get(f"{split}_digest") != theirs.get(f"{split}_digest"):
                yield f"The {name} images of {run.name} are not those of {known[0].name}: their metrics do not compare."


def _setting_warnings(runs: Sequence[EvaluatedRun]) -> Iterator[str]:
    """Yield a sentence for each choice that differs, with the runs and evaluations in which it does."""
    names_of: dict[str, list[str]] = {}
    for name in dict.fromkeys(name for run in runs for name in run.evaluations):
        chosen = {run.name: choices(run.evaluations[name].settings) for run in runs if name in run.evaluations}
        for key in dict.fromkeys(key for found in chosen.values() for key in found):
            values = {run: found.get(key) for run, found in chosen.items()}
            if len(set(map(repr, values.values()))) > 1:
                names_of.setdefault(f"{key.replace(*SHOWN)} is {_by_value(values)}", []).append(name)
    for difference, names in names_of.items():
        yield f"{difference}: the metrics of {listing(names)} do not compare."


def _by_value(values: Mapping[str, Any]) -> str:
    """Say which runs have which value: the first run alone, and those that differ from it."""
    (first, expected), *others = values.items()
    runs_of: dict[str, list[str]] = {}
    for run, value in others:
        if repr(value) != repr(expected):
            runs_of.setdefault(str(value), []).append(run)
    named = [f"{value} in {_some(runs)}" for value, runs in runs_of.items()]
    return listing([f"{expected} in {first}", *named])


def _some(runs: Sequence[str]) -> str:
    return listing(runs) if len(runs) <= MAX_NAMED else f"{runs[0]} and {len(runs) - 1} others"


def choices(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings by dotted name that were chosen, without those that the evaluation counted.

    Chosen are the fields of the suite's config, the number of images, and the digests of sets.
    """
    names = {*_fields(Suite), "digest"}
    return {
        key: value
        for key, value in flat(settings).items()
        if key.rpartition(".")[2] in names or key.partition(".")[0] == NUM_IMAGES
    }


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested settings by dotted names."""
    found: dict[str, Any] = {}
    for key, value in settings.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return found


def _fields(section: type[Section]) -> Iterator[str]:
    for name, field in section.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            yield from _fields(field.annotation)
        else:
            yield name


def how_to_evaluate(runs: Sequence[EvaluatedRun]) -> list[str]:
    """Return a sentence, which ends in a command, for each run that lacks evaluations of another run."""
    known = list(dict.fromkeys(name for run in runs for name in run.evaluations))
    if set(known) <= set(QUICK):
        names = [run.name for run in runs]
        return [f"Only the quick suite has been evaluated. To evaluate the rest: {_command(names)}"]
    return [
        f"{run.name} has no results of {listing(missing)}. To add them: {_command([run.name])}"
        for run in runs
        if (missing := [name for name in known if name not in run.evaluations])
    ]


def _command(names: Sequence[str]) -> str:
    return f"campaign evaluate {shlex.join(names)} --suite full"
