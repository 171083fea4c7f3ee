"""Names in a folder: which are images, which are hidden, and which are the same in another Unicode form."""

import unicodedata
from collections.abc import Sequence

from torchvision.datasets.folder import IMG_EXTENSIONS

IMAGE_ENDINGS = (*IMG_EXTENSIONS, ".jpe", ".jfif", ".gif")
"""In lower case; upper case counts too."""
_OF_SYSTEMS = frozenset({"thumbs.db", "desktop.ini", "__macosx", "@eadir", "icon\r"})
"""What Windows, macOS and file servers leave in folders, in lower case."""


def is_hidden(name: str) -> bool:
    """Return whether a file or folder is hidden: `.DS_Store`, `._1.jpg`, `.ipynb_checkpoints`, `Thumbs.db`."""
    return name.startswith(".") or name.lower() in _OF_SYSTEMS


def is_image(name: str) -> bool:
    """Return whether a file is an image by its ending, and not hidden."""
    return name.lower().endswith(IMAGE_ENDINGS) and not is_hidden(name)


def not_images(names: Sequence[str]) -> list[str]:
    """Return the names that are neither images nor hidden."""
    return [name for name in names if not is_image(name) and not is_hidden(name)]


def composed(name: str) -> str:
    """Return a name in composed Unicode (NFC); macOS and some archives write é as two characters (NFD)."""
    return unicodedata.normalize("NFC", name)
