"""Copies of images on a node's own disk, made as each is first read."""

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

_told: set[tuple[Path, str]] = set()
"""What was said of which folder: a cache that fails does so at every image."""


@dataclass(frozen=True)
class ImageCache:
    """A folder of copies that several processes share; whatever goes wrong with it, images are read where they lie.

    A copy goes by its original's path, size and time of change, so that one that was replaced is copied anew. Nothing
    is ever removed to make room: epochs come in random order, in which no copy is likelier to be read next.
    """

    folder: Path
    leaves_bytes: int
    """How much of its disk it leaves free."""

    def source(self, path: Path) -> Path | io.BytesIO:
        """Return where to read an image: its copy, or its bytes, copied if there is room.

        Raises:
            OSError: The original cannot be read.
        """
        found = path.stat()
        copy = self._copy_of(path, found)
        if _size(copy) == found.st_size:
            return copy
        content = path.read_bytes()
        if len(content) == found.st_size:  # Else it is being written at this moment.
            self._keep(copy, content)
        return io.BytesIO(content)

    def forget(self, path: Path) -> None:
        """Remove the copy of an image, which could not be decoded."""
        with suppress(OSError):
            self._copy_of(path, path.stat()).unlink()

    def _copy_of(self, path: Path, found: os.stat_result) -> Path:
        identity = b"\0".join([os.fsencode(path), str(found.st_size).encode(), str(found.st_mtime_ns).encode()])
        name = hashlib.sha256(identity).hexdigest()[:32]
        return self.folder / name[:2] / name

    def _keep(self, copy: Path, content: bytes) -> None:
        partial = copy.with_name(f".{copy.name}.{os.getpid()}-{threading.get_ident()}")
        try:
            copy.parent.mkdir(parents=True, exist_ok=True)
            if shutil.disk_usage(copy.parent).free - len(content) < self.leaves_bytes:
                self._tell_once("is full; images that are not in it are read where they lie")
                return
            partial.write_bytes(content)
            partial.replace(copy)
        except OSError as error:
            self._tell_once("cannot be written to; images are read where they lie", error)
            with suppress(OSError):
                partial.unlink()

    def _tell_once(self, text: str, error: OSError | None = None) -> None:
        if (self.folder, text) not in _told:
            _told.add((self.folder, text))
            logger.warning("data.cache = %s %s%s", self.folder, text, f": {error}" if error else "")


def cache_of(config: DataConfig) -> ImageCache | None:
    """Return the cache that a config asks for."""
    if isinstance(config, SpuriousDigits) or config.cache is None:
        return None
    return ImageCache(Path(config.cache), int(config.cache_leaves_gib * 2**30))


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
