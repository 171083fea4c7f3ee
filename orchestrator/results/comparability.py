"""What keeps the evaluations of runs from being compared, and what they still lack."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from orchestrator.results.evaluated import EvaluatedRun
from orchestrator.results.formatting import listing
from trainables.config import Suite
from trainables.config.section import Section
from trainables.evaluations import QUICK

NUM_IMAGES = "num_pictures"


def warnings(runs: Sequence[EvaluatedRun]) -> list[str]:
    """Return a sentence for each thing that makes figures of the runs incomparable; empty if there is none."""
    return [*_data_warnings(runs), *_setting_warnings(runs)]


def _data_warnings(runs: Sequence[EvaluatedRun]) -> Iterator[str]:
    known = [run for run in runs if run.data]
    for run in known[1:]:
        ours, theirs = run.data, known[0].data
        if ours.get("class_names") != theirs.get("class_names"):
            yield f"{run.name} tells other classes apart than {known[0].name}: their figures do not compare."
        elif ours.get("val_digest") != theirs.get("val_digest"):
            yield (
                f"The validation images have the digest {ours.get('val_digest')} in {run.name} and "
                f"{theirs.get('val_digest')} in {known[0].name}: their figures are of different images."
            )


def _setting_warnings(runs: Sequence[EvaluatedRun]) -> Iterator[str]:
    """Yield a sentence for each choice that differs, with the parts in which it does."""
    parts_of: dict[str, list[str]] = {}
    for part in dict.fromkeys(name for run in runs for name in run.parts):
        chosen = {run.name: choices(run.parts[part].settings) for run in runs if part in run.parts}
        for key in dict.fromkeys(key for found in chosen.values() for key in found):
            values = {name: found.get(key) for name, found in chosen.items()}
            if len(set(map(repr, values.values()))) > 1:
                words = listing([f"{value} in {name}" for name, value in values.items()])
                parts_of.setdefault(f"{key} is {words}", []).append(part)
    for difference, parts in parts_of.items():
        yield f"{difference}: the figures of {listing(parts)} do not compare."


def choices(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings by dotted name that somebody chose, and not those that count what was found.

    These are the ones of which the suite's config has a field, the number of images, and the digests of sets.
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
    """Return a sentence, which ends in a command, for each run that lacks parts of an evaluation."""
    parts = list(dict.fromkeys(name for run in runs for name in run.parts))
    if set(parts) <= set(QUICK):
        names = [run.name for run in runs]
        return [f"Nothing beyond the quick suite has been evaluated; the rest: {_command(names)}"]
    return [
        f"{run.name} has not been evaluated in {listing(missing)}: {_command([run.name])}"
        for run in runs
        if (missing := [part for part in parts if part not in run.parts])
    ]


def _command(names: Sequence[str]) -> str:
    return f"campaign evaluate {shlex.join(names)} --suite full"
