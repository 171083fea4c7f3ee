"""Waterbirds: birds of CUB on land or water that mostly fits them (Sagawa et al. 2020, ICLR).

Layout `<root>/waterbird_complete95_forest2water2/{metadata.csv,<class>/<image>.jpg}`, which WILDS calls
`waterbirds_v1.0`. The place was fitted to the image of the bird, so CUB's segmentations are its masks.
"""

from pathlib import Path

import pyarrow.compute as pc

from trainables.config import SoftMasks, StandardSet
from trainables.data.folders import Folders
from trainables.data.sets.cub import segmentations
from trainables.data.sets.set_table import SetTable, read_columns, renamed, set_folder

_FOLDERS = ("waterbird_complete95_forest2water2", "waterbirds_v1.0")
_DOWNLOAD = (
    "unpack https://nlp.stanford.edu/data/dro/waterbird_complete95_forest2water2.tar.gz there, and set data.root to "
    "the folder that holds it"
)
_SPLITS = {"0": "train", "1": "val", "2": "test"}
_BIRDS = {"0": "landbird", "1": "waterbird"}
_PLACES = {"0": "land", "1": "water"}


def read_waterbirds(config: StandardSet, _: Folders) -> SetTable:
    """Read `metadata.csv`; an image's group is its bird and its place."""
    root = Path(config.root)
    folder = set_folder(root, _FOLDERS, "metadata.csv", download=_DOWNLOAD)
    source = root / folder / "metadata.csv"
    table = read_columns(source, "img_filename", "y", "split", "place")
    paths = table.columns["img_filename"]
    masks = segmentations(root, f"{folder}/segmentations", without="data.kind=table reads Waterbirds without masks")
    return SetTable(
        source=source,
        folder=folder,
        columns={
            "path": paths,
            "label": renamed(table, "y", _BIRDS),
            "split": renamed(table, "split", _SPLITS),
            "place": renamed(table, "place", _PLACES),
            "mask": pc.binary_join_element_wise(masks, pc.replace_substring_regex(paths, r"\.\w+$", ".png"), "/"),
        },
        groups=("label", "place"),
        masks=SoftMasks(),
        remedy="unpack the set and CUB's segmentations again",
    )
