"""Work under a stop signal."""

import signal
import threading
from collections.abc import Iterator

import pytest

from orchestrator.tracking import uninterrupted


@pytest.fixture
def _ctrl_c_is_heard() -> Iterator[None]:
    """A shell makes what it starts in the background ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_ctrl_c_is_heard")
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
