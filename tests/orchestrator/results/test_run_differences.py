"""How runs differ from the first, on figures and samples worked out by hand."""

from dataclasses import replace
from typing import Any

import pytest

from orchestrator.results.intervals import PairedDifference
from orchestrator.results.run_differences import RunDifference, run_differences, shared_metrics, verdict
from trainables.json_file import write_json

Builder = Any
"""The `SweepBuilder` of conftest.py."""
SHARE = "val/background/influence_share"
CROSS_ENTROPY = {"objective.kind": "cross_entropy"}
IMAGES = [f"p{number}" for number in range(12)]


def of_metric(found: list[RunDifference], metric: str) -> list[RunDifference]:
    return [difference for difference in found if difference.metric == metric]


def test_differences_are_from_the_first_run(sweep: Builder) -> None:
    for trial, accuracy, share in (("a", 0.5, 0.5), ("b", 0.75, 0.25), ("c", 0.25, 0.5)):
        sweep.trial(trial, CROSS_ENTROPY, {"val/accuracy": accuracy, SHARE: share})
    found = run_differences([sweep.run(trial) for trial in "abc"])
    assert [(one.run, one.against, one.difference, one.verdict) for one in of_metric(found, "val/accuracy")] == [
        ("first/b", "first/a", 0.25, "better"),
        ("first/c", "first/a", -0.25, "worse"),
    ]
    assert [(one.difference, one.verdict) for one in of_metric(found, SHARE)] == [(-0.25, "better"), (0.0, "")]


def test_a_metric_of_one_run_alone_is_left_out(sweep: Builder) -> None:
    sweep.trial("a", CROSS_ENTROPY, {"val/accuracy": 0.5, SHARE: None, "val/loss": float("nan")})
    sweep.trial("b", CROSS_ENTROPY, {"val/accuracy": 0.5, SHARE: 0.1, "val/loss": 1.0})
    runs = [sweep.run("a"), sweep.run("b")]
    assert shared_metrics(runs) == ["val/accuracy"]
    assert [one.metric for one in run_differences(runs)] == ["val/accuracy"]
    assert shared_metrics(runs[:1]) == ["val/accuracy"]


def test_a_metric_that_only_the_further_runs_have_is_shown_without_a_difference(sweep: Builder) -> None:
    sweep.trial("a", CROSS_ENTROPY, {"val/accuracy": 0.5})
    for trial in "bc":
        sweep.trial(trial, CROSS_ENTROPY, {"val/accuracy": 0.5, SHARE: 0.1})
    runs = [sweep.run(trial) for trial in "abc"]
    assert SHARE in shared_metrics(runs)
    assert of_metric(run_differences(runs), SHARE) == []


def test_pairing_is_over_the_images_that_both_predict_right(sweep: Builder) -> None:
    """Image p0 is wrong in a and p1 in b; on the other ten b's share is 0.25 lower."""
    for trial, wrong, share in (("a", "p0", 0.75), ("b", "p1", 0.5)):
        sweep.trial(trial, CROSS_ENTROPY, {SHARE: share})
        right = {image: float(image != wrong) for image in IMAGES}
        sweep.evaluation(
            trial, "influence", samples={"correct": right, SHARE: dict.fromkeys(IMAGES, share) | {wrong: 9.0}}
        )
    (found,) = of_metric(run_differences([sweep.run("a"), sweep.run("b")]), SHARE)
    assert found.paired is not None
    assert (found.paired.mean, found.paired.high, found.paired.num_pictures) == (-0.25, -0.25, 10)
    assert found.verdict == "better"


def test_a_part_that_sets_no_image_aside_is_paired_over_all_that_have_a_value(sweep: Builder) -> None:
    for trial in "ab":
        sweep.trial(trial, CROSS_ENTROPY, {SHARE: 0.5})
        sweep.evaluation(trial, "pgd", samples={"correct": dict.fromkeys(IMAGES[:3], 1)})
        sweep.evaluation(trial, "influence", samples={SHARE: {**dict.fromkeys(IMAGES, 0.5), "p0": None}})
    (found,) = of_metric(run_differences([sweep.run("a"), sweep.run("b")]), SHARE)
    assert found.paired is not None
    assert found.paired.num_pictures == 11


