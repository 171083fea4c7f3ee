"""Folders of images made from files that lie elsewhere, by links or copies; what is there already stays."""

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
"""What a file system answers that does not take a hard link, for example to another file system."""


@dataclass(frozen=True, slots=True)
class LinkJob:
    """One folder to fill."""

    part: str
    """What it counts for: `train`."""
    target: Path
    files: Callable[[], Iterable[Path]]
    """Lists what it is to hold, under their own names; asked for when its turn comes."""


@dataclass(frozen=True, slots=True)
class Linked:
    """What became of a folder's files."""

    part: str
    made: int
    there: int
    """Files that were there before."""


def link_all(jobs: Iterable[LinkJob], kind: LinkKind, *, dry_run: bool = False, threads: int = 16) -> Iterator[Linked]:
    """Fill folders, several at a time, and yield what became of each as it ends; a dry run counts alone.

    Raises:
        ConfigError: A file of another size has a name that is wanted, or hard links cannot be made.
        OSError: The disk is full, or a folder cannot be written to.
    """
    pool = ThreadPoolExecutor(threads)
    try:
        for done in as_completed([pool.submit(_fill, job, kind, dry_run) for job in jobs]):
            yield done.result()
    finally:
        pool.shutdown(cancel_futures=True)  # An error or Ctrl-C ends it; the next call does what is left.


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
    return Linked(job.part, made, there)


def _is_there(source: Path, target: Path) -> bool:
    """Return whether `target` is that file or one of its size; a link to nothing counts as not there."""
    try:
        found = target.stat()
    except FileNotFoundError:
        return False
    wanted = source.stat()
    if os.path.samestat(found, wanted) or found.st_size == wanted.st_size:
        return True
    raise ConfigError(
        f"{target} has {found.st_size} bytes, and {source}, which is to lie there, has {wanted.st_size}; remove the "
        "first, or give another --root"
    )


def _hard(source: Path, target: Path) -> None:
    _forget_broken_link(target)
    try:
        os.link(source.resolve(), target)  # Of a link, the file that it names.
    except OSError as error:
        if error.errno in _NO_HARD_LINKS:
            raise ConfigError(
                f"--link hard: {target} cannot be a hard link to {source} ({error.strerror}); hard links stay within a "
                "file system: take --link symlink, or --link copy if the images' folder may go away"
            ) from error
        raise


def _symlink(source: Path, target: Path) -> None:
    _forget_broken_link(target)
    target.symlink_to(source.absolute())


def _copy(source: Path, target: Path) -> None:
    partial = target.with_name(f".{target.name}.partial")
    shutil.copyfile(source, partial)
    partial.replace(target)


def _forget_broken_link(target: Path) -> None:
    if target.is_symlink():
        with suppress(FileNotFoundError):
            target.unlink()


_MAKE: Mapping[LinkKind, Callable[[Path, Path], None]] = {"copy": _copy, "hard": _hard, "symlink": _symlink}
