"""Which images a trial learns from and is validated on."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from trainables.config.images import MAX_IMAGE_PIXELS, PREFETCH_BATCHES, Images
from trainables.config.masks import EqualMasks, FolderMasks, MaskFrame, MaskSubset, TableMasks
from trainables.config.places import SubFolder
from trainables.config.section import ADDED_LATER, Section, added_later
from trainables.config.sets import SETS_WITH_MASKS, PublishedSet
from trainables.config.table import Columns, SplitValues, TablePath
from trainables.config.validation import HELD_OUT, DigitsValidation, Validation


def _unquoted(year: Any) -> Any:
    return int(year) if isinstance(year, str) and year.isdecimal() else year


class SpuriousDigits(Section):
    """Handwritten digits on textures that agree with the class: a built-in shortcut, with masks."""

    kind: Literal["spurious_digits"] = "spurious_digits"
    correlation: float = Field(default=0.95, ge=0, le=1)
    """Probability that a training or test digit lies on its own class's texture."""
    num_train: int = Field(default=4000, ge=10)
    """Training images drawn from the 1200 training digits, without those of the validation set."""
    num_test: int = Field(default=1000, ge=10)
    """Images in the validation set, and in each of the test set and the two shifted sets, from the other 597 digits."""
    image_size: int = Field(default=48, ge=32, le=128)
    """Side of an image in pixels."""
    seed: int = Field(default=0, ge=0)
    """Seed of the drawing; apart from the training seed, so that seeds share their test sets."""
    validation: DigitsValidation = Field(default=DigitsValidation(), json_schema_extra=added_later(HELD_OUT))
    mask_subset: MaskSubset | None = Field(default=None, json_schema_extra=ADDED_LATER)
    """Which training images show their masks; null is all."""

    @property
    def shift_names(self) -> tuple[str, ...]:
        """The shifted test sets, which are always made."""
        return ("random_background", "unseen_textures")

    @property
    def val_shift_names(self) -> tuple[str, ...]:
        """None: a part of the validation set itself is shifted."""
        return ()

    @property
    def has_groups(self) -> bool:
        """Digits on the texture of their own class, and on another."""
        return True

    @property
    def on_error(self) -> Literal["raise", "skip"]:
        """Raise: there is no file to skip."""
        return "raise"

    @property
    def loader_processes(self) -> int:
        """None: the images are tensors in memory."""
        return 0

    @property
    def prefetch_batches(self) -> int:
        """Without processes it means nothing."""
        return PREFETCH_BATCHES

    @property
    def mask_frame(self) -> MaskFrame:
        """All of an image."""
        return "original"

    @property
    def max_image_pixels(self) -> int:
        """Of the images that `campaign explain` reads."""
        return MAX_IMAGE_PIXELS


class OxfordPet(Images):
    """Oxford-IIIT Pet with trimaps, in torchvision's layout `<root>/oxford-iiit-pet`."""

    kind: Literal["oxford_pet"] = "oxford_pet"
    labels: Literal["breed", "species", "present_breed"] = "breed"
    """All 37 breeds, cat against dog, or only those breeds that the list files name."""
    breeds: tuple[str, ...] | None = Field(default=None, min_length=1, json_schema_extra=ADDED_LATER)
    """The breeds whose images are read, as files spell them; null reads all that the list files name."""
    download: bool = False
    """Fetch the data set into `root` when it is not there."""


class ImageFolder(Images):
    """Folders `<root>/<train>/<class>`, `<root>/<val>/<class>` and `<root>/<test>/<class>`, with or without masks."""

    may_have_own_validation: ClassVar[bool] = True

    kind: Literal["image_folder"] = "image_folder"
    train: str = "train"
    """Sub-folder of the training images."""
    val: str | None = "val"
    """Sub-folder of the validation images; of the test images where `test` is null, and they are cut then."""
    test: str | None = Field(default=None, json_schema_extra=ADDED_LATER)
    """Sub-folder of the test images."""
    masks: FolderMasks | None = Field(default=None, json_schema_extra=ADDED_LATER)
    """Where masks lie and what their pixels mean; null for images without masks."""

    @model_validator(mode="after")
    def _some_images_are_held_out(self) -> Self:
        if self.val is None and self.test is None:
            raise ValueError("data.val = null and data.test = null leave no images to report; set data.test")
        has_both = self.val is not None and self.test is not None
        if has_both and "validation" not in self.model_fields_set:
            # Sections are frozen for their users; this one is not complete before its validators have run.
            object.__setattr__(self, "validation", Validation(source="own"))
        if has_both != (self.validation.source == "own"):
            raise ValueError(
                f"data.validation.source = {self.validation.source} does not fit data.val = {self.val or 'null'} and "
                f"data.test = {self.test or 'null'}; with both folders it is own, and may be left out"
            )
        return self

    @model_validator(mode="after")
    def _masks_are_found_by_name(self) -> Self:
        if self.masks is None:
            return self
        if not self.masks.by_name:
            raise ValueError(
                "data.masks needs data.masks.folder, a folder with masks of the images' names, or data.masks.suffix, "
                "as in _mask where 1_mask.png lies next to 1.jpg"
            )
        if isinstance(self.masks, EqualMasks) and not isinstance(self.masks.value, int):
            raise ValueError(
                f"data.masks.value = {self.masks.value or 'null'} needs a table (data.kind = table), for folders have "
                "no column of numbers; set data.masks.value to the object's value"
            )
        return self