@pytest.mark.parametrize("num_sources", [6, 12])
def test_a_few_sources_are_no_evidence(sweep: Builder, num_sources: int) -> None:
    """Twelve images of six patients have no interval, and no verdict either."""
    for trial, share in (("a", 0.75), ("b", 0.5)):
        sweep.trial(trial, CROSS_ENTROPY, {SHARE: share})
        sources = {SHARE: {image: number % num_sources for number, image in enumerate(IMAGES)}}
        sweep.evaluation(trial, "influence", samples={SHARE: dict.fromkeys(IMAGES, share)}, sources=sources)
    (found,) = of_metric(run_differences([sweep.run("a"), sweep.run("b")]), SHARE)
    assert (found.paired is None, found.verdict) == ((True, "") if num_sources == 6 else (False, "better"))


def test_an_interval_that_contains_zero_has_no_verdict(sweep: Builder) -> None:
    for trial, mean, values in (("a", 0.5, [0.5] * 12), ("b", 0.52, [0.3, 0.7] * 6)):
        sweep.trial(trial, CROSS_ENTROPY, {SHARE: mean})
        by_image = dict(zip(IMAGES, values, strict=True))
        sweep.evaluation(trial, "influence", samples={"correct": dict.fromkeys(IMAGES, 1), SHARE: by_image})
    (found,) = of_metric(run_differences([sweep.run("a"), sweep.run("b")]), SHARE)
    assert found.paired is not None
    assert found.paired.contains_zero
    assert found.verdict == ""
    assert verdict(found.difference, found.better) == "worse"


@pytest.mark.parametrize(
    ("difference", "better", "expected"),
    [(0.1, "max", "better"), (0.1, "min", "worse"), (-0.1, "min", "better"), (0.0004, "max", ""), (0.1, None, "")],
)
def test_verdict(difference: float, better: str | None, expected: str) -> None:
    assert verdict(difference, better) == expected


def test_the_side_is_that_of_the_paired_difference() -> None:
    paired = PairedDifference(mean=-0.05, low=-0.08, high=-0.02, num_pictures=50)
    assert RunDifference("m", "max", "b", "a", 0.1, paired).verdict == "worse"
    assert RunDifference("m", "max", "b", "a", 0.1, None).verdict == "better"


def test_an_accuracy_within_noise_is_neither_better_nor_worse(sweep: Builder) -> None:
    """Of 100 images, 60 and 47 right do not differ by the z test (1.84), and 60 and 45 do (2.12)."""
    for trial, accuracy in (("a", 0.60), ("b", 0.47), ("c", 0.45)):
        sweep.trial(trial, CROSS_ENTROPY, {"val/accuracy": accuracy})
        write_json(sweep.folder.trial(trial).data_path, {"num_val": 100})
    found = of_metric(run_differences([sweep.run(trial) for trial in "abc"]), "val/accuracy")
    assert [(one.run, one.verdict) for one in found] == [("first/b", ""), ("first/c", "worse")]
    paired = PairedDifference(mean=-0.13, low=-0.2, high=-0.06, num_pictures=100)
    assert replace(found[0], paired=paired).verdict == "worse"


def test_images_of_other_data_are_not_paired(sweep: Builder) -> None:
    for trial in "ab":
        sweep.trial(trial, CROSS_ENTROPY, {SHARE: 0.5})
        sweep.evaluation(trial, "influence", samples={SHARE: dict.fromkeys(IMAGES, 0.5)})
    runs = [replace(sweep.run(trial), data={"val_digest": digest}) for trial, digest in (("a", "one"), ("b", "two"))]
    (found,) = of_metric(run_differences(runs), SHARE)
    assert found.paired is None
