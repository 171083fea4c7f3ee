"""The files below folders, links followed, each real folder once."""

import os
from pathlib import Path

from trainables.config import ConfigError
from trainables.data.image_names import is_hidden


class FolderWalk:
    """Walks the folders of classes and remembers which real folders were read.

    Args:
        setting: The setting that names the folders, for messages.
    """

    def __init__(self, setting: str) -> None:
        self._setting = setting
        self._owners: dict[Path, str] = {}

    def files(self, top: Path, *, owner: str) -> list[Path]:
        """Return the files below a folder that are not hidden, by folder and name; none of a folder read before.

        Args:
            top: The folder.
            owner: The class to which its files belong.

        Raises:
            ConfigError: A folder cannot be read, belongs to another class too, or a link leads to one that holds it.
        """
        found: list[tuple[str, str]] = []
        real_top = top.resolve()
        if not self._is_new(top, real_top, owner):
            return []
        for parent, folders, names in os.walk(top, followlinks=True, onerror=self._refuse):
            folders[:] = [name for name in folders if not is_hidden(name)]
            folders[:] = [name for name in sorted(folders) if self._is_new(Path(parent, name), real_top, owner)]
            found += [(parent, name) for name in names if not is_hidden(name)]
        return [Path(parent, name) for parent, name in sorted(found)]

    def _is_new(self, folder: Path, real_top: Path, owner: str) -> bool:
        real = folder.resolve()
        if real in self._owners:
            if self._owners[real] == owner:
                return False
            raise ConfigError(
                f"{self._setting}: {folder} and a folder of the class {self._owners[real]} are the same, {real}; "
                "remove the link"
            )
        if real != real_top and real_top.is_relative_to(real):
            raise ConfigError(f"{self._setting}: {folder} is a link to {real}, which holds it; remove the link")
        self._owners[real] = owner
        return True

    def _refuse(self, error: OSError) -> None:
        raise ConfigError(f"{self._setting}: {error.filename} cannot be read ({error.strerror})") from error
