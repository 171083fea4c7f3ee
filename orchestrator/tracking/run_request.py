"""A request to create a run that MLflow has not answered: the run may still appear."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

POLL_S = 1.0
MAX_ANSWER_S = 120.0
"""How long a server may take to create a run: as long as MLflow's own clients wait by default."""


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A file in the folder of a trial or a sweep, there while the request has no answer.

    Every process that sends the folder sees it, so that none asks for a second run while the first may be on its way.
    """

    folder: Path

    @property
    def path(self) -> Path:
        return self.folder / ".mlflow-run-requested"

    @property
    def is_pending(self) -> bool:
        """Whether a request was sent less than `MAX_ANSWER_S` seconds ago and has no answer."""
        try:
            return time.time() - self.path.stat().st_mtime < MAX_ANSWER_S
        except FileNotFoundError:
            return False

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Note the request before it is sent; an error inside leaves it pending."""
        self.path.touch()
        yield
        self.answered()

    def answered(self) -> None:
        """Forget the request: its run is there."""
        self.path.unlink(missing_ok=True)
