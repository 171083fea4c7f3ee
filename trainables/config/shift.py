"""Labelled images from elsewhere: shifted sets of the classes that are trained on."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from trainables.config.masks import TableMasks
from trainables.config.places import Root, SubFolder
from trainables.config.section import Section
from trainables.config.table import Columns, SplitValue, TablePath


def _check_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise PydanticCustomError(
            "name", "A name should be letters, digits, _ and - alone, and start with a letter or digit"
        )
    return name


class DogsVsCats(Section):
    """The Asirra images `<root>/dogs-vs-cats/train/{cat,dog}.N.jpg`, without masks: a shifted test set."""

    kind: Literal["dogs_vs_cats"] = "dogs_vs_cats"
    root: Root | None = Field(default=None, json_schema_extra={"location": True})
    """The folder that holds `dogs-vs-cats`; left out, the training set's own root."""
    on_error: Literal["raise", "skip"] = "raise"
    """What a missing or corrupt image does: stop with its name, or be skipped and counted."""


class LabelledFolder(Section):
    """A shifted test set with one folder a class, without masks."""

    kind: Literal["image_folder"] = "image_folder"
    root: Root
    """The folder whose sub-folders are the classes, named as the training set names them."""
    on_error: Literal["raise", "skip"] = "raise"
    """What a missing or corrupt image does: stop with its name, or be skipped and counted."""


class LabelledTable(Section):
    """A shifted test set whose images a table lists, CSV or Parquet, with or without masks."""

    kind: Literal["table"] = "table"
    root: Root | None = Field(default=None, json_schema_extra={"location": True})
    """The folder that holds the table and what it names; left out, the training set's own root."""
    table: TablePath
    """The table's file, below `root`; its labels are classes of the training set."""
    split: SplitValue = "test"
    """What the column of splits holds for the rows that are read."""
    images: SubFolder | None = None
    """Sub-folder of `root` to which the paths of images are relative; null is `root` itself."""
    columns: Columns = Columns()
    """What the table calls its columns."""
    masks: TableMasks | None = None
    """Where masks lie and what their pixels mean; null for images without masks."""
    on_error: Literal["raise", "skip"] = "raise"
    """What a missing or corrupt image does: stop with its name, or be skipped and counted."""


ShiftName = Annotated[str, AfterValidator(_check_name)]
"""A shifted test set's name, which is part of a metric's."""
ShiftSet = Annotated[DogsVsCats | LabelledFolder | LabelledTable, Field(discriminator="kind")]