class PascalVoc(Images):
    """PASCAL VOC segmentation, in torchvision's layout `<root>/VOCdevkit/VOC<year>`: several labels an image."""

    kind: Literal["pascal_voc"] = "pascal_voc"
    year: Annotated[Literal[2007, 2008, 2009, 2010, 2011, 2012], BeforeValidator(_unquoted)] = 2012
    """Year of the challenge; torchvision has 2011 in `<root>/TrainVal/VOCdevkit/VOC2011`."""
    download: bool = False
    """Fetch the data set into `root` when it, or a part of it, is not there."""


class Sbd(Images):
    """The Semantic Boundaries Dataset, PASCAL VOC's images with more masks, in torchvision's layout: several labels."""

    kind: Literal["sbd"] = "sbd"
    train: Literal["train", "train_noval"] = "train"
    """The list of training images; `train_noval` has none that PASCAL VOC 2012 has for validation."""


class ImageNetS(Images):
    """ImageNet-S, `<root>/<folder>/{train,train-semi,validation}/<class>`: masks for train-semi and validation."""

    kind: Literal["imagenet_s"] = "imagenet_s"
    folder: SubFolder = "ImageNetS50"
    """Sub-folder of `root` with the set: `ImageNetS50`, `ImageNetS300`, `ImageNetS919`, or one of other classes."""
    train: Literal["both", "train", "train-semi"] = "both"
    """The training images: `train`, which has no masks; `train-semi`, ten a class with masks; or both, each once."""
    oversample_masked: int = Field(default=1, ge=1)
    """How many times an epoch shows an image of train-semi, cropped anew, for once each of the others."""

    @model_validator(mode="after")
    def _repeats_have_others(self) -> Self:
        if self.oversample_masked > 1 and self.train != "both":
            raise ValueError(
                f"data.oversample_masked = {self.oversample_masked} mixes images with and without masks, and "
                f"data.train = {self.train} has one sort alone; set data.train=both or data.oversample_masked=1"
            )
        if self.oversample_masked > 1 and self.mask_subset is not None:
            raise ValueError(
                f"data.oversample_masked = {self.oversample_masked} shows images with masks more often, of which "
                "data.mask_subset hides some; set data.oversample_masked=1 or data.mask_subset=null"
            )
        return self


class HardImageNet(Images):
    """Hard ImageNet: masks for images of 15 classes of ImageNet, which lie where ImageNet has them."""

    kind: Literal["hard_imagenet"] = "hard_imagenet"
    images: SubFolder = "imagenet"
    """Sub-folder of `root` with ImageNet's images, `{train,val}/<wnid>/<image>`."""
    masks: SubFolder = "hardImageNet"
    """Sub-folder of `root` with the masks, `{train,val}/<wnid>_<image>`."""
    train: Literal["all", "balanced"] = Field(default="all", json_schema_extra=ADDED_LATER)
    """All training images, or the first and the last hundred of each class by the publisher's ranking."""


class Table(Images):
    """A table, CSV or Parquet, with a row for each image: path, label, split, and what else is known of it."""

    may_have_own_validation: ClassVar[bool] = True

    kind: Literal["table"] = "table"
    table: TablePath
    """The table's file, below `root`."""
    images: SubFolder | None = None
    """Sub-folder of `root` to which the paths of images are relative; null is `root` itself."""
    columns: Columns = Columns()
    """What the table calls its columns."""
    splits: SplitValues = SplitValues()
    """What the column of splits holds."""
    groups: tuple[str, ...] = ()
    """Columns whose values together make an image's group, such as the label and the place."""
    masks: TableMasks | None = None
    """Where masks lie and what their pixels mean; null for images without masks."""

    @model_validator(mode="after")
    def _groups_are_named_once(self) -> Self:
        if len(set(self.groups)) < len(self.groups):
            raise ValueError(f"data.groups = {list(self.groups)} names a column twice")
        return self


DataConfig = Annotated[
    SpuriousDigits | OxfordPet | PascalVoc | Sbd | ImageNetS | Table | PublishedSet | HardImageNet | ImageFolder,
    Field(discriminator="kind"),
]
KINDS_WITH_MASKS = frozenset(
    {"spurious_digits", "oxford_pet", "pascal_voc", "imagenet_s", "hard_imagenet", "sbd", *SETS_WITH_MASKS}
)
"""Those that have masks whatever the config says; of the others, those have some that set `data.masks`."""
KINDS_WITH_SEVERAL_LABELS = frozenset({"pascal_voc", "sbd"})
"""Those whose images may show several classes, each with a mask of its own."""


def without_masks(config: DataConfig) -> str | None:
    """Return the setting by which training images have no masks; None where at least some of them have."""
    if isinstance(config, ImageNetS) and config.train == "train":
        return "data.train = train"
    if config.kind in KINDS_WITH_MASKS:
        return None
    if isinstance(config, ImageFolder | Table):
        return None if config.masks else "data.masks = null"
    return f"data.kind = {config.kind}"
