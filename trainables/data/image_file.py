"""One image on disk, lists of them, and their ids."""

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

_MAX_ID_BYTES = 200  # A file name may have 255, and an id gets an ending.


class ImageFile(NamedTuple):
    """One image on disk."""

    path: Path
    mask_path: Path | None
    label: int | None
    """None where the mask says which classes it shows."""
    id: str


class ImageFileList(Protocol):
    """Images in order, with unique ids; a list of them, or what makes each as it is asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> ImageFile: ...

    def __iter__(self) -> Iterator[ImageFile]: ...


def image_ids(relative_paths: Iterable[Path]) -> list[str]:
    """Return an id for each file: folders and stem joined by `__`.

    Where two would agree, or one is too long for a file name, it is cut to fit and a hash of the path follows.
    """
    paths = list(relative_paths)
    joined = ["__".join(path.with_suffix("").parts) for path in paths]
    count = Counter(joined)
    return [
        name if count[name] == 1 and len(os.fsencode(name)) <= _MAX_ID_BYTES else _with_hash(name, path)
        for name, path in zip(joined, paths, strict=True)
    ]


def _with_hash(name: str, path: Path) -> str:
    end = f"-{short_hash([path.as_posix()])}"
    head = os.fsencode(name)[: _MAX_ID_BYTES - len(end)].decode(errors="ignore")
    return head + end


def short_hash(texts: Iterable[str]) -> str:
    """Return 16 hex digits of texts joined; file names may hold bytes that are no UTF-8, which Python keeps apart."""
    sha = hashlib.sha256()
    for text in texts:
        sha.update(text.encode(errors="surrogateescape"))
    return sha.hexdigest()[:16]
