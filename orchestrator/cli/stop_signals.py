"""The signals that stop a command: Ctrl-C, and those of service managers, Slurm and a terminal that closes."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopSignals:
    """Raises KeyboardInterrupt at the first stop signal, whichever it is, and answers later ones with a line alone.

    So a command has one way to end early, and what it then writes is not disturbed.
    """

    def __init__(self) -> None:
        self._first: int | None = None

    @property
    def exit_code(self) -> int | None:
        """128 and the number of the signal, as in a shell; None while none has come."""
        return None if self._first is None else 128 + self._first

    @contextmanager
    def handled(self) -> Iterator[None]:
        """Handle the signals; one that the command was started to ignore, as by `nohup`, stays ignored."""
        before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
        for number, handler in before.items():
            if handler is not signal.SIG_IGN:
                signal.signal(number, self._stop)
        try:
            yield
        finally:
            for number, handler in before.items() if self._first is None else ():
                signal.signal(number, handler)

    def _stop(self, number: int, _: FrameType | None) -> None:
        if self._first is None:
            self._first = number
            raise KeyboardInterrupt
        with suppress(OSError):  # A terminal that has closed.
            os.write(2, b"stopping ...\n")  # Python's own streams may be in the middle of a line.
