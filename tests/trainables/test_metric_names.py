"""Metrics by split, and the names that they had before there were splits."""

import logging

import pytest

from trainables.metric_names import (
    current_metric,
    of_split,
    why_not_to_choose_by,
    with_current_metrics,
    without_split,
)


@pytest.mark.parametrize(
    ("metric", "val", "test"),
    [
        ("accuracy", "val/accuracy", "test/accuracy"),
        ("ood/near/energy/auroc", "val/ood/near/energy/auroc", "test/ood/near/energy/auroc"),
        ("shift/a/accuracy", "val/shift/a/accuracy", "shift/a/accuracy"),
    ],
)
def test_a_split_is_put_into_a_name_and_taken_out_again(metric: str, val: str, test: str) -> None:
    assert (of_split(metric, "val"), of_split(metric, "test")) == (val, test)
    assert without_split(val) == (metric, "val")
    assert without_split(test) == (metric, "test")


@pytest.mark.parametrize("metric", ["train/loss", "epoch", "time/epoch_s", "accuracy", "validation/x"])
def test_what_has_no_split_has_none(metric: str) -> None:
    assert without_split(metric) == (metric, None)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("background/influence_share", "val/background/influence_share"),
        ("faithfulness/max_logit_error", "val/faithfulness/max_logit_error"),
        ("localisation/contrastive_iou", "val/localisation/contrastive_iou"),
        ("attribution/*", "val/attribution/*"),
        ("ood/near/energy/auroc", "val/ood/near/energy/auroc"),
        ("adversarial/pgd/linf_0", "val/adversarial/pgd/linf_0"),
        ("background/worst_group", "val/worst_group_accuracy"),
        ("background/group_adjusted_accuracy", "val/group_adjusted_accuracy"),
    ],
)
def test_old_names_are_those_of_validation(old: str, new: str) -> None:
    assert current_metric(old) == new
    assert current_metric(new) == new


@pytest.mark.parametrize(
    "metric",
    ["val/accuracy", "shift/a/accuracy", "train/loss", "epoch", "classifier/fit_accuracy", "optim/learning_rate"],
)
def test_other_names_stay(metric: str) -> None:
    assert with_current_metrics({metric: 0.5}) == {metric: 0.5}


def test_that_old_names_are_read_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    from trainables import metric_names

    metric_names._log_once.cache_clear()
    with caplog.at_level(logging.WARNING):
        with_current_metrics({"val/accuracy": 1.0})
        assert caplog.messages == []
        for _ in range(2):
            with_current_metrics({"background/rfs": 1.0, "ood/far/knn/auroc": 1.0})
    (message,) = caplog.messages
    assert message.endswith("is now val/background/influence_share; the old names are still read")


@pytest.mark.parametrize(
    ("metric", "nearest"),
    [
        ("test/accuracy", "val/accuracy"),
        ("test/background/influence_share", "val/background/influence_share"),
        ("shift/random_background/accuracy", "val/worst_group_accuracy"),
        ("shift/random_background/calibration_error", "val/calibration_error"),
    ],
)
def test_nothing_is_chosen_by_images_that_are_reported(metric: str, nearest: str) -> None:
    reason = why_not_to_choose_by(metric)
    assert reason is not None
    assert reason.startswith(f"{metric} is measured on ")
    assert reason.endswith(f" only reported; choose by {nearest}")


@pytest.mark.parametrize("metric", ["val/accuracy", "val/shift/a/accuracy", "train/loss"])
def test_validation_and_training_may_choose(metric: str) -> None:
    assert why_not_to_choose_by(metric) is None
