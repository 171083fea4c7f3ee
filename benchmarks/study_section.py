"""A study as a section of docs/results.md: its arms, which nothing chooses, on the test images."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from benchmarks.arm_cost import cost_table
from benchmarks.protocol import is_earlier, protocol_sentences, reported_today
from orchestrator.reports.study_table import study_markdown
from orchestrator.results.formatting import format_metric
from orchestrator.results.study_document import ArmMetric, StudyDocument

FIXED = (
    "Nothing is searched or chosen: the arms are fixed, and each training is measured on the test images once, at its "
    "end."
)

TUNED = (
    "The settings of each arm are chosen on validation images, at a seed of their own. Each training with them is "
    "measured on the test images once, at its end."
)


class _Pair(NamedTuple):
    """A metric of an arm, before and now."""

    arm: str
    metric: str
    """Today's name."""
    before: ArmMetric
    now: ArmMetric

    @property
    def change(self) -> float:
        """By how much the mean has moved; 0 where one of the two lacks it."""
        means = self.before["mean"], self.now["mean"]
        return 0.0 if means[0] is None or means[1] is None else means[1] - means[0]


def section(result: Mapping[str, Any]) -> str:
    """Return heading, command, question, protocol and table of a study."""
    study: StudyDocument = result["study"]
    paragraphs = [
        f"## Study {result.get('title', study['study'])}",
        f"```\n{result['command']}\n```",
        study["summary"],
        "" if is_earlier(result) else TUNED if study.get("tuning") else FIXED,
        protocol_sentences(result),
        study_markdown(study).strip(),
        cost_table(result, study["reference"]),
    ]
    return "\n\n".join(filter(None, paragraphs))


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Say in two sentences what of the earlier table still stands: the differences from zero, and the accuracies."""
    pairs = list(_pairs(before["study"], now["study"]))
    differences = [
        (then, today)
        for pair in pairs
        if (then := pair.before["difference"]) is not None and (today := pair.now["difference"]) is not None
    ]
    accuracies = [pair for pair in pairs if pair.metric.endswith("/accuracy")]
    if not (differences and accuracies):
        return ""
    both = [pair for pair in differences if all(found["is_apart_from_zero"] for found in pair)]
    apart_then, apart_now = (
        sum(found["is_apart_from_zero"] for found in side) for side in zip(*differences, strict=True)
    )
    turned = sum(then["mean"] * today["mean"] < 0 for then, today in both)
    moved = max(accuracies, key=lambda pair: abs(pair.change))
    return (
        f"Of {len(differences)} differences that the table of the earlier protocol has too, {apart_then} were apart "
        f"from zero then and {apart_now} are now: {len(both)} of them in both, of which {turned} with another sign. "
        f"The accuracy that moved most is that of {moved.arm} in `{moved.metric}`: "
        f"{format_metric(moved.before['mean'])} then, {format_metric(moved.now['mean'])} now."
    )


def _pairs(before: StudyDocument, now: StudyDocument) -> Iterator[_Pair]:
    """Yield each metric of each arm that both tables have."""
    arms = {arm["arm"]: arm["figures"] for arm in now["arms"]}
    for arm in before["arms"]:
        for metric, found in arm["figures"].items():
            name = reported_today(metric)
            if name in arms.get(arm["arm"], {}):
                yield _Pair(arm["arm"], name, found, arms[arm["arm"]][name])
