"""Which protocol a stored result is of, and what is said of its trainings and images."""

from typing import Any

import pytest

from benchmarks.protocol import binomial_error, is_earlier, protocol_sentences, reported_today

SIZES = {"val": 25, "test": 100, "dogs-vs-cats": 400}


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        ({"val/accuracy": 0.5, "shift/far/accuracy": 0.5}, True),
        ({"val/accuracy": 0.5, "test/accuracy": 0.5}, False),
    ],
)
def test_result_without_a_metric_of_test_images_is_earlier(metrics: dict[str, float], expected: bool) -> None:
    assert is_earlier({"sweeps": [{"trials": [{"metrics": metrics}]}]}) is expected
    assert is_earlier({"study": {"arms": [{"figures": metrics}]}}) is expected


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("val/background/rfs", "test/background/rfs"),
        ("shift/far/accuracy", "shift/far/accuracy"),
        ("train/accuracy", "train/accuracy"),
    ],
)
def test_earlier_held_out_set_is_the_test_set_of_today(metric: str, expected: str) -> None:
    assert reported_today(metric) == expected


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("val/accuracy", 0.08),
        ("test/accuracy", 0.04),
        ("shift/dogs-vs-cats/accuracy", 0.02),
        ("shift/other/accuracy", None),
        ("test/worst_group_accuracy", None),
        ("test/background/influence_share", None),
    ],
)
def test_binomial_error_is_of_an_accuracy_whose_number_of_images_is_known(metric: str, expected: float | None) -> None:
    found = binomial_error(metric, 0.8, SIZES)
    assert found == (None if expected is None else pytest.approx(expected))


def test_trainings_and_images_are_named() -> None:
    result: dict[str, Any] = {"uses_masks": {"cross-entropy": False, "contrastive": True}, "num_images": SIZES}
    assert protocol_sentences(result) == (
        "Trained with masks: contrastive. Trained without: cross-entropy. No training uses groups. "
        "Numbers of images: val 25, test 100, dogs-vs-cats 400."
    )
    assert protocol_sentences({}) == ""
