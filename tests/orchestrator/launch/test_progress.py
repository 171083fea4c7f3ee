"""Epochs counted over trials, and the time left."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import pytest

from orchestrator.launch.progress import EpochProgress, SuiteProgress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return a list whose one number is the time in seconds."""
    now = [0.0]
    monkeypatch.setattr("orchestrator.launch.progress.time.monotonic", lambda: now[0])
    return now


def test_line_says_trial_epoch_metrics_and_share_done(capsys: pytest.CaptureFixture[str], clock: list[float]) -> None:
    with EpochProgress(num_trials=2, epochs=4, shown=("val/accuracy", "absent"), done={}) as progress:
        clock[0] = 10.0
        progress.on_epoch("0000", 1, {"val/accuracy": 0.5, "train/loss": 2.0})
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "0000  epoch 1/4  val/accuracy 0.500  [12%, 1m10s left]\n"


def test_epoch_counts_once_however_often_it_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
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
    assert capsys.readouterr().err.splitlines()[-1] == "0000  stopped  [50%, 10s left]"


def test_trials_of_other_lengths_count_theirs_once_they_have_started(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    epochs = {"long": 30, "done": 5}
    progress = EpochProgress(num_trials=4, epochs=10, shown=(), done={"done": 5}, epochs_of=epochs.__getitem__)
    clock[0] = 10.0
    progress.on_epoch("long", 1, {})
    assert capsys.readouterr().err == "long  epoch 1/30  [11%, 8m10s left]\n"
    progress.on_end("long", "stopped")
    assert "[64%" in capsys.readouterr().err


GOALS = ("val/accuracy", "val/background/influence_share", "shift/dogs-vs-cats/accuracy")
METRICS = dict(zip(GOALS, (0.9375, 0.125, 0.5), strict=True))


def test_lines_in_a_pipe_fit_80_columns_and_break_between_values(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    progress = EpochProgress(num_trials=12, epochs=30, shown=GOALS, done={})
    clock[0] = 10.0
    progress.on_epoch("0000", 1, METRICS)
    assert capsys.readouterr().err.splitlines() == [
        "0000  epoch 1/30  val/accuracy 0.938  val/background/influence_share 0.125",
        "    shift/dogs-vs-cats/accuracy 0.500  [0%, 59m50s left]",
    ]


def test_value_of_the_demo_fits_one_line(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    metric = "shift/random_background/accuracy"
    progress = EpochProgress(num_trials=8, epochs=10, shown=(metric,), done={"0000": 9})
    clock[0] = 100.0
    progress.on_epoch("0000", 10, {metric: 0.25})
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"0000  epoch 10/10  {metric} 0.250  [12%, 1h56m left]"


def on_terminal(code: str) -> list[str]:
    """Run code whose standard error is a terminal of 80 columns; return what it wrote, with a line for each redraw."""
    main, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=child, stdout=child, stderr=child, env={**environment, "TERM": "xterm"}
    )
    os.close(child)
    written = b""
    while chunk := _read(main):
        written += chunk
    os.close(main)
    assert process.wait() == 0
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written.decode())
    return [line.rstrip() for line in re.split(r"[\r\n]+", text) if line.strip()]


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # The other end is closed.
        return b""


def test_epochs_on_a_terminal_fit_80_columns_and_break_no_value() -> None:
    lines = on_terminal(
        "from orchestrator.launch.progress import EpochProgress\n"
        f"with EpochProgress(num_trials=24, epochs=100, shown={GOALS}, done={{'0000': 98}}) as progress:\n"
        f"    progress.on_epoch('0000', 99, {METRICS})\n"
    )
    assert max(map(len, lines)) <= 80
    assert lines[-3:-1] == [
        "0000  epoch 99/100  val/accuracy 0.938  val/background/influence_share 0.125",
        "    shift/dogs-vs-cats/accuracy 0.500",
    ]
    assert re.fullmatch(r"\S+ +99/2400 epochs 0:00:0\d \S+ left", lines[-1])


def test_evaluations_on_a_terminal_fit_80_columns_and_break_no_value() -> None:
    lines = on_terminal(
        "from orchestrator.launch.progress import SuiteProgress\n"
        "with SuiteProgress() as progress:\n"
        "    listener = progress.listener('demo-digits-full/0007', 19)\n"
        "    listener.on_start('attribution-integrated-gradients')\n"
        "    listener.on_tick(120, 200)\n"
    )
    assert max(map(len, lines)) <= 80
    assert re.fullmatch(r"demo-digits-full/0007 \[1/19\] +\S+ +60% +0:00:0\d", lines[-2])
    assert lines[-1] == "attribution-integrated-gradients"


def test_listener_keeps_why_evaluations_were_skipped() -> None:
    with SuiteProgress() as progress:
        listener = progress.listener("one", 2)
        listener.on_skip("circuits", "the data have no masks")
        listener.on_fail("gap", "ValueError: x")
    assert listener.skipped == {"circuits": "the data have no masks"}
