"""The checkpoints of a trial: written whole or not at all, and verified by their CRC32s before they are read."""

import logging
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

from trainables.atomic_file import atomic_file
from trainables.json_file import BrokenFileError
from trainables.out_of_memory import is_out_of_memory
from trainables.outcome import kept_epoch

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)

State = Mapping[str, Any]
"""What a checkpoint holds; that of an epoch has `row`, the epoch's metrics, and `rows`, those of all epochs so far."""

UNREADABLE_ZIP = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, OverflowError)
UNREADABLE = (OSError, RuntimeError, EOFError, UnpicklingError, ValueError, LookupError, AttributeError, TypeError)
"""What `torch.load` raises for a file that is no checkpoint."""
AS_FOLDER = 0x10
"""The attribute of a record by which `torch.load` takes it for a folder, and leaves its tensor's memory as it was."""
MAX_REASON = 200
"""Letters of an error of torch, which may name every weight of a network."""


@dataclass(frozen=True, slots=True)
class LastGood:
    """The last checkpoint that can be read, and why a later one cannot."""

    path: Path
    state: State | None
    """None before the first epoch's end."""
    bad: BrokenFileError | None = None

    @property
    def row(self) -> dict[str, float]:
        """The row of the checkpoint's epoch; that of epoch 0 holds its number alone."""
        row: dict[str, float] = self.state["row"] if self.state else {"epoch": 0}
        return row


@dataclass(frozen=True, slots=True)
class CheckpointFolder:
    """The folder of a trial's checkpoints."""

    path: Path

    @property
    def state_path(self) -> Path:
        """The checkpoint of the last epoch."""
        return self.path / "state.pt"

    @property
    def previous_path(self) -> Path:
        """The checkpoint of the epoch before it."""
        return self.path / "previous.pt"

    @property
    def bad_path(self) -> Path:
        """A checkpoint that could not be read and was set aside."""
        return self.path / "state.pt.bad"

    @property
    def best_path(self) -> Path:
        """The network of the epoch that is kept, where that is the best one; without the optimiser's state."""
        return self.path / "best.pt"

    @property
    def partial_epoch_path(self) -> Path:
        """The checkpoint in the middle of an epoch, saved on a preemption notice; the epoch's commit removes it."""
        return self.path / "partial_epoch.pt"

    @property
    def old_partial_epoch_path(self) -> Path:
        """The partial epoch of an earlier version of campaign."""
        return self.path / "unfinished.pt"

    @property
    def has_epoch(self) -> bool:
        """Whether an epoch was committed."""
        return self.state_path.exists() or self.previous_path.exists()

    @property
    def has_lost_epoch(self) -> bool:
        """Whether the last epoch's checkpoint was set aside or is missing, and the epoch is not trained again yet."""
        return not self.state_path.exists() and (self.bad_path.exists() or self.previous_path.exists())

    def commit(self, state: State) -> None:
        """Save the checkpoint of an epoch; the one before it stays, in case that this one cannot be read."""
        _save(state, self.state_path, previous=self.previous_path)
        self.partial_epoch_path.unlink(missing_ok=True)
        self.old_partial_epoch_path.unlink(missing_ok=True)

    def load(self, device: "torch.device | str") -> State | None:
        """Return the state of the last epoch, or None before the first epoch's end.

        Raises:
            BrokenFileError: It cannot be read, and is set aside; that of an earlier epoch would be another network.
        """
        if not self.has_epoch:
            return None
        try:
            return _load_epoch(self.state_path, device)
        except BrokenFileError as error:
            again = "its epoch again, from previous.pt" if self.previous_path.exists() else "from the first epoch"
            raise BrokenFileError(
                f"{error}{_set_aside(self.state_path)}: bring a copy back as state.pt, or train {again}, with "
                "`campaign resume`, or for a run of `campaign train` with the same command"
            ) from error

    def load_last_good(self, device: "torch.device | str") -> LastGood:
        """Return the state to continue from: that of the epoch before, where the last one cannot be read.

        Raises:
            BrokenFileError: Neither can be read.
        """
        if not self.has_epoch:
            return LastGood(self.state_path, None)
        try:
            return LastGood(self.state_path, _load_epoch(self.state_path, device))
        except BrokenFileError as error:
            bad = error
        try:
            return LastGood(self.previous_path, _load_epoch(self.previous_path, device), bad)
        except BrokenFileError as error:
            both = f"{bad}; {error}" if self.previous_path.exists() else str(bad)
            raise BrokenFileError(f"{both}; bring it back, or remove it to train from the first epoch") from bad

    def continue_from(self, good: LastGood) -> None:
        """Set aside the checkpoint that could not be read, and say from which epoch training continues."""
        if good.bad is not None:
            where = f"training continues from epoch {good.row['epoch']}, in {good.path.name}"
            logger.warning("%s%s: %s", good.bad, _set_aside(self.state_path), where)

    def save_best(self, row: Mapping[str, float], weights: "Mapping[str, torch.Tensor] | None") -> None:
        """Save the weights of the network to evaluate after the epoch of `row`, by rename."""
        _save({"row": row, "evaluated": weights}, self.best_path)

    def load_best(self, epoch: int, device: "torch.device | str") -> State:
        """Return what `save_best` saved of `epoch`; BrokenFileError where that cannot be read or is not there."""
        state = _load_epoch(self.best_path, device)
        found = state["row"]["epoch"]
        if found != epoch:
            raise BrokenFileError(f"{self.best_path}: the network of epoch {found} is in it, not that of epoch {epoch}")
        return state

    def load_kept(self, device: "torch.device | str") -> tuple[Path, State] | None:
        """Return the checkpoint of the epoch that is kept, and its path; None before the first epoch's end.

        Raises:
            BrokenFileError: It cannot be read, and is set aside; that of another epoch would be another network.
        """
        state = self.load(device)
        if state is None:
            return None
        kept = kept_epoch([state["row"]])
        if kept == state["row"]["epoch"]:
            return self.state_path, state
        try:
            return self.best_path, self.load_best(kept, device)
        except BrokenFileError as error:
            raise BrokenFileError(
                f"{error}{self.set_best_aside()}: bring a copy back as best.pt, or keep the last epoch instead, with "
                "`campaign resume`, or for a run of `campaign train` with the same command"
            ) from error

    def set_best_aside(self) -> str:
        """Rename best.pt, and return what a message says of it; nothing where there is none to rename."""
        return _set_aside(self.best_path)

    def save_partial_epoch(self, state: State) -> None:
        """Save a checkpoint in the middle of an epoch, by rename."""
        _save(state, self.partial_epoch_path)

    def load_partial_epoch(self, device: "torch.device") -> State | None:
        """Return the checkpoint in the middle of an epoch, or None if there is none or it cannot be read."""
        paths = (self.partial_epoch_path, self.old_partial_epoch_path)
        path = next((path for path in paths if path.exists()), None)
        if path is None:
            return None
        try:
            return _load(path, device)
        except BrokenFileError as error:
            logger.warning("%s; its epoch starts again", error)
            return None


