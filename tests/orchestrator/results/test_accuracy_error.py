"""Numbers of images, and tests of accuracies, worked out by hand."""

import pytest

from orchestrator.results.accuracy_error import differ, num_images, within_noise
from orchestrator.results.trial_rows import TrialRow

WHOLE = {"num_train": 64, "num_val": 32, "num_test": 40, "num_shift": {"far": 8}, "num_val_shift": {"far": 6}}
EARLIER = {"num_train": 64, "num_val": 32}
ACCURACIES = {"val/accuracy": 0.5, "test/accuracy": 0.5, "shift/far/accuracy": 0.5, "val/shift/far/accuracy": 0.5}
GROUPS = {"val/worst_group_accuracy": 0.25, "test/worst_group_accuracy": 0.0, "val/group_adjusted_accuracy": 0.75}


def test_number_of_images_of_each_split_and_of_groups() -> None:
    sizes = {"val/worst_group_size": 3.0, "test/worst_group_size": 2.0, "val/group_adjusted_size": 24.6}
    assert num_images({**ACCURACIES, **GROUPS, **sizes, "val/loss": 0.5}, WHOLE) == {
        "val/accuracy": 32,
        "test/accuracy": 40,
        "shift/far/accuracy": 8,
        "val/shift/far/accuracy": 6,
        "val/worst_group_accuracy": 3,
        "test/worst_group_accuracy": 2,
        "val/group_adjusted_accuracy": 25,
    }


def test_what_an_earlier_trial_did_not_record_has_no_number() -> None:
    assert num_images({**ACCURACIES, **GROUPS}, EARLIER) == {"val/accuracy": 32}
    assert num_images(ACCURACIES, {}) == {}


def test_skipped_images_do_not_count() -> None:
    skipped = {"val/skipped_samples": 2.0, "test/skipped_samples": 0.0, "shift/far/skipped_samples": 8.0}
    assert num_images({**ACCURACIES, **skipped}, WHOLE) == {
        "val/accuracy": 30,
        "test/accuracy": 40,
        "val/shift/far/accuracy": 6,
    }


def test_an_accuracy_without_a_value_has_no_number() -> None:
    assert num_images({"val/accuracy": None}, WHOLE) == {}


@pytest.mark.parametrize(
    ("accuracy", "other", "num", "expected"),
    [
        (0.60, 0.47, 100, False),  # z = 0.13 / sqrt(0.535 * 0.465 / 50) = 1.843
        (0.60, 0.45, 100, True),  # z = 0.15 / sqrt(0.525 * 0.475 / 50) = 2.124
        (0.45, 0.60, 100, True),
        (0.60, 0.47, 400, True),  # z = 3.686
        (1.0, 1.0, 100, False),
        (0.0, 0.0, 100, False),
    ],
)
def test_z_test_by_hand(accuracy: float, other: float, num: int, expected: bool) -> None:
    assert differ(accuracy, num, other, num) == expected


def test_z_test_of_different_numbers_pools_the_images() -> None:
    """p = (60 + 9) / 120 = 0.575, so `z = 0.15 / sqrt(0.575 * 0.425 * (1/100 + 1/20)) = 1.239`."""
    assert not differ(0.60, 100, 0.45, 20)
    assert differ(0.60, 100, 0.30, 20)  # p = 0.55, z = 0.3 / sqrt(0.2475 * 0.06) = 2.462


def row(trial_id: str, accuracy: float, num: int | None = 100) -> TrialRow:
    found = TrialRow(
        trial_id=trial_id, run_id=None, status="completed", epoch=1, config={}, metrics={"val/accuracy": accuracy}
    )
    if num is not None:
        found["num_images"] = {"val/accuracy": num}
    return found


@pytest.mark.parametrize(
    ("ranking", "expected"),
    [
        ([row("a", 0.60), row("b", 0.50), row("c", 0.47), row("d", 0.45), row("e", 0.44)], "abc"),
        ([row("a", 0.60), row("b", 0.45)], "a"),
        ([row("a", 0.60), row("b", 0.55)], "ab"),
        ([row("a", 0.60), row("b", 0.45), row("c", 0.60)], "a"),
        ([row("a", 0.60), row("b", 0.55), row("c", 0.45, None)], ""),
        ([], ""),
    ],
)
def test_trials_within_noise_of_the_first(ranking: list[TrialRow], expected: str) -> None:
    assert "".join(within_noise(ranking, "val/accuracy")) == expected


def test_a_metric_that_is_no_accuracy_has_no_noise() -> None:
    rows = [row("a", 0.60), row("b", 0.45)]
    for each in rows:
        each["metrics"]["val/loss"] = 0.5
    assert within_noise(rows, "val/loss") == []
