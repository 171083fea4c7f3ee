from collections.abc import Callable

import pytest

from tests.trainables.evaluations.conftest import four_pictures, subject_of
from trainables.evaluations import EVALUATIONS, Subject, direction, evaluation, run_suite
from trainables.models import Classifier


def test_an_unknown_name_lists_the_valid_ones(red_or_green: Classifier) -> None:
    with pytest.raises(ValueError, match="no evaluation 'acuracy'; valid names: accuracy, background, shift"):
        run_suite(["acuracy"], subject_of(red_or_green, four_pictures()))


@pytest.mark.parametrize("name", EVALUATIONS)
def test_every_evaluation_has_a_direction_for_each_of_its_metrics(name: str, red_or_green: Classifier) -> None:
    spec = evaluation(name)
    assert spec.name == name
    metrics = spec.run(subject_of(red_or_green, four_pictures(), shift={"elsewhere": four_pictures()}))
    assert metrics
    assert all(isinstance(value, float) for value in metrics.values())
    assert all(direction(metric) in {"max", "min"} for metric in metrics)
    assert len(metrics) == len(spec.directions)


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("val/loss", "min"),
        ("val/accuracy", "max"),
        ("val/calibration_error", "min"),
        ("faithfulness/max_logit_error", "min"),
        ("background/influence_share", "min"),
        ("background/foreground_influence", "max"),
        ("background/background_influence", "min"),
        ("shift/random_background/accuracy", "max"),
        ("shift/any-name/accuracy", "max"),
        ("shift/accuracy", None),
        ("train/loss", None),
        ("epoch", None),
        ("time/epoch_s", None),
    ],
)
def test_direction(metric: str, expected: str | None) -> None:
    assert direction(metric) == expected


def test_what_the_data_lack_is_skipped_with_the_reason(red_or_green: Classifier) -> None:
    said: list[str] = []
    subject = subject_of(red_or_green, four_pictures(has_mask=[False] * 4))
    metrics = run_suite(["accuracy", "background", "shift"], subject, on_skip=said.append)
    assert said == ["background: skipped, the data have no masks", "shift: skipped, the data have no shift"]
    assert set(metrics) == set(EVALUATIONS["accuracy"].directions)


def test_nothing_is_skipped_where_the_data_have_all(red_or_green: Classifier) -> None:
    said: list[str] = []
    subject = subject_of(red_or_green, four_pictures(), shift={"elsewhere": four_pictures()})
    metrics = run_suite(EVALUATIONS, subject, on_skip=said.append)
    assert said == []
    assert len(metrics) == 4 + 3 + 1


def test_names_run_in_the_order_given_and_alone(red_or_green: Classifier) -> None:
    metrics = run_suite(["background", "accuracy"], subject_of(red_or_green, four_pictures()))
    assert [name.split("/")[0] for name in metrics] == ["background"] * 3 + ["val"] * 3 + ["faithfulness"]


def test_shift_measures_each_set_by_its_name(red_or_green: Classifier) -> None:
    """Of the four pictures the network gets 0, 1 and 3 right."""
    half = four_pictures()
    half._labels_N = half._labels_N.flip(0)  # Then only picture 2 is right, and 0 is not: its tie goes to class 0.
    subject = subject_of(red_or_green, four_pictures(), shift={"same": four_pictures(), "flipped": half})
    assert run_suite(["shift"], subject) == {"shift/same/accuracy": 0.75, "shift/flipped/accuracy": 0.25}


@pytest.fixture
def count_passes(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    passes: list[object] = []
    original = Subject.predictions

    def counting(self: Subject, pictures: object) -> object:
        passes.append(pictures)
        return original(self, pictures)  # type: ignore[arg-type]

    monkeypatch.setattr(Subject, "predictions", counting)
    return lambda: len(passes)


@pytest.mark.parametrize(("names", "expected"), [(["accuracy", "background"], 1), (["shift"], 2)])
def test_each_set_is_predicted_once_and_only_where_needed(
    names: list[str], expected: int, red_or_green: Classifier, count_passes: Callable[[], int]
) -> None:
    shift = {"one": four_pictures(), "two": four_pictures()}
    run_suite(names, subject_of(red_or_green, four_pictures(), shift=shift))
    assert count_passes() == expected
