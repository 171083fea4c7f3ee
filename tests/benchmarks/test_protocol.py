"""Which protocol a stored result is of, and what is said of its trainings and images."""

from typing import Any

import pytest

from benchmarks.protocol import is_earlier, protocol_sentences, reported_today


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


def test_trainings_and_images_are_named() -> None:
    result: dict[str, Any] = {
        "uses_masks": {"cross-entropy": False, "contrastive": True},
        "num_images": {"val/accuracy": 25, "test/accuracy": 100},
    }
    assert protocol_sentences(result) == (
        "Trained with masks: contrastive. Trained without: cross-entropy. No training uses groups. "
        "Numbers of images: 25 in `val/accuracy` and 100 in `test/accuracy`."
    )
    balanced = {**result, "uses_groups": {"cross-entropy": True, "contrastive": False}}
    assert ". Trained with groups: cross-entropy. Numbers" in protocol_sentences(balanced)
    assert protocol_sentences({}) == ""


def test_many_arms_with_masks_are_counted() -> None:
    uses = {"plain": False, **{f"arm-{number}": True for number in range(21)}}
    text = protocol_sentences({"uses_masks": uses, "num_images": {"test/accuracy": 5}})
    assert text.startswith("Trained with masks: 21 arms, all but those named next. Trained without: plain. ")
