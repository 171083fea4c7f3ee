import json
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from orchestrator.files.evaluation_files import EvaluationFiles, read_evaluations
from tests.trainables.evaluations.conftest import RED_OR_GREEN, Images, context_of, four_images, linear_classifier
from trainables.config import Suite
from trainables.data import Batch, Draw
from trainables.evaluations import Curve, EvalSpec, EvaluationContext, EvaluationResult, ProgressListener, run_suite
from trainables.evaluations.groups import GROUPS


def _never(context: EvaluationContext) -> EvaluationResult:
    raise AssertionError(context)


SPEC = EvalSpec(name="noise", category="background", directions={"background/noise": "max"}, run=_never)
OTHER = EvalSpec(name="other", category="ood", directions={"ood/other": "max"}, run=_never)

RESULT = EvaluationResult(
    metrics={"val/background/noise": 0.1, "val/background/other": 1.0},
    curves=(Curve("chart", "line", "step", "share", (0.0, 1.0, 2.0), (1.0, 0.5, 0.25)),),
    settings={"seed": 0, "radii": [0.1, 0.2], "sizes": {"near": 3}},
    samples={"val/background/noise": {"a": 0.25, "b": 0.5}},
    sources={"val/background/noise": {"a": 3, "b": 3}},
)


def red(width: int = 1) -> Image.Image:
    return Image.new("RGB", (width, 1), "red")


@pytest.fixture
def files(tmp_path: Path) -> Callable[..., EvaluationFiles]:
    """Return the evaluation files of one folder, for another source or other settings if given."""

    def make(source: str = "weights", **settings: Any) -> EvaluationFiles:
        return EvaluationFiles(tmp_path / "evaluation", source, Suite(**settings))

    return make


def test_an_evaluation_that_was_never_saved_is_missing(files: Callable[..., EvaluationFiles]) -> None:
    assert files().load(SPEC) is None


def test_what_was_saved_is_loaded(files: Callable[..., EvaluationFiles]) -> None:
    files().save(SPEC, RESULT, 1.23456)
    assert files().load(SPEC) == RESULT
    assert files().load(OTHER) is None


def test_the_file_can_be_read_by_others(files: Callable[..., EvaluationFiles]) -> None:
    files().save(SPEC, RESULT, 1.23456)
    assert [path.name for path in files().folder.iterdir()] == ["noise.json"]
    document = json.loads((files().folder / "noise.json").read_text())
    assert document["part"] == "noise"
    assert document["seconds"] == 1.235
    assert document["metrics"] == RESULT.metrics
    assert document["settings"] == RESULT.settings
    assert document["curves"][0]["y"] == [1.0, 0.5, 0.25]


@pytest.mark.parametrize(
    "change",
    [{"source": "others"}, {"seed": 1}, {"sample": 7}, {"background": {"noise_trials": 9}}],
    ids=["source", "seed", "sample", "own section"],
)
def test_an_evaluation_is_out_of_date_once_what_it_came_from_changes(
    files: Callable[..., EvaluationFiles], change: Mapping[str, Any]
) -> None:
    files().save(SPEC, RESULT, 1)
    assert files(**change).load(SPEC) is None
    files(**change).save(SPEC, EvaluationResult({"val/background/noise": 0.2}), 1)
    assert files(**change).load(SPEC) == EvaluationResult({"val/background/noise": 0.2})
    assert files().load(SPEC) is None


@pytest.mark.fault("A stored evaluation has an earlier definition.", trains=False, says=False)
def test_a_metric_that_means_something_else_than_before_is_measured_again(
    files: Callable[..., EvaluationFiles],
) -> None:
    files().save(SPEC, RESULT, 1)
    assert files().load(replace(SPEC, definition=1)) == RESULT
    assert files().load(replace(SPEC, definition=2)) is None
    files().save(replace(SPEC, definition=2), RESULT, 1)
    assert files().load(replace(SPEC, definition=2)) == RESULT
    assert files().load(SPEC) is None


def test_groups_that_were_stored_without_gaps_are_measured_again(files: Callable[..., EvaluationFiles]) -> None:
    files().save(replace(GROUPS, definition=1), EvaluationResult({"val/worst_group_accuracy": 0.5}), 1)
    assert files().load(GROUPS) is None


def test_settings_of_other_evaluations_do_not_matter(files: Callable[..., EvaluationFiles]) -> None:
    files().save(SPEC, RESULT, 1)
    assert files(adversarial={"steps": 3}, ood={"fit_sample": 5}).load(SPEC) == RESULT
    files().save(OTHER, RESULT, 1)
    assert files(ood={"fit_sample": 5}).load(OTHER) is None


def test_what_is_not_a_number_stays_so(files: Callable[..., EvaluationFiles]) -> None:
    curve = Curve("chart", "line", "step", "share", (0.0, 1.0), (math.nan, 0.5))
    files().save(
        SPEC, EvaluationResult({"one": math.nan, "two": math.inf, "three": 3.0}, (curve,), settings={"at": math.nan}), 1
    )
    text = (files().folder / "noise.json").read_text()
    assert "NaN" not in text
    assert "Infinity" not in text
    found = files().load(SPEC)
    assert found is not None
    assert math.isnan(found.metrics["one"])
    assert math.isnan(found.metrics["two"])
    assert found.metrics["three"] == 3
    assert math.isnan(found.curves[0].y[0])
    assert found.curves[0].y[1] == 0.5
    assert found.settings == {"at": None}


