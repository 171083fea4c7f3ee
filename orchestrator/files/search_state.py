"""How long a sweep has been searching, and why it ended before its last trial."""

from dataclasses import asdict, dataclass
from pathlib import Path

from orchestrator.files.sweep_config import SweepConfig
from orchestrator.files.text import format_seconds
from trainables.json_file import BrokenFileError, read_object, write_json


@dataclass(frozen=True, slots=True)
class SearchState:
    """What `search.json` of a sweep holds; a sweep without a limit has no such file."""

    seconds: float = 0.0
    """Over all drivers so far."""
    ended_by: str | None = None
    """The limit that ended the search, one of `limits_of` its config; None while nothing has."""
    reason: str | None = None
    """How that limit was reached."""

    @classmethod
    def read(cls, path: Path) -> "SearchState":
        """Return the state in the file, the first one where there is none; BrokenFileError names another file."""
        try:
            return cls(**read_object(path))
        except TypeError as error:
            raise BrokenFileError(f"{path}: {error}; remove it, and the time used so far is forgotten") from error

    def write(self, path: Path) -> None:
        write_json(path, asdict(self))

    def end_under(self, config: SweepConfig) -> str | None:
        """Return what ended the search and why; None where nothing did, or where the limit is no longer there."""
        return f"{self.ended_by}: {self.reason}" if self.ended_by in limits_of(config) else None


def limits_of(config: SweepConfig) -> tuple[str, ...]:
    """Return what may end the search before its last trial, in words."""
    budget = () if config.time_budget_s is None else (f"time budget of {format_seconds(config.time_budget_s)}",)
    return (*budget, *config.stop_when)
