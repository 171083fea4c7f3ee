"""The base of every config section: frozen, keyword-only, unknown keys refused."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A part of an experiment's config; immutable once validated."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        validate_default=True,
        use_attribute_docstrings=True,
        allow_inf_nan=False,
    )