@contextmanager
def fitting(
    path: Path, *, remedy: str = "bring the trial's own back, or remove it to train from the first epoch"
) -> Iterator[None]:
    """Raise BrokenFileError, which ends in `remedy`, where the checkpoint does not fit what it is loaded into."""
    try:
        yield
    except (RuntimeError, LookupError, TypeError, AttributeError, ValueError) as error:
        if is_out_of_memory(error):
            raise
        reason = f"the checkpoint does not fit the trial's config ({_reason(error)})"
        raise BrokenFileError(f"{path}: {reason}; {remedy}") from error


def _set_aside(path: Path) -> str:
    """Rename a checkpoint, and return what a message says of it; nothing where there is none to rename."""
    bad = path.with_name(f"{path.name}.bad")
    try:
        path.replace(bad)
    except OSError:
        return ""
    return f"; it is now {bad.name}"


def _save(state: State, path: Path, *, previous: Path | None = None) -> None:
    """Write a checkpoint by rename, making its folder; OSError names it."""
    import torch

    with atomic_file(path, partial=path.with_suffix(".partial"), previous=previous) as file:
        try:
            torch.save(dict(state), file)
        except RuntimeError as error:
            if not isinstance(error.__context__, OSError):
                raise
            raise error.__context__ from None  # Torch's own error does not say what was wrong with the file.


def _load(path: Path, device: "torch.device | str") -> State:
    """Return what the file holds; BrokenFileError says why it cannot be read.

    `torch.save` writes a zip archive, whose CRC32s `torch.load` does not look at.
    """
    import torch

    try:
        _verify(path)
        state = torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError as error:
        raise BrokenFileError(f"{path} is missing") from error
    except (*UNREADABLE, *UNREADABLE_ZIP) as error:
        if isinstance(error, torch.AcceleratorError) or is_out_of_memory(error):
            raise
        raise BrokenFileError(f"{path}: no checkpoint that can be read ({_reason(error)})") from error
    if not isinstance(state, dict):
        raise BrokenFileError(f"{path}: no checkpoint that can be read (a {type(state).__name__} is in it)")
    return state


def _load_epoch(path: Path, device: "torch.device | str") -> State:
    state = _load(path, device)
    row = state.get("row")
    if not isinstance(row, dict) or not isinstance(row.get("epoch"), int):
        raise BrokenFileError(f"{path}: no checkpoint that can be read (no row of its epoch is in it)")
    return state


def _verify(path: Path) -> None:
    """Read the archive once; BadZipFile names the record that is not what was written."""
    with zipfile.ZipFile(path) as archive:
        record = archive.testzip()
        folders = [info.filename for info in archive.infolist() if info.external_attr & AS_FOLDER]
    if record is not None:
        raise zipfile.BadZipFile(f"the CRC32 of {record} is wrong")
    if folders:
        raise zipfile.BadZipFile(f"{folders[0]} is marked as a folder")


def _reason(error: Exception) -> str:
    """Return the error's type and the beginning of its message, on one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:MAX_REASON]}"
