"""What a trial raises where Ray Train's workers have failed more often than they are tried again."""

from collections.abc import Mapping
from pathlib import Path

MAX_LETTERS = 300


class WorkersFailedError(RuntimeError):
    """Ray Train's workers, or the process that drives them, failed; the message says in one line which and why."""


def training_error(error: Exception, kept: tuple[type[Exception], ...], log: Path) -> Exception:
    """Return one of `kept` that Ray Train's error stands for, or else a WorkersFailedError.

    Args:
        error: What Ray Train raised.
        log: The trial's log, which has the traceback of a worker that has not died.
    """
    import ray

    rank, cause = _first(getattr(error, "worker_failures", {})) or (None, getattr(error, "controller_failure", error))
    if isinstance(cause, kept):
        return cause
    who = "the process that drives the workers" if rank is None else f"worker {rank}"
    death = getattr(cause, "health_check_failure", cause)
    if isinstance(death, ray.exceptions.RayError):
        return WorkersFailedError(f"{who} died: {_one_line(death)}")
    return WorkersFailedError(f"{who} failed: {type(cause).__name__}: {_one_line(cause)} (see {log})")


def _first(failures: Mapping[int, Exception]) -> tuple[int, Exception] | None:
    """Return rank and error of a worker that died, or else of the first that failed: its death makes others fail."""
    died = {rank: error for rank, error in failures.items() if hasattr(error, "health_check_failure")}
    return min((died or failures).items(), default=None, key=lambda failure: failure[0])


def _one_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines)[:MAX_LETTERS]
