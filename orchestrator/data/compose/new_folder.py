"""A folder that is there whole or not at all."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.files.lock import locked
from trainables.config import ConfigError

_LOCK = ".lock"


@contextmanager
def new_folder(target: Path, what: str) -> Iterator[Path]:
    """Yield a hidden folder next to `target` that becomes it at the end; an error or Ctrl-C removes it.

    What a killed process left there is removed first.

    Args:
        target: The folder to make; it is missing, or empty.
        what: What makes it, for messages: `data compose`.

    Raises:
        ConfigError: The target is there and not empty, or another process makes it.
    """
    is_empty = target.is_dir() and not any(target.iterdir())
    if target.is_symlink() or (target.exists() and not is_empty):  # No folder can be renamed to a link.
        raise ConfigError(f"{target} is there already; remove it, or give another folder")
    partial = target.absolute().with_name(f".{target.name}.partial")
    with locked(partial / _LOCK, f"{what} of {target}"):
        try:
            for path in partial.iterdir():
                if path.is_dir():
                    shutil.rmtree(path)
                elif path.name != _LOCK:
                    path.unlink()
            yield partial
            (partial / _LOCK).unlink()
            partial.rename(target)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
