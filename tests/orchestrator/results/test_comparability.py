"""When evaluations are said not to compare, and what is missing."""

from typing import Any

import pytest

from orchestrator.results.comparability import choices, how_to_evaluate, warnings
from trainables.json_file import write_json

Builder = Any
"""The `SweepBuilder` of conftest.py."""
CROSS_ENTROPY = {"objective.kind": "cross_entropy"}
DATA = {"class_names": ["cat", "dog"], "val_digest": "aa"}


def pair(sweep: Builder) -> list[Any]:
    return [sweep.run("a"), sweep.run("b")]


@pytest.fixture(autouse=True)
def _trials(sweep: Builder) -> None:
    for trial in "ab":
        sweep.trial(trial, CROSS_ENTROPY, {"val/accuracy": 0.5})


def describe_data(sweep: Builder, trial: str, **fields: Any) -> None:
    write_json(sweep.folder.trial(trial).path / "data.json", DATA | fields)


def test_equal_evaluations_compare(sweep: Builder) -> None:
    for trial in "ab":
        describe_data(sweep, trial)
        sweep.evaluation(trial, "pgd", settings={"seed": 0, "num_pictures": 200, "steps": 20})
    assert warnings(pair(sweep)) == []


def test_other_images_are_said(sweep: Builder) -> None:
    describe_data(sweep, "a")
    describe_data(sweep, "b", val_digest="bb")
    assert warnings(pair(sweep)) == [
        "The validation images of first/b are not those of first/a: their metrics do not compare."
    ]
    assert warnings(pair(sweep), splits={"test"}) == []


def test_other_classes_are_said(sweep: Builder) -> None:
    describe_data(sweep, "a")
    describe_data(sweep, "b", class_names=["cat"], val_digest="bb")
    assert warnings(pair(sweep)) == ["first/b has other classes than first/a: their metrics do not compare."]


def test_data_that_nobody_described_are_not_doubted(sweep: Builder) -> None:
    describe_data(sweep, "b")
    assert warnings(pair(sweep)) == []


def test_evaluations_with_the_same_difference_share_a_sentence(sweep: Builder) -> None:
    for trial, seed in (("a", 0), ("b", 1)):
        for part in ("fgsm", "pgd"):
            sweep.evaluation(trial, part, settings={"seed": seed, "num_pictures": 200})
    assert warnings(pair(sweep)) == [
        "seed is 0 in first/a and 1 in first/b: the metrics of fgsm and pgd do not compare."
    ]


def test_of_several_runs_those_that_differ_from_the_first_are_named(sweep: Builder) -> None:
    for trial, number in zip("abcdefgh", (200, 200, 84, 84, 178, 178, 178, 178), strict=True):
        sweep.trial(trial, CROSS_ENTROPY, {"val/accuracy": 0.5})
        sweep.evaluation(trial, "gap", settings={"num_pictures": {"split": number}})
    assert warnings([sweep.run(trial) for trial in "abcdefgh"]) == [
        "num_images.split is 200 in first/a, 84 in first/c and first/d and 178 in first/e and 3 others: "
        "the metrics of gap do not compare."
    ]


@pytest.mark.parametrize(
    ("settings", "others", "key"),
    [
        ({"num_pictures": 200}, {"num_pictures": 100}, "num_images"),
        ({"num_pictures": {"one": 3}}, {"num_pictures": {"one": 4}}, "num_images.one"),
        ({"steps": 20}, {"steps": 10}, "steps"),
        ({"sets": {"far": {"digest": "a"}}}, {"sets": {"far": {"digest": "b"}}}, "sets.far.digest"),
    ],
)
def test_choices_that_differ_are_said(sweep: Builder, settings: Any, others: Any, key: str) -> None:
    sweep.evaluation("a", "pgd", settings=settings)
    sweep.evaluation("b", "pgd", settings=others)
    (found,) = warnings(pair(sweep))
    assert found.startswith(f"{key} is ")


def test_what_was_found_is_no_choice(sweep: Builder) -> None:
    for trial, found in (("a", 1), ("b", 2)):
        scores = {"knn": {"hyper_parameters": {"k": found}, "validation_auroc": 0.1 * found}}
        sweep.evaluation(
            trial, "ood", settings={"num_empty_maps": found, "clean_accuracy": 0.1 * found, "scores": scores}
        )
    assert warnings(pair(sweep)) == []
    assert choices({"num_empty_maps": 3, "seed": 1, "clean_accuracy": 0.5}) == {"seed": 1}


def test_an_evaluation_that_one_lacks_is_no_difference_but_a_hint(sweep: Builder) -> None:
    sweep.evaluation("a", "pgd", settings={"seed": 0})
    sweep.evaluation("a", "accuracy")
    sweep.evaluation("b", "accuracy")
    assert warnings(pair(sweep)) == []
    assert how_to_evaluate(pair(sweep)) == [
        "first/b has no results of pgd. To add them: campaign evaluate first/b --suite full"
    ]


def test_quick_evaluations_are_pointed_to_the_full_suite(sweep: Builder) -> None:
    sweep.evaluation("a", "accuracy")
    (hint,) = how_to_evaluate(pair(sweep))
    assert hint.endswith("campaign evaluate first/a first/b --suite full")


def test_whole_evaluations_need_no_hint(sweep: Builder) -> None:
    for trial in "ab":
        sweep.evaluation(trial, "pgd")
    assert how_to_evaluate(pair(sweep)) == []
