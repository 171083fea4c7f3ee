"""From a published data set to its images: each reader makes a table, and all tables are read alike."""

from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from trainables.config import ConfigError, PublishedSet, Table
from trainables.config.sets import SETS_WITH_MASKS
from trainables.data.dataset import DataBundle
from trainables.data.folders import Folders
from trainables.data.sets.cub import read_cub
from trainables.data.sets.imagenet_9 import read_imagenet_9
from trainables.data.sets.imagenet_boxes import read_imagenet_boxes
from trainables.data.sets.metashift import read_metashift
from trainables.data.sets.nico_pp import read_nico_pp
from trainables.data.sets.rival10 import read_rival10
from trainables.data.sets.salient_imagenet import read_salient_imagenet
from trainables.data.sets.set_table import SetTable
from trainables.data.sets.spawrious import read_spawrious
from trainables.data.sets.urbancars import read_urbancars
from trainables.data.sets.waterbirds import read_waterbirds
from trainables.data.table import table_bundle
from trainables.data.table_columns import check_cells
from trainables.data.table_file import TableFile

READERS: Mapping[str, Callable[[Any, Folders], SetTable]] = {
    "cub": read_cub,
    "imagenet_9": read_imagenet_9,
    "imagenet_boxes": read_imagenet_boxes,
    "metashift": read_metashift,
    "nico_pp": read_nico_pp,
    "rival10": read_rival10,
    "salient_imagenet": read_salient_imagenet,
    "spawrious": read_spawrious,
    "urbancars": read_urbancars,
    "waterbirds": read_waterbirds,
}
"""By `data.kind`; each takes the config's section and what lists folders."""
_NO_FILE = "rows.csv"
"""Stands for the file of a table that is in memory."""


def build_published_set(config: PublishedSet) -> DataBundle:
    """Read a published data set; ConfigError where its files are not as the publisher packs them."""
    folders = Folders()
    found = READERS[config.kind](config, folders)
    if config.kind in SETS_WITH_MASKS:
        _check_masks(found)
    columns = {name: pa.array(cells, pa.string()) for name, cells in found.columns.items()}
    meaning = Table(
        root=config.root,
        table=_NO_FILE,
        images=found.folder,
        groups=found.groups,
        masks=found.masks,
        validation=config.validation,
        on_error=config.on_error,
    )
    table = TableFile(found.source, None, columns)
    check_cells(table, meaning)
    return table_bundle(
        config,
        table,
        meaning,
        folders,
        shift=found.shift,
        remedy=found.remedy,
        format_=found.mask_format,
        more_masks=found.more_masks,
    )


def _check_masks(found: SetTable) -> None:
    """Raise ConfigError where no training image has a mask, which training would notice after an epoch."""
    has_mask_N, splits_N = pc.is_valid(pa.array(found.columns["mask"])), pa.array(found.columns["split"])
    is_train_N = pc.equal(splits_N, "train")
    if not pc.any(pc.and_(has_mask_N, is_train_N)).as_py():
        num = pc.sum(is_train_N).as_py()
        raise ConfigError(f"data.root: none of the {num} training images of {found.source} has a mask; {found.remedy}")
