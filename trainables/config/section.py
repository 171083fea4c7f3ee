"""The base of every config section: frozen, keyword-only, unknown keys refused."""

from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic.config import JsonDict
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

ADDED_LATER: JsonDict = {"added_later": True}
"""Marks a field that earlier versions did not have: at its default it does what they did."""


def added_later(before: JsonDict) -> JsonDict:
    """Return the mark of a section that earlier versions did not have, and whose default is not what they did.

    Args:
        before: The section's fields by which it does what they did.
    """
    return {**ADDED_LATER, "before": before}


class Section(BaseModel):
    """A section of an experiment's config; immutable once validated."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        validate_default=True,
        use_attribute_docstrings=True,
        allow_inf_nan=False,
    )

    @model_validator(mode="before")
    @classmethod
    def _truth_is_no_number(cls, tree: Any) -> Any:
        """Refuse true and false where a number is wanted, and all else where they are; pydantic would convert them."""
        for name, value in tree.items() if isinstance(tree, dict) else ():
            field = cls.model_fields.get(name)
            wanted = (field.annotation, *get_args(field.annotation)) if field else ()
            if bool in wanted and not isinstance(value, bool):
                raise _misread(name, value, "input should be true or false")
            if isinstance(value, bool) and (int in wanted or float in wanted):
                raise _misread(name, value, "input should be a number")
        return tree


def marks(field: FieldInfo) -> JsonDict:
    """Return a field's marks: `added_later`, perhaps with `before`, `first_default`, `location` or `measurement`."""
    return field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}


def _misread(field: str, found: object, should: str) -> PydanticCustomError:
    """Return the error of one field, which `explain` unpacks: a validator of the whole section raises it."""
    return PydanticCustomError(
        "misread", "{field} = {found}; {should}", {"field": field, "found": found, "should": should}
    )
