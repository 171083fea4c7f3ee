"""MetaShift's cats and dogs, indoors and outdoors (Liang and Zou 2022, ICLR), as SubpopBench packs them.

Layout `<root>/MetaShift-Cat-Dog-indoor-outdoor/{train,test}/{cat,dog}/<class>(<place>)/*.jpg`. A table of SubpopBench,
`<root>/metadata_metashift.csv`, says which images are of which split; without it, the folders do.
"""

import re
from pathlib import Path

import pyarrow.compute as pc

from trainables.config import StandardSet
from trainables.data.folders import Folders
from trainables.data.sets.class_folders import images_of
from trainables.data.sets.set_table import SetTable, columns_of, read_columns, renamed, set_folder

_FOLDER = "MetaShift-Cat-Dog-indoor-outdoor"
TABLE = "metadata_metashift.csv"
"""Next to the folder; it says the splits."""
_PARTS = ("train/cat/cat(indoor)", "train/dog/dog(outdoor)", "test/cat/cat(outdoor)", "test/dog/dog(indoor)")
_PART = re.compile(r"(?P<split>train|test)/\w+/(?P<label>cat|dog)\((?P<place>indoor|outdoor)\)")
_REMEDY = (
    "unpack the archive of https://github.com/YyzHarry/SubpopBench, and set data.root to the folder that holds "
    f"{_FOLDER}"
)
_GROUPS = ("label", "place")


def read_metashift(config: StandardSet, folders: Folders) -> SetTable:
    """Read the table, or list the folders; an image's group is its animal and its place."""
    root = Path(config.root)
    base = root / set_folder(root, (_FOLDER,), _PARTS[0], download=_REMEDY)
    table = root / TABLE
    if table.exists():
        return _of_table(table)
    rows = []
    for part, name in images_of(base, _PARTS, folders, remedy=_REMEDY):
        values = _PART.fullmatch(part)
        assert values is not None, "the literals above fit"
        rows.append({"path": f"{part}/{name}", **values.groupdict()})
    return SetTable(source=base, folder=_FOLDER, columns=columns_of(rows), groups=_GROUPS, remedy=_REMEDY)


def _of_table(path: Path) -> SetTable:
    """Return the rows of SubpopBench's table, whose file names may be those of another machine."""
    table = read_columns(path, "filename", "y", "a", "split")
    names = table.columns["filename"]
    is_other = pc.invert(pc.match_substring(names, f"{_FOLDER}/"))
    table.refuse("filename", is_other, lambda cell: f"found {cell}; expected a path with {_FOLDER}/ in it")
    return SetTable(
        source=path,
        folder=_FOLDER,
        columns={
            "path": pc.replace_substring_regex(names, f"^.*{_FOLDER}/", ""),
            "label": renamed(table, "y", {"0": "dog", "1": "cat"}),
            "split": renamed(table, "split", {"0": "train", "1": "val", "2": "test"}),
            "place": renamed(table, "a", {"0": "outdoor", "1": "indoor"}),
        },
        groups=_GROUPS,
        remedy=_REMEDY,
    )
