"""The concepts of each run: their cards, and what each means for the classes.

J concepts, K classes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.files.text import plural
from orchestrator.reports.inspection.choices import Choice, Shown
from orchestrator.reports.inspection.inspected_run import InspectedRun
from orchestrator.reports.inspection.numbers import number, percent, signed

PART = "concepts"


@dataclass(frozen=True, slots=True)
class Cell:
    """What a concept adds to the logit of a class."""

    text: str
    strength: float
    """Its size as a share of the largest in the table."""
    is_against: bool


@dataclass(frozen=True, slots=True)
class ConceptHead:
    """A concept at the head of a column."""

    name: str
    on_background: bool
    share: str
    """Of the importance of all concepts."""
    on_object: str
    stability: str


@dataclass(frozen=True, slots=True)
class ClassTable:
    """Concepts by class, of one run."""

    run: str
    heads: Sequence[ConceptHead]
    rows: Sequence[tuple[str, Sequence[Cell]]]


def concept_choices(runs: Sequence[InspectedRun]) -> list[Choice]:
    """Return the concepts by their number, the most important first."""
    documents = [(run, run.document(PART, "concepts")) for run in runs]
    most = max((len(document["concepts"]) for _, document in documents), default=0)
    return [
        Choice(f"Concept {number + 1}", [_shown(run, document, number) for run, document in documents])
        for number in range(most)
    ]


def _shown(run: InspectedRun, document: Mapping[str, Any], place: int) -> Shown:
    if place >= len(document["concepts"]):
        return Shown(run.run.name, f"This run has only {plural(len(document['concepts']), 'concept')}.", None)
    concept = document["concepts"][place]
    order = sorted(range(len(document["class_names"])), key=lambda k: -document["head"][place][k])
    most, least = (document["class_names"][order[at]] for at in (0, -1))
    facts = (
        f"It holds {percent(concept['share'])} of the importance, speaks most for {most} and most against {least}."
        f"{_on_object(concept, document)}"
    )
    return Shown(run.run.name, facts, run.image(PART, concept["card"]))


def _on_object(concept: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    if concept["object_share"] is None:
        return ""
    marked = " It is a concept of the background." if concept["on_background"] else ""
    share, area = percent(concept["object_share"]), percent(document["object_area"])
    return f" {share} of its activation lies on the object, which is {area} of the area.{marked}"


def class_table(run: InspectedRun) -> ClassTable:
    """Return what each concept adds to the logit of a class more than to the mean logit, in images of the class."""
    document = run.document(PART, "concepts")
    importance_KJ = document["by_class"]["importance"]
    largest = max((abs(value) for row in importance_KJ for value in row), default=0.0) or 1.0
    names = [document["class_names"][k] for k in document["by_class"]["classes"]]
    return ClassTable(
        run.run.name,
        [_head(place, concept) for place, concept in enumerate(document["concepts"], 1)],
        [
            (name, [Cell(signed(value), abs(value) / largest, value < 0) for value in row])
            for name, row in zip(names, importance_KJ, strict=True)
        ],
    )


def _head(place: int, concept: Mapping[str, Any]) -> ConceptHead:
    return ConceptHead(
        str(place),
        concept["on_background"],
        percent(concept["share"]),
        percent(concept["object_share"]),
        number(concept["stability"]),
    )
