"""Data sets as their publishers pack them, each read as a table; docs/data.md lists them."""

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from trainables.config.images import Images
from trainables.config.masks import MaskFrame

IMAGENET_9_VARIANTS = ("mixed_same", "mixed_rand", "mixed_next", "only_fg", "no_fg", "only_bg_b", "only_bg_t")
"""The shifted sets of ImageNet-9."""
SETS_WITH_MASKS = frozenset({"cub", "imagenet_boxes", "rival10", "salient_imagenet", "urbancars", "waterbirds"})
"""Those whose training images have masks."""
SETS_WITH_GROUPS = frozenset({"metashift", "nico_pp", "spawrious", "urbancars", "waterbirds"})
StandardKind = Literal[
    "cub",
    "imagenet_9",
    "imagenet_boxes",
    "metashift",
    "rival10",
    "salient_imagenet",
    "waterbirds",
]
SpawriousSplit = Literal["o2o_easy", "o2o_medium", "o2o_hard", "m2m_easy", "m2m_medium", "m2m_hard"]


class _Published(Images):
    may_have_own_validation: ClassVar[bool] = True

    @property
    def has_groups(self) -> bool:
        """Whether the publisher says which group an image belongs to."""
        return getattr(self, "kind", None) in SETS_WITH_GROUPS


class StandardSet(_Published):
    """A published data set that needs no settings of its own."""

    kind: StandardKind = "waterbirds"

    @property
    def shift_names(self) -> tuple[str, ...]:
        """The shifted test sets, by name: the publisher's, then those of `data.shift`."""
        return (*self._own_shift_names, *self.shift)

    @property
    def mask_frame(self) -> MaskFrame:
        """The part of an image that its mask fits, which evaluations show."""
        return "resize256_crop224" if self.kind == "salient_imagenet" else "original"

    @property
    def _own_shift_names(self) -> tuple[str, ...]:
        return IMAGENET_9_VARIANTS if self.kind == "imagenet_9" else ()

    @model_validator(mode="after")
    def _shifted_sets_have_names_of_their_own(self) -> Self:
        twice = sorted(set(self._own_shift_names) & set(self.shift))
        if twice:
            raise ValueError(
                f"data.shift has {', '.join(twice)}, which data.kind = {self.kind} has of its own; take another name"
            )
        return self


class UrbanCars(_Published):
    """UrbanCars: cars whose background and a second object mostly fit them, `<root>/urbancars`."""

    kind: Literal["urbancars"] = "urbancars"
    ratio: float = Field(default=0.95, ge=0, le=1)
    """Share of the training images whose background fits the car, and of those whose second object does."""


class Spawrious(_Published):
    """Spawrious: four breeds of dogs, each trained in some places and tested in others, `<root>/spawrious224`."""

    kind: Literal["spawrious"] = "spawrious"
    split: SpawriousSplit = "o2o_hard"
    """The publisher's name for which breed is where."""


class NicoPlusPlus(_Published):
    """NICO++: classes in contexts, of which some are held out, `<root>/public_dg_0416/train/<context>/<class>`."""

    kind: Literal["nico_pp"] = "nico_pp"
    held_out: tuple[str, ...] = Field(min_length=1)
    """The contexts to test on; all others are trained on."""


PublishedSet = StandardSet | UrbanCars | Spawrious | NicoPlusPlus
"""What `trainables/data/sets` reads as a table."""
