"""Which trials are overdue, and when."""

from orchestrator.launch.trial_clock import TrialClock


class Time:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_trial_that_reports_is_never_overdue() -> None:
    time = Time()
    clock = TrialClock(60.0, time)
    clock.on_start("0000")
    for time.now_s in (0.0, 60.0, 120.0):
        clock.on_report("0000")
        assert clock.overdue() == {}
    time.now_s = 180.0
    assert clock.overdue() == {}
    time.now_s = 180.1
    assert clock.overdue() == {"0000": "no report for 1m00s (--trial-timeout)"}
    clock.on_end("0000")
    assert clock.overdue() == {}


def test_without_a_limit_a_trial_has_half_an_hour_to_begin_and_all_time_to_train() -> None:
    time = Time()
    clock = TrialClock(None, time)
    clock.on_start("hangs")
    clock.on_start("trains")
    clock.on_report("trains")
    time.now_s = 1800.0
    assert clock.overdue() == {}
    time.now_s = 1e9
    assert clock.overdue() == {"hangs": "not begun within 30m00s of the start of its process"}


def test_limit_of_training_is_none_of_starting() -> None:
    time = Time()
    clock = TrialClock(1.0, time)
    clock.on_start("0000")
    time.now_s = 1800.0
    assert clock.overdue() == {}
