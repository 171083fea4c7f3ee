"""Images that two splits share: files of the same bytes, and images of the same pixels."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

MAX_READ = 5000
"""Files that are read to be compared, of those that have the size of a file in another split."""
_THREADS = 16


@dataclass(frozen=True, slots=True)
class Sized:
    """A file of a split."""

    split: str
    path: Path
    size: int


@dataclass(frozen=True, slots=True)
class Shared:
    """Images of one split that another has too."""

    first: str
    second: str
    pairs: Sequence[tuple[Path, Path]]


def same_bytes(files: Iterable[Sized], *, max_read: int | None) -> tuple[list[Shared], int, int]:
    """Return the files that two splits share, how many were read, and how many have the size of one elsewhere.

    Args:
        files: All files of all splits.
        max_read: How many are read at most; None reads all that may be the same.
    """
    by_size: dict[int, list[Sized]] = defaultdict(list)
    for file in files:
        by_size[file.size].append(file)
    candidates = [group for _, group in sorted(by_size.items()) if len({file.split for file in group}) > 1]
    total = sum(map(len, candidates))
    step = 1 if max_read is None else max(1, -(-total // max_read))
    read = [file for group in candidates[::step] for file in group]
    with ThreadPoolExecutor(_THREADS) as pool:
        digests = pool.map(_digest, (file.path for file in read))
        return (
            shared((file.split, file.path, digest) for file, digest in zip(read, digests, strict=True)),
            len(read),
            total,
        )


def shared(images: Iterable[tuple[str, Path, bytes]]) -> list[Shared]:
    """Return what splits share, from the split, the path and the digest of each image."""
    by_digest: dict[bytes, dict[str, list[Path]]] = defaultdict(lambda: defaultdict(list))
    for split, path, digest in images:
        by_digest[digest][split].append(path)
    pairs: dict[tuple[str, str], list[tuple[Path, Path]]] = defaultdict(list)
    for places in by_digest.values():
        for (first, paths), (second, others) in pairwise(places.items()):
            pairs[first, second] += [(paths[0], other) for other in others]
    return [Shared(first, second, found) for (first, second), found in pairs.items()]


def _digest(path: Path) -> bytes:
    """Return a digest of a file's bytes; that of its path where it cannot be read, which is reported elsewhere."""
    try:
        return hashlib.blake2b(path.read_bytes(), digest_size=16).digest()
    except OSError:
        return bytes(path)


def paths_of(shared_: Shared, num: int) -> str:
    """Return the first pairs of paths as text."""
    some = [f"{first} = {second}" for first, second in shared_.pairs[:num]]
    return f"{', '.join(some)}{' ...' if len(shared_.pairs) > num else ''}"


def by_split(pixels: Mapping[str, Iterable[tuple[Path, bytes]]]) -> list[tuple[str, Path, bytes]]:
    """Return the images of all splits in one list."""
    return [(split, path, digest) for split, images in pixels.items() for path, digest in images]
