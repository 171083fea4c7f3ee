"""The strongest channels of all images and of each pair of classes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from orchestrator.files.text import plural
from orchestrator.reports.inspection.choices import Choice, Shown
from orchestrator.reports.inspection.inspected_run import InspectedRun
from orchestrator.reports.inspection.numbers import number, percent, signed

PART = "channels"
REST_OF_HEADS = ("Share", "On the background")

Pair = tuple[str, str]
"""A class and its rival."""


def channel_choices(runs: Sequence[InspectedRun]) -> list[Choice]:
    """Return all images, then each pair of classes that a run has; those of most images in the first run come first."""
    pairs_of = {run.run.name: _pairs(run) for run in runs}
    every = dict.fromkeys(pair for pairs in pairs_of.values() for pair in pairs)
    return [
        Choice("All images", [_everything(run) for run in runs]),
        *(
            Choice(
                f"{label} against {rival}", [_of_pair(run, pairs_of[run.run.name].get((label, rival))) for run in runs]
            )
            for label, rival in every
        ),
    ]


def _pairs(run: InspectedRun) -> dict[Pair, Mapping[str, Any]]:
    return {(pair["label"], pair["rival"]): pair for pair in run.document(PART, "class_pairs")}


def _everything(run: InspectedRun) -> Shown:
    document = run.document(PART, "channels")
    facts = "The channels with the largest mean absolute contribution to the margin over the strongest rival."
    return _shown(run, facts, document, "Mean absolute contribution", number)


def _of_pair(run: InspectedRun, pair: Mapping[str, Any] | None) -> Shown:
    if pair is None:
        return Shown(run.run.name, "No image of this run has this class and this rival.", None)
    num, of = pair["num_rival"], pair["num_pictures"]
    facts = (
        f"Means over {plural(of, 'image')} of {pair['label']}; "
        f"for {num} of them {pair['rival']} is the strongest rival. "
        f"The margin is {number(pair['margin'])}: {_summands(pair)}. "
        f"Its effective number of channels is {number(pair['effective_number'])}."
    )
    return _shown(run, facts, pair, "Contribution", signed)


def _summands(pair: Mapping[str, Any]) -> str:
    if pair["object"] is None:
        return f"{signed(pair['margin'] - pair['bias'])} from channels and {signed(pair['bias'])} from the bias"
    of_some = pair["num_with_mask"] < pair["num_pictures"]
    start = f"of the {plural(pair['num_with_mask'], 'image')} with a mask, " if of_some else ""
    return (
        f"{start}{signed(pair['object'])} on the object, {signed(pair['background'])} on the background and "
        f"{signed(pair['bias'])} from the bias"
    )


def _shown(
    run: InspectedRun, facts: str, document: Mapping[str, Any], head: str, show: Callable[[float | None], str]
) -> Shown:
    card = document["card"]
    return Shown(
        run.run.name,
        facts,
        run.image(PART, card) if card else None,
        ("Channel", head, *REST_OF_HEADS),
        [
            (
                str(row["channel"]),
                show(row["contribution"]),
                percent(row["share"], 1),
                percent(row["background_share"]),
            )
            for row in document["strongest"]
        ],
    )
