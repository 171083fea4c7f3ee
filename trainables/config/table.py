"""The columns of a table of images, and the values that name its splits."""

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from trainables.config.places import is_below
from trainables.config.section import ADDED_LATER, Section

TABLE_SUFFIXES = (".csv", ".parquet")


def _table(name: str) -> str:
    if not is_below(name) or not name.lower().endswith(TABLE_SUFFIXES):
        raise PydanticCustomError("table", "Input should name a .csv or .parquet file below data.root")
    return Path(name).as_posix()


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


TablePath = Annotated[str, AfterValidator(_table)]
SplitValue = Annotated[str, BeforeValidator(_as_text)]
"""A cell of the column of splits; a number is its digits."""


class Columns(Section):
    """The names of a table's columns; other columns are left alone."""

    path: str = "path"
    """An image's path below `data.images`, with / between folders."""
    label: str = "label"
    """Its class: a name or a number."""
    split: str = "split"
    """The split that it belongs to."""
    mask: str = "mask"
    """The path of its mask below `data.root`; empty for an image without a mask. Read where `data.masks` looks for no
    names."""
    mask_value: str = "mask_value"
    """The value of its object's pixels, for `data.masks.kind` equal and id_r_plus_256g."""
    boxes: str = "boxes"
    """The boxes around its object, for `data.masks.kind` boxes; empty for an image without a mask."""
    weight: str | None = Field(default=None, json_schema_extra=ADDED_LATER)
    """How much its loss counts in training, 0 or more; 1 where the cell is empty. Null weighs no image."""
    source: str | None = Field(default=None, json_schema_extra=ADDED_LATER)
    """What an image shows or was made of, such as a patient. Images of one source are trained on together or validated
    on together. Null takes each image for itself."""


class SplitValues(Section):
    """What the column of splits holds for each of them."""

    train: SplitValue = "train"
    val: SplitValue = "val"
    """By default, `validation` is read as well."""
    test: SplitValue = "test"

    @model_validator(mode="after")
    def _values_differ(self) -> Self:
        if len({self.train, self.val, self.test}) < 3:
            raise ValueError(
                f"data.splits has train = {self.train}, val = {self.val} and test = {self.test}; expected three values"
            )
        return self
