from collections.abc import Callable
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any, get_args

import pytest

from tests.trainables.evaluations.conftest import (
    RED_GREEN_OR_BLUE,
    OfPatients,
    context_of,
    four_images,
    linear_classifier,
    several_labels,
)
from tests.trainables.evaluations.extremes import extreme_context, object_reader
from trainables.evaluations import (
    EVALUATIONS,
    QUICK,
    EvalSpec,
    EvaluationContext,
    EvaluationResult,
    Metrics,
    NotPossibleError,
    ProgressListener,
    direction,
    evaluation,
    is_evaluated,
    run_suite,
    select,
)
from trainables.evaluations.base import Category
from trainables.evaluations.shift import SHIFT
from trainables.metric_names import SPLITS, of_split, without_split
from trainables.models import Classifier


class Said(ProgressListener):
    """Records the calls that it gets."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def on_start(self, name: str) -> None:
        self.lines.append(f"start {name}")

    def on_tick(self, done: int, total: int) -> None:
        self.lines.append(f"{done} of {total}")

    def on_end(self, name: str, seconds: float, *, stored: bool) -> None:
        assert seconds >= 0
        self.lines.append(f"end {name}{', stored' if stored else ''}")

    def on_skip(self, name: str, reason: str) -> None:
        self.lines.append(f"skip {name}: {reason}")


class Memory:
    """Keeps results by name."""

    def __init__(self, **held: EvaluationResult) -> None:
        self.held = dict(held)

    def load(self, spec: EvalSpec) -> EvaluationResult | None:
        return self.held.get(spec.name)

    def save(self, spec: EvalSpec, result: EvaluationResult, seconds: float) -> None:
        assert spec.name not in self.held
        assert seconds >= 0
        self.held[spec.name] = result


def test_an_unknown_name_lists_the_valid_ones(red_or_green: Classifier) -> None:
    with pytest.raises(ValueError, match=r"no evaluation 'acuracy'; valid names: .*accuracy, .*influence.*, shift"):
        run_suite(["acuracy"], context_of(red_or_green, four_images()))


@pytest.mark.parametrize("name", EVALUATIONS)
def test_every_evaluation_is_registered_under_its_own_name(name: str) -> None:
    spec = evaluation(name)
    assert spec.name == name
    assert spec.category in get_args(Category)
    assert name not in {"quick", "full"}
    named = {of_split(pattern.replace("*", "any"), "test"): better for pattern, better in spec.directions.items()}
    assert {name: direction(name) for name in named} == named


def test_no_two_evaluations_report_the_same_metric() -> None:
    patterns = [pattern for spec in EVALUATIONS.values() for pattern in spec.directions]
    assert len(patterns) == len(set(patterns))


@pytest.mark.parametrize("name", QUICK)
def test_every_quick_evaluation_has_a_direction_for_each_of_its_metrics(name: str, red_or_green: Classifier) -> None:
    spec = evaluation(name)
    shift = {each: four_images() for each in ("elsewhere", "only_bg_t", "no_fg")}
    context = context_of(red_or_green, four_images(), shift=shift)
    if name == "multilabel":
        context = context_of(linear_classifier(RED_GREEN_OR_BLUE), several_labels())
    if name == "groups":
        context = extreme_context(object_reader(), num=30)
    metrics = run_suite([name], context)
    found = {next(each for each in spec.directions if fnmatchcase(without_split(key)[0], each)) for key in metrics}
    assert found == {pattern for pattern in spec.directions if not pattern.endswith("/*")}
    assert all(isinstance(value, float) for value in metrics.values())
    assert all(is_evaluated(metric) for metric in metrics)


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("val/loss", "min"),
        ("val/accuracy", "max"),
        ("val/calibration_error", "min"),
        ("val/faithfulness/max_logit_error", "min"),
        ("val/background/influence_share", "min"),
        ("test/background/influence_share", "min"),
        ("val/background/foreground_influence", None),
        ("background/influence_share", None),
        ("accuracy", None),
        ("val/shift/any-name/accuracy", "max"),
        ("shift/random_background/accuracy", "max"),
        ("shift/any-name/accuracy", "max"),
        ("shift/any-name/confidence", None),
        ("shift/any-name/confidence_on_mistakes", "min"),
        ("shift/any-name/calibration_error", "min"),
        ("shift/accuracy", None),
        ("train/loss", None),
        ("epoch", None),
        ("time/epoch_s", None),
    ],
)
def test_direction(metric: str, expected: str | None) -> None:
    assert direction(metric) == expected


@pytest.mark.parametrize(
    ("metric", "expected"),
    [("val/loss", True), ("shift/any/confidence", True), ("shift/any", False), ("train/loss", False), ("epoch", False)],
)
def test_a_metric_without_a_direction_may_be_evaluated_all_the_same(metric: str, expected: bool) -> None:
    assert is_evaluated(metric) == expected


class TestSelect:
    def test_quick_and_full(self) -> None:
        assert select("quick") == QUICK == ("accuracy", "multilabel", "influence", "groups", "shift")
        assert select("full") == tuple(EVALUATIONS)

    def test_names_are_taken_in_the_suite_s_order_and_once(self) -> None:
        assert select("shift, accuracy,shift") == ("accuracy", "shift")

    def test_a_category_stands_for_its_evaluations(self) -> None:
        expected = tuple(name for name, spec in EVALUATIONS.items() if spec.category == "background")
        assert "influence" in expected
        assert select("background") == expected
        assert select("background,influence,accuracy") == ("accuracy", *expected)

    @pytest.mark.parametrize("suite", ["", "fast", "accuracy,,shift", "accuracy;shift", "QUICK"])
    def test_anything_else_lists_what_is_valid(self, suite: str) -> None:
        with pytest.raises(
            ValueError, match=r"valid: quick, full, the categories accuracy, .*the evaluations accuracy, "
        ):
            select(suite)


def test_what_the_data_lack_is_skipped_with_the_reason(red_or_green: Classifier) -> None:
    said = Said()
    context = context_of(red_or_green, four_images(has_mask=[False] * 4))
    metrics = run_suite(QUICK, context, listener=said)
    assert said.lines == [
        "start accuracy",
        "end accuracy",
        "start multilabel",
        "skip multilabel: the data have no images of several labels",
        "start influence",
        "skip influence: the data have no masks",
        "start groups",
        "skip groups: the training set, or every set to measure, has no groups",
        "start shift",
        "skip shift: the data have no shifted set",
    ]
    assert set(metrics) == {f"val/{name}" for name in EVALUATIONS["accuracy"].directions}


def test_the_sources_of_images_are_kept_with_their_values(red_or_green: Classifier) -> None:
    four, memory = four_images(), Memory()
    run_suite(["accuracy", "influence"], context_of(red_or_green, four), store=memory)
    assert [result.sources for result in memory.held.values()] == [{}, {}]
    of_patients, memory = OfPatients(four), Memory()
    run_suite(["accuracy", "influence"], context_of(red_or_green, of_patients), store=memory)
    of_all = {"image-0": 0, "image-1": 0, "image-2": 1, "image-3": 2}
    assert memory.held["accuracy"].sources == {"val/accuracy": of_all}
    del of_all["image-2"]  # It has no mask.
    influence = memory.held["influence"]
    assert influence.sources == dict.fromkeys(influence.samples, of_all)


def test_a_shifted_set_has_sources_of_its_own(red_or_green: Classifier) -> None:
    """Its images may be called as those of the split are, and may have no sources."""
    for far, sources in ((four_images(), None), (OfPatients(four_images()), {f"image-{n}": 5 for n in range(4)})):
        memory, context = Memory(), context_of(red_or_green, OfPatients(four_images()))
        if isinstance(far, OfPatients):
            far.numbers = [5, 5, 5, 5]
        data = replace(context.data, val_shift={"far": far, "far-off": four_images()})
        run_suite(["shift"], replace(context, data=data), store=memory)
        assert memory.held["shift"].sources.get("val/shift/far/accuracy") == sources
        assert "val/shift/far-off/accuracy" not in memory.held["shift"].sources


def registered(
    monkeypatch: pytest.MonkeyPatch, run: Callable[[EvaluationContext], EvaluationResult], **options: Any
) -> str:
    spec = EvalSpec(name="extra", category="background", directions={"background/extra": None}, run=run, **options)
    monkeypatch.setitem(EVALUATIONS, spec.name, spec)
    return spec.name


def test_what_an_evaluation_itself_finds_missing_is_skipped_too(
    monkeypatch: pytest.MonkeyPatch, red_or_green: Classifier
) -> None:
    def run(context: EvaluationContext) -> EvaluationResult:
        raise NotPossibleError(f"{len(context.data.val)} images are too few")

    said, memory = Said(), Memory()
    name = registered(monkeypatch, run)
    metrics = run_suite([name, "accuracy"], context_of(red_or_green, four_images()), listener=said, store=memory)
    assert said.lines == ["start extra", "skip extra: 4 images are too few", "start accuracy", "end accuracy"]
    assert metrics["val/accuracy"] == 0.75
    assert set(memory.held) == {"accuracy"}


def test_all_that_is_lacking_is_named(monkeypatch: pytest.MonkeyPatch, red_or_green: Classifier) -> None:
    said = Said()
    name = registered(monkeypatch, lambda context: EvaluationResult({}), needs=frozenset({"shifted set", "masks"}))  # noqa: ARG005
    run_suite([name], context_of(red_or_green, four_images(has_mask=[False] * 4)), listener=said)
    assert said.lines == ["start extra", "skip extra: the data have no masks and no shifted set"]


def test_errors_are_not_taken_for_what_is_missing(monkeypatch: pytest.MonkeyPatch, red_or_green: Classifier) -> None:
    def run(context: EvaluationContext) -> EvaluationResult:
        raise RuntimeError(context)

    name = registered(monkeypatch, run)
    with pytest.raises(RuntimeError):
        run_suite([name], context_of(red_or_green, four_images()))


def test_nothing_else_is_skipped_where_the_data_have_all(red_or_green: Classifier) -> None:
    said = Said()
    context = context_of(red_or_green, four_images(), shift={"elsewhere": four_images()})
    metrics = run_suite(QUICK, context, listener=said)
    skipped = [line for line in said.lines if line.startswith("skip")]
    assert skipped == [
        "skip multilabel: the data have no images of several labels",
        "skip groups: the training set, or every set to measure, has no groups",
    ]
    assert len(metrics) == 4 + 3 + 4


def test_names_run_in_the_order_given_and_alone(red_or_green: Classifier) -> None:
    metrics = run_suite(["influence", "accuracy"], context_of(red_or_green, four_images()))
    assert {name.split("/")[0] for name in metrics} == {"val"}
    shares, accuracies = list(metrics)[:3], list(metrics)[3:]
    assert {name.split("/")[1] for name in shares} == {"background"}
    assert accuracies[:1] == ["val/loss"]


def test_names_say_the_split(red_or_green: Classifier) -> None:
    images = four_images()
    context = context_of(red_or_green, images, shift={"elsewhere": four_images()}, split="test")
    metrics = run_suite(["accuracy", "influence", "shift"], context)
    assert (metrics["test/accuracy"], metrics["shift/elsewhere/accuracy"]) == (0.75, 0.75)
    assert "test/background/influence_share" in metrics
    assert {name.split("/")[0] for name in metrics} == {"test", "shift"}


def test_each_split_has_its_own_images_and_shifted_sets(red_or_green: Classifier) -> None:
    data = context_of(red_or_green, four_images()).data
    data = replace(data, test=four_images(), shift={"a": four_images()}, val_shift={"b": four_images()})
    val, test = (replace(context_of(red_or_green, four_images()), data=data, split=split) for split in SPLITS)
    assert val.images is data.val
    assert test.images is data.test
    assert (list(val.shifted), list(test.shifted)) == (["val/shift/b"], ["shift/a"])
    assert set(run_suite(["shift"], val)) == {f"val/shift/b/{name.rpartition('/')[2]}" for name in SHIFT.directions}


def test_samples_say_the_split_and_what_is_right_stays(
    monkeypatch: pytest.MonkeyPatch, red_or_green: Classifier
) -> None:
    def run(context: EvaluationContext) -> EvaluationResult:  # noqa: ARG001
        return EvaluationResult({"extra": 0.5}, samples={"extra": {"a": 0.5}, "correct": {"a": 1.0}})

    memory = Memory()
    run_suite([registered(monkeypatch, run)], context_of(red_or_green, four_images(), split="test"), store=memory)
    assert set(memory.held["extra"].samples) == {"test/extra", "correct"}


def test_an_evaluation_that_is_stored_is_not_run_again(
    monkeypatch: pytest.MonkeyPatch, red_or_green: Classifier, count_passes: Callable[[], int]
) -> None:
    def run(context: EvaluationContext) -> EvaluationResult:
        raise AssertionError(context)

    name = registered(monkeypatch, run)
    said, memory = Said(), Memory(extra=EvaluationResult({"val/background/extra": 0.5}))
    context = context_of(red_or_green, four_images())
    metrics = run_suite([name, "accuracy"], context, listener=said, store=memory)
    assert metrics["val/background/extra"] == 0.5
    assert said.lines == ["start extra", "end extra, stored", "start accuracy", "end accuracy"]
    assert count_passes() == 1
    assert memory.held["accuracy"].metrics == {
        key: value for key, value in metrics.items() if key != "val/background/extra"
    }
    again: Metrics = run_suite([name, "accuracy"], context_of(red_or_green, four_images()), store=memory)
    assert again == metrics
    assert count_passes() == 1


@pytest.fixture
def count_passes(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    passes: list[object] = []
    original = EvaluationContext.predictions

    def counting(self: EvaluationContext, images: object) -> object:
        passes.append(images)
        return original(self, images)  # type: ignore[arg-type]

    monkeypatch.setattr(EvaluationContext, "predictions", counting)
    return lambda: len(passes)


@pytest.mark.parametrize(("names", "expected"), [(["accuracy", "influence"], 1), (["shift"], 2)])
def test_each_set_is_predicted_once_and_only_where_needed(
    names: list[str], expected: int, red_or_green: Classifier, count_passes: Callable[[], int]
) -> None:
    shift = {"one": four_images(), "two": four_images()}
    run_suite(names, context_of(red_or_green, four_images(), shift=shift))
    assert count_passes() == expected
