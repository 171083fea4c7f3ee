"""What all data of image files have in common: where they lie, and how they are read and augmented."""

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from trainables.config.augmentation import Augmentation
from trainables.config.masks import MaskFrame, MaskSubset
from trainables.config.places import Root
from trainables.config.section import ADDED_LATER, Section, added_later
from trainables.config.shift import ShiftName, ShiftSet
from trainables.config.validation import HELD_OUT, Validation

PREFETCH_BATCHES = 2
"""PyTorch's own default."""
MAX_IMAGE_PIXELS = 178_956_970
"""Pillow's own limit: a larger image is probably a decompression bomb."""
_CACHE_LEAVES_GIB = 20.0


class Images(Section):
    """Images in files, below one folder."""

    may_have_own_validation: ClassVar[bool] = False
    """Whether the data may have a validation set of their own."""
    root: Root
    image_size: int = Field(default=224, ge=32)
    """Side of the square image that the model sees, in pixels."""
    images_per_class: int | None = Field(default=None, ge=1, json_schema_extra=ADDED_LATER)
    """Training images of each class that a trial trains on, drawn by `validation.seed`; null takes all there are."""
    augmentation: Augmentation = Augmentation()
    on_error: Literal["raise", "skip"] = "raise"
    """What a missing or corrupt file does: stop with its name, or be skipped and counted."""
    max_image_pixels: int = Field(default=MAX_IMAGE_PIXELS, ge=1, json_schema_extra=ADDED_LATER)
    """Width times height of the largest image or mask that is decoded."""
    loader_processes: int | None = Field(default=None, ge=0, json_schema_extra={"location": True})
    """Processes a worker starts to decode images; 0 decodes in the training process. Null is one for each of
    resources.cpus with a GPU, which would wait for images otherwise, and 0 without a GPU."""
    prefetch_batches: int = Field(default=PREFETCH_BATCHES, ge=1, json_schema_extra={"location": True})
    """Batches that each of these processes has ready; fewer take less shared memory."""
    cache: Root | None = Field(default=None, json_schema_extra={"location": True})
    """A folder on each node's own disk to which files are copied as they are first read; null reads them where they
    lie. It is for data on shared storage that is slower than that disk."""
    cache_leaves_gib: float = Field(default=_CACHE_LEAVES_GIB, ge=0, json_schema_extra={"location": True})
    """GiB of that disk which the cache leaves free; what finds no room is read where it lies."""
    shift: dict[ShiftName, ShiftSet] = Field(default_factory=dict)
    """Shifted test sets by the name under which `shift/<name>/accuracy` is reported."""
    val_shift: dict[ShiftName, ShiftSet] = Field(default={}, json_schema_extra=ADDED_LATER)
    """Shifted validation sets, by which may be chosen; `val/shift/<name>/accuracy` is reported of them."""
    validation: Validation = Field(default=Validation(), json_schema_extra=added_later(HELD_OUT))
    mask_subset: MaskSubset | None = Field(default=None, json_schema_extra=ADDED_LATER)
    """Which training images show their masks, as where masks are expensive; null is all that have one."""

    @model_validator(mode="after")
    def _room_is_of_a_cache(self) -> Self:
        if self.cache is None and self.cache_leaves_gib != _CACHE_LEAVES_GIB:
            raise ValueError(
                f"data.cache_leaves_gib = {self.cache_leaves_gib:g} has no effect with data.cache = null; set "
                "data.cache to a folder on each node's own disk"
            )
        return self

    @model_validator(mode="after")
    def _own_validation_is_there(self) -> Self:
        if self.validation.source == "own" and not self.may_have_own_validation:
            raise ValueError(
                "data.validation.source = own needs a validation set of the data's own, and data.kind = "
                f"{getattr(self, 'kind', None)} has none; take cut"
            )
        return self

    @property
    def shift_names(self) -> tuple[str, ...]:
        """The shifted test sets, by name."""
        return tuple(self.shift)

    @property
    def val_shift_names(self) -> tuple[str, ...]:
        """The shifted validation sets, by name."""
        return tuple(self.val_shift)

    @property
    def mask_frame(self) -> MaskFrame:
        """The part of an image that its mask fits, which evaluations show."""
        frame: MaskFrame = getattr(getattr(self, "masks", None), "frame", "original")
        return frame

    @property
    def has_groups(self) -> bool:
        """Whether images belong to groups, each a class with a kind of background."""
        return bool(getattr(self, "groups", ()))