def test_images_lie_next_to_the_metrics(files: Callable[..., EvaluationFiles]) -> None:
    files().save(SPEC, EvaluationResult({"one": 1.0}, images={"first": red(2), "second": red(3)}), 1)
    folder = files().folder / "noise"
    assert {path.name for path in folder.iterdir()} == {"first.png", "second.png"}
    with Image.open(folder / "second.png") as image:
        assert image.size == (3, 1)
    assert files().load(SPEC) == EvaluationResult({"one": 1.0})


def test_documents_lie_next_to_the_images(files: Callable[..., EvaluationFiles]) -> None:
    documents = {"map": [[1.0, math.nan]], "names": {"a": ["b", None]}}
    files().save(SPEC, EvaluationResult({"one": 1.0}, images={"first": red()}, documents=documents), 1)
    (record,) = read_evaluations(files().folder)
    assert [path.name for path in record.images] == ["first.png"]
    found = {path.stem: json.loads(path.read_text()) for path in record.documents}
    assert found == {"map": [[1.0, None]], "names": {"a": ["b", None]}}
    assert files().load(SPEC) == EvaluationResult({"one": 1.0})


def test_documents_of_an_earlier_result_are_gone(files: Callable[..., EvaluationFiles]) -> None:
    files().save(SPEC, EvaluationResult({}, documents={"first": [1], "second": [2]}), 1)
    files().save(SPEC, EvaluationResult({}, documents={"third": [3]}), 1)
    assert [path.name for path in (files().folder / "noise").iterdir()] == ["third.json"]
    files().save(SPEC, EvaluationResult({}), 1)
    assert not (files().folder / "noise").exists()


def test_images_of_an_earlier_result_are_gone(files: Callable[..., EvaluationFiles]) -> None:
    files().save(SPEC, EvaluationResult({"one": 1.0}, images={"first": red(), "second": red()}), 1)
    files(seed=1).save(SPEC, EvaluationResult({"one": 1.0}, images={"third": red()}), 1)
    assert [path.name for path in (files().folder / "noise").iterdir()] == ["third.png"]
    files(seed=2).save(SPEC, EvaluationResult({"one": 1.0}), 1)
    assert not (files().folder / "noise").exists()


class Torn(Image.Image):
    """An image at which writing stops."""

    def save(self, *arguments: Any, **options: Any) -> None:
        raise KeyboardInterrupt(arguments, options)


def test_an_evaluation_cut_off_while_it_is_written_counts_as_missing(files: Callable[..., EvaluationFiles]) -> None:
    torn = EvaluationResult({"one": 1.0}, images={"first": red(), "second": Torn()})
    with pytest.raises(KeyboardInterrupt):
        files().save(SPEC, torn, 1)
    assert (files().folder / "noise" / "first.png").exists()
    assert files().load(SPEC) is None
    files().save(SPEC, EvaluationResult({"one": 1.0}, images={"second": red()}), 1)
    assert [path.name for path in (files().folder / "noise").iterdir()] == ["second.png"]
    assert files().load(SPEC) is not None


def test_metrics_do_not_stay_next_to_the_images_of_another_result(files: Callable[..., EvaluationFiles]) -> None:
    """The earlier metrics must not come back once the settings are as they were."""
    files().save(SPEC, EvaluationResult({"one": 1.0}, images={"first": red()}), 1)
    with pytest.raises(KeyboardInterrupt):
        files(seed=1).save(SPEC, EvaluationResult({"one": 2.0}, images={"first": red(), "second": Torn()}), 1)
    assert files().load(SPEC) is None


class Cut(Images):
    """Images at which the evaluation is killed."""

    def __getitems__(self, draws: list[Draw]) -> Batch:
        raise KeyboardInterrupt(draws)


class Said(ProgressListener):
    def __init__(self) -> None:
        self.ended: list[tuple[str, bool]] = []

    def on_end(self, name: str, seconds: float, *, stored: bool) -> None:
        assert seconds >= 0
        self.ended.append((name, stored))


def test_an_evaluation_that_was_killed_goes_on_where_it_stopped(
    files: Callable[..., EvaluationFiles],
) -> None:
    red_or_green = linear_classifier(RED_OR_GREEN)
    names, whole = ["accuracy", "influence", "shift"], four_images()
    cut = Cut(whole._images_NCHW, [0, 0, 1, 1], whole._background_NHW, [True] * 4)
    with pytest.raises(KeyboardInterrupt):
        run_suite(names, context_of(red_or_green, whole, shift={"a": whole, "b": cut}), store=files())
    # The validation images are not looked at again: they would kill this one too.
    said, context = Said(), context_of(red_or_green, cut, shift={"a": whole, "b": four_images()})
    metrics = run_suite(names, context, listener=said, store=files())
    assert said.ended == [("accuracy", True), ("influence", True), ("shift", False)]
    assert metrics == run_suite(names, context_of(red_or_green, whole, shift={"a": whole, "b": whole}))
