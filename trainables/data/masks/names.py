"""Masks that have the names of their images: in a parallel folder, or next to them with a suffix."""

from pathlib import Path, PurePosixPath

from trainables.config import ConfigError, FileMasks
from trainables.data.folders import Folders, as_on_disk
from trainables.data.image_names import composed, is_image


class MaskNames:
    """Finds the masks of images by name.

    Args:
        root: The root of the data, which holds `masks.folder`.
        images: The folder of the images, in which masks with a suffix lie where `masks.folder` is null.
        masks: Folder and suffix.
        folders: Lists folders, each once.
    """

    def __init__(self, root: Path, images: Path, masks: FileMasks, folders: Folders) -> None:
        assert masks.by_name, "without folder and suffix, a mask would be the image itself"
        self.folder = images if masks.folder is None else root / masks.folder
        self._suffix = masks.suffix
        self._folders = folders
        self._files: dict[PurePosixPath, dict[str, list[str]]] = {}

    def path(self, image: PurePosixPath) -> Path | None:
        """Return the mask of an image whose path is relative to its folder; None where there is none.

        Raises:
            ConfigError: Several files have its name, with different endings.
        """
        stem = composed(f"{image.stem}{self._suffix}")
        files = self._by_stem(image.parent).get(stem, [])
        if len(files) > 1:
            raise ConfigError(
                f"data.masks: {self.folder / image.parent} has several masks of {image.name}: {', '.join(files)}; "
                "keep one of them"
            )
        return as_on_disk(self.folder / image.parent) / files[0] if files else None

    def is_mask(self, image: PurePosixPath) -> bool:
        """Return whether the name of a file next to images has the suffix of a mask."""
        return bool(self._suffix) and image.stem.endswith(self._suffix)

    def wanted(self, image: PurePosixPath) -> str:
        """Return where the mask of an image is looked for."""
        return f"{self.folder / image.parent / image.stem}{self._suffix}.*"

    def _by_stem(self, parent: PurePosixPath) -> dict[str, list[str]]:
        if parent not in self._files:
            found: dict[str, list[str]] = {}
            for name in self._folders.sizes(as_on_disk(self.folder / parent)):
                if is_image(name):
                    found.setdefault(composed(PurePosixPath(name).stem), []).append(name)
            self._files[parent] = found
        return self._files[parent]
