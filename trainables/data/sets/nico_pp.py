"""NICO++: sixty classes in six common contexts (Zhang et al. 2023, CVPR).

Layout `<root>/public_dg_0416/train/<context>/<class>/*.jpg`. Some contexts are held out as the test set.
"""

from pathlib import Path

from trainables.config import ConfigError, NicoPlusPlus
from trainables.data.folders import Folders
from trainables.data.sets.class_folders import images_of, sub_folders
from trainables.data.sets.set_table import SetTable, columns_of, set_folder

_FOLDER = "public_dg_0416/train"
_REMEDY = (
    "unpack track_1 of https://github.com/xxgege/NICO-plus, and set data.root to the folder that holds public_dg_0416"
)


def read_nico_pp(config: NicoPlusPlus, folders: Folders) -> SetTable:
    """List the folders; an image's group is its context."""
    root = Path(config.root)
    base = root / set_folder(root, (_FOLDER,), "", download=_REMEDY)
    contexts = sub_folders(base, "", remedy=_REMEDY)
    _check_held_out(config, contexts)
    below = {f"{context}/{name}": (context, name) for context in contexts for name in _classes(base, context)}
    rows = []
    for folder, name in images_of(base, below, folders, remedy=_REMEDY):
        context, label = below[folder]
        split = "test" if context in config.held_out else "train"
        rows.append({"path": f"{folder}/{name}", "label": label, "split": split, "context": context})
    return SetTable(source=base, folder=_FOLDER, columns=columns_of(rows), groups=("context",), remedy=_REMEDY)


def _classes(base: Path, context: str) -> list[str]:
    return sub_folders(base, context, remedy=_REMEDY)


def _check_held_out(config: NicoPlusPlus, contexts: list[str]) -> None:
    unknown = sorted(set(config.held_out) - set(contexts))
    if unknown or not set(contexts) - set(config.held_out):
        raise ConfigError(
            f"data.held_out = {', '.join(config.held_out)}: expected some, and not all, of {', '.join(contexts)}, "
            f"which {config.root}/{_FOLDER} holds"
        )
