"""Copies of image files on a node's own disk, made when each is first read."""

import hashlib
import io
import logging
import os
import shutil
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from trainables.config import DataConfig, SpuriousDigits

logger = logging.getLogger(__name__)

_warned: set[tuple[Path, str]] = set()
"""Warnings given, by folder: a cache that fails does so at every image."""


@dataclass(frozen=True)
class ImageCache:
    """A folder of copies that several processes share; where it fails, the original files are read.

    A copy is named after its original's path, size and time of change, so a file that was replaced is copied again.
    Copies are never removed to make room: epochs come in random order, in which any copy is as likely to be read next.
    """

    folder: Path
    leaves_bytes: int
    """Bytes of its disk that stay free."""

    def source(self, path: Path) -> Path | io.BytesIO:
        """Return the copy of a file, or the file's bytes, which are copied if there is room.

        Raises:
            OSError: The original cannot be read.
        """
        status = path.stat()
        copy = self._copy_of(path, status)
        if _size(copy) == status.st_size:
            return copy
        content = path.read_bytes()
        if len(content) == status.st_size:  # Otherwise another process is writing it.
            self._keep(copy, content)
        return io.BytesIO(content)

    def forget(self, path: Path) -> None:
        """Remove the copy of a file that could not be decoded."""
        with suppress(OSError):
            self._copy_of(path, path.stat()).unlink()

    def _copy_of(self, path: Path, status: os.stat_result) -> Path:
        identity = b"\0".join([os.fsencode(path), str(status.st_size).encode(), str(status.st_mtime_ns).encode()])
        name = hashlib.sha256(identity).hexdigest()[:32]
        return self.folder / name[:2] / name

    def _keep(self, copy: Path, content: bytes) -> None:
        partial = copy.with_name(f".{copy.name}.{os.getpid()}-{threading.get_ident()}")
        try:
            copy.parent.mkdir(parents=True, exist_ok=True)
            if shutil.disk_usage(copy.parent).free - len(content) < self.leaves_bytes:
                self._warn_once("is full; other images are read from their original files")
                return
            partial.write_bytes(content)
            partial.replace(copy)
        except OSError as error:
            self._warn_once("cannot be written to; images are read from their original files", error)
            with suppress(OSError):
                partial.unlink()

    def _warn_once(self, text: str, error: OSError | None = None) -> None:
        if (self.folder, text) not in _warned:
            _warned.add((self.folder, text))
            logger.warning("data.cache = %s %s%s", self.folder, text, f": {error}" if error else "")


def cache_of(config: DataConfig) -> ImageCache | None:
    """Return the cache that a config names; None where it names none."""
    if isinstance(config, SpuriousDigits) or config.cache is None:
        return None
    return ImageCache(Path(config.cache), int(config.cache_leaves_gib * 2**30))


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
