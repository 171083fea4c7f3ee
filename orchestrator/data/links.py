"""Folders filled with links to files elsewhere, or with copies of them; existing files stay."""

import errno
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from trainables.config import ConfigError

LinkKind = Literal["hard", "symlink", "copy"]
_NO_HARD_LINKS = (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EACCES)
"""Errors of a file system that cannot make a hard link, for example to another file system."""


@dataclass(frozen=True, slots=True)
class LinkJob:
    """One folder to fill."""

    split: str
    """The split it is counted in: `train`."""
    target: Path
    files: Callable[[], Iterable[Path]]
    """Lists the files to put there, under their own names; called when the job starts."""


@dataclass(frozen=True, slots=True)
class Linked:
    """How many files of a folder were made."""

    split: str
    made: int
    there: int
    """How many were there before."""


def link_all(jobs: Iterable[LinkJob], kind: LinkKind, *, dry_run: bool = False, threads: int = 16) -> Iterator[Linked]:
    """Fill folders, several at a time, and yield the counts of each when it is done; a dry run only counts.

    Raises:
        ConfigError: A file of the same name has another size, or hard links cannot be made.
        OSError: The disk is full, or a folder cannot be written to.
    """
    pool = ThreadPoolExecutor(threads)
    try:
        for done in as_completed([pool.submit(_fill, job, kind, dry_run) for job in jobs]):
            yield done.result()
    finally:
        pool.shutdown(cancel_futures=True)  # After an error or Ctrl-C, the next call does the rest.


def _fill(job: LinkJob, kind: LinkKind, dry_run: bool) -> Linked:
    made = there = 0
    if not dry_run:
        job.target.mkdir(parents=True, exist_ok=True)
    for source in job.files():
        target = job.target / source.name
        if _is_there(source, target):
            there += 1
            continue
        made += 1
        if not dry_run:
            _MAKE[kind](source, target)
    return Linked(job.split, made, there)


def _is_there(source: Path, target: Path) -> bool:
    """Return whether `target` is the same file or has its size; a broken link counts as missing."""
    try:
        existing = target.stat()
    except FileNotFoundError:
        return False
    original = source.stat()
    if os.path.samestat(existing, original) or existing.st_size == original.st_size:
        return True
    raise ConfigError(
        f"{target} has {existing.st_size} bytes, but its original {source} has {original.st_size}; remove the first, "
        "or pass another --root"
    )


def _hard(source: Path, target: Path) -> None:
    _remove_broken_link(target)
    try:
        os.link(source.resolve(), target)  # A link would stay a link.
    except OSError as error:
        if error.errno in _NO_HARD_LINKS:
            raise ConfigError(
                f"--link hard: {target} cannot be a hard link to {source} ({error.strerror}); hard links only work "
                "within one file system: pass --link symlink, or --link copy if the originals may be deleted"
            ) from error
        raise


def _symlink(source: Path, target: Path) -> None:
    _remove_broken_link(target)
    target.symlink_to(source.absolute())


def _copy(source: Path, target: Path) -> None:
    partial = target.with_name(f".{target.name}.partial")
    shutil.copyfile(source, partial)
    partial.replace(target)


def _remove_broken_link(target: Path) -> None:
    if target.is_symlink():
        with suppress(FileNotFoundError):
            target.unlink()


_MAKE: Mapping[LinkKind, Callable[[Path, Path], None]] = {"copy": _copy, "hard": _hard, "symlink": _symlink}
