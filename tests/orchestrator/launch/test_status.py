"""How far a sweep is, worked out by hand."""

import os
import time
from collections.abc import Callable
from typing import Any

import pytest

from orchestrator.launch.status import status_lines, sweep_status


@pytest.fixture
def sweep(make_sweep: Callable[..., Any]) -> Any:
    """Of five trials of ten epochs, one of each end, one under way for five epochs and one to come."""
    sweep = make_sweep(num_trials=5)
    sweep.complete("0000", {})
    sweep.start("0001", epochs=2)
    sweep.folder.trial("0001").finish()
    sweep.start("0002", epochs=3)
    sweep.folder.trial("0002").finish("OSError: full")
    sweep.start("0003", epochs=5)
    return sweep


def test_trials_epochs_and_hours_are_counted(sweep: Any) -> None:
    status = sweep_status(sweep.folder)
    assert status["trials"] == {"completed": 1, "stopped": 1, "failed": 1, "unfinished": 1, "waiting": 1}
    assert (status["epochs_done"], status["epochs"]) == (35, 50)
    assert status["cpu_hours"] == pytest.approx(20 * 36 / 3600)
    assert status["gpu_hours"] == 0
    assert (status["is_running"], status["eta_s"]) == (False, None)


def test_hours_count_every_worker_and_device(make_sweep: Callable[..., Any]) -> None:
    resources = {"workers": 2, "cpus": 3.0, "gpus": 1.0}
    sweep = make_sweep(base={"resources": resources})
    sweep.complete("0000", {})
    status = sweep_status(sweep.folder)
    assert status["cpu_hours"] == pytest.approx(10 * 36 * 2 * 3 / 3600)
    assert status["gpu_hours"] == pytest.approx(10 * 36 * 2 / 3600)


def test_time_left_follows_from_the_pace_of_the_running_driver(sweep: Any) -> None:
    now = time.time()
    with sweep.folder.locked():
        os.utime(sweep.folder.lock_path, (now - 180, now - 180))
        for trial_id in ("0000", "0001", "0002"):
            os.utime(sweep.folder.trial(trial_id).metrics_path, (now - 200, now - 200))
        os.utime(sweep.folder.trial("0003").metrics_path, (now, now))
        status = sweep_status(sweep.folder)
    assert status["is_running"]
    assert status["eta_s"] == pytest.approx((50 - 35) * 180 / 5, rel=0.05)


def test_pace_leaves_out_the_epochs_of_earlier_drivers(sweep: Any) -> None:
    now = time.time()
    with sweep.folder.locked():
        for trial_id in ("0000", "0001", "0002"):
            os.utime(sweep.folder.trial(trial_id).metrics_path, (now - 900, now - 900))
        os.utime(sweep.folder.trial("0003").metrics_path, (now, now))
        os.utime(sweep.folder.lock_path, (now - 60, now - 60))  # two epochs of 36 s ended in these 60 s
        status = sweep_status(sweep.folder)
    assert status["eta_s"] == pytest.approx((50 - 35) * 60 / 2, rel=0.05)


def test_time_left_is_unknown_before_the_first_epoch(make_sweep: Callable[..., Any]) -> None:
    sweep = make_sweep()
    sweep.start("0000")
    with sweep.folder.locked():
        assert sweep_status(sweep.folder)["eta_s"] is None


def test_epoch_without_a_time_counts_no_hours(make_sweep: Callable[..., Any]) -> None:
    sweep = make_sweep()
    sweep.start("0000", epochs=1, **{"time/epoch_s": float("nan")})
    assert sweep_status(sweep.folder)["cpu_hours"] == 0


@pytest.mark.fault("One trial of a running sweep has a broken file.", trains=False)
def test_broken_trial_counts_as_broken(sweep: Any, caplog: pytest.LogCaptureFixture) -> None:
    sweep.folder.trial("0000").metrics_path.write_bytes(b"\xff\n")
    with sweep.folder.locked():
        status = sweep_status(sweep.folder)
    assert status["trials"] == {"broken": 1, "stopped": 1, "failed": 1, "unfinished": 1, "waiting": 1}
    assert (status["epochs_done"], status["epochs"]) == (25, 40)
    assert list(status["broken"]) == ["0000"]
    assert "metrics.jsonl: not a text in UTF-8" in status["broken"]["0000"]
    assert caplog.messages == [f"trial 0000 is broken: {status['broken']['0000']}"]


def test_lines_for_people(sweep: Any) -> None:
    status = {**sweep_status(sweep.folder), "is_running": True, "eta_s": 125.0}
    assert status_lines(status) == [
        "first: running; trials: 1 completed, 1 stopped, 1 failed, 1 unfinished, 1 waiting",
        "epochs 35 of 50, 0.20 CPU hours, 0.00 GPU hours",
        "about 2m05s left",
    ]
    assert "not running" in status_lines(sweep_status(sweep.folder))[0]
