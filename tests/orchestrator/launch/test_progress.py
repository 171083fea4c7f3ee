"""Epochs counted over trials, and the time left."""

import pytest

from orchestrator.launch.progress import EpochProgress
from orchestrator.results.formatting import format_seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return a list whose one number is the time in seconds."""
    now = [0.0]
    monkeypatch.setattr("orchestrator.launch.progress.time.monotonic", lambda: now[0])
    return now


def test_line_says_trial_epoch_figures_and_total(capsys: pytest.CaptureFixture[str], clock: list[float]) -> None:
    with EpochProgress(num_trials=2, epochs=4, shown=("val/accuracy", "absent"), done={}) as progress:
        clock[0] = 10.0
        progress.on_epoch("0000", 1, {"val/accuracy": 0.5, "train/loss": 2.0})
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "0000  epoch 1/4  val/accuracy 0.500  [1/8 epochs, 1m10s left]\n"


def test_epoch_counts_once_however_often_it_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with EpochProgress(num_trials=1, epochs=4, shown=(), done={"0000": 2}) as progress:
        progress.on_epoch("0000", 2, {})
        progress.on_epoch("0000", 3, {})
        progress.on_epoch("0000", 3, {})
    assert capsys.readouterr().err.count("epoch 3/4") == 1


def test_pace_leaves_out_what_was_done_before(clock: list[float]) -> None:
    progress = EpochProgress(num_trials=3, epochs=10, shown=(), done={"0000": 10, "0001": 5})
    assert progress.eta_s() is None
    clock[0] = 20.0
    progress.on_epoch("0001", 7, {})
    assert progress.eta_s() == pytest.approx((30 - 17) * 10)


def test_trial_that_ends_early_counts_in_full(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    progress = EpochProgress(num_trials=2, epochs=10, shown=(), done={})
    clock[0] = 10.0
    progress.on_epoch("0000", 1, {})
    progress.on_end("0000", "stopped")
    assert capsys.readouterr().err.splitlines()[-1] == "0000  stopped  [10/20 epochs, 10s left]"


def test_trials_of_other_lengths_count_theirs_once_they_have_started(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    epochs = {"long": 30, "done": 5}
    progress = EpochProgress(num_trials=4, epochs=10, shown=(), done={"done": 5}, epochs_of=epochs.__getitem__)
    clock[0] = 10.0
    progress.on_epoch("long", 1, {})
    assert capsys.readouterr().err == "long  epoch 1/30    [6/55 epochs, 8m10s left]\n"
    progress.on_end("long", "stopped")
    assert "[35/55 epochs" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (7.4, "7s"), (59.6, "1m00s"), (125, "2m05s"), (3600, "1h00m"), (3725, "1h02m"), (90000, "25h00m")],
)
def test_seconds_for_people(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text
