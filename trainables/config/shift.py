"""Labelled images from elsewhere: shifted sets of the classes that are trained on."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from trainables.config.places import Root
from trainables.config.section import Section


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


ShiftName = Annotated[str, AfterValidator(_check_name)]
"""A shifted test set's name, which is part of a metric's."""
ShiftSet = Annotated[DogsVsCats | LabelledFolder, Field(discriminator="kind")]
