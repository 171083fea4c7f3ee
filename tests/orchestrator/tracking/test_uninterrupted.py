"""Work under a stop signal."""

import signal
import threading

import pytest

from orchestrator.tracking import uninterrupted


def test_interruption_is_raised_once_the_work_is_done() -> None:
    done: list[str] = []
    main_thread = threading.get_ident()

    def work() -> None:
        signal.pthread_kill(main_thread, signal.SIGINT)
        done.append("all")

    with pytest.raises(KeyboardInterrupt):
        uninterrupted(work)
    assert done == ["all"]


def test_result_and_error_are_handed_on() -> None:
    assert uninterrupted(lambda: 3) == 3
    with pytest.raises(ZeroDivisionError):
        uninterrupted(lambda: 1 // 0)
