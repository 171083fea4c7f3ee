"""Where data lie: a root, and folders and files below it."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError


def _absolute(folder: str) -> str:
    if "\0" in folder:
        raise PydanticCustomError("folder", "A folder's name should hold no NUL character")
    try:
        return str(Path(folder).expanduser().absolute())
    except RuntimeError as error:
        raise PydanticCustomError("home", "Input should start with ~ or with the ~name of a user here") from error


def _folder(name: str) -> str:
    if not is_below(name):
        raise PydanticCustomError("below", "Input should name a folder below data.root, which may be a link")
    return Path(name).as_posix()


def is_below(name: str) -> bool:
    """Return whether a path leads from a folder to something in it."""
    path = Path(name)
    return not ("\0" in name or path.is_absolute() or ".." in path.parts or path == Path())


Root = Annotated[str, Field(min_length=1, json_schema_extra={"location": True}), AfterValidator(_absolute)]
"""A folder, made absolute. It says where data lie, not what they are, so it is no part of a config's identity."""
SubFolder = Annotated[str, AfterValidator(_folder)]
"""A folder below the root of the data."""
