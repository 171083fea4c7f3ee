"""Settings of the evaluation suite; none of them changes what a trial trains."""

from fractions import Fraction
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from trainables.config.places import Root
from trainables.config.section import ADDED_LATER, Section


def _fraction(value: Any) -> Any:
    """Read `8/255` as the number that it is."""
    if isinstance(value, str) and value.count("/") == 1:
        try:
            return float(Fraction(value.replace(" ", "")))
        except (ValueError, ZeroDivisionError):
            return value
    return value


Epsilon = Annotated[float, Field(ge=0), BeforeValidator(_fraction)]
"""A distance between images with pixels in [0, 1]; `8/255` is read as a fraction."""

MapName = Literal["hirescam", "contrastive", "class_reconstructed", "gradcam", "eigencam", "integrated_gradients"]


class BackgroundSuite(Section):
    """Noise on parts of an image, and ContrastiveCAMs against masks."""

    noise_sigma: float = Field(default=0.25, gt=0)
    """Standard deviation of the noise of RFS, of pixels in [0, 1]."""
    noise_trials: int = Field(default=3, ge=1)
    """Draws of that noise, over which accuracies are averaged."""
    iou_threshold: float = Field(default=0.5, gt=0, lt=1)
    """Share of a ContrastiveCAM's largest value above which a pixel counts as seen, for the IoU with the object."""


class AttributionSuite(Section):
    """Which maps are measured, and at what cost."""

    maps: tuple[MapName, ...] = (
        "hirescam",
        "contrastive",
        "class_reconstructed",
        "gradcam",
        "eigencam",
        "integrated_gradients",
    )
    flip_steps: int = Field(default=16, ge=2)
    """Equal steps in which pixel flipping removes the whole image; the nearest number that divides its pixels."""
    integration_steps: int = Field(default=12, ge=2)
    """Points on the path of integrated gradients."""
    noise_sigma: float = Field(default=0.02, gt=0)
    """Standard deviation of the noise under which a map should not change."""
    sensitivity_radius: float = Field(default=0.02, gt=0)
    """Largest change of a pixel in the max-sensitivity of Yeh et al."""
    sensitivity_samples: int = Field(default=4, ge=1)
    """Draws over which max-sensitivity takes its maximum."""
    costly_sample: int = Field(default=20, ge=1)
    """Images of the suite's sample for the costliest metrics: max-sensitivity, which takes a map for each draw, and
    those that compare integrated gradients with further ones."""


class _OodSet(Section):
    role: Literal["near", "far", "validation"]
    """Near and far sets are measured. KNN's k is chosen on validation sets, which must be folders of images."""


class FolderSet(_OodSet):
    """Every image below a folder, whatever its sub-folders are called."""

    kind: Literal["image_folder"] = "image_folder"
    root: Root | None = Field(default=None, json_schema_extra={"location": True})
    """The folder that `folder` is relative to; left out, the training set's own root."""
    folder: str = "."
    """The folder of the images, below `root`."""
    classes: tuple[str, ...] | None = None
    """Sub-folders to read; null reads all."""
    on_error: Literal["raise", "skip"] = "raise"
    """What a corrupt image does: stop with its name, or be skipped and counted."""


class ChimeraSet(_OodSet):
    """The upper half of one handwritten digit joined to the lower half of another class's, on the training textures."""

    kind: Literal["chimera_digits"] = "chimera_digits"


class TextureSet(_OodSet):
    """Mosaics of coloured tiles without any object."""

    kind: Literal["textures"] = "textures"


class NoiseSet(_OodSet):
    """Pixels drawn independently, of mean 0.5: normal with standard deviation 1 and clipped to [0, 1], or uniform."""

    kind: Literal["noise"] = "noise"
    distribution: Literal["normal", "uniform"] = "normal"


OodSet = Annotated[FolderSet | ChimeraSet | TextureSet | NoiseSet, Field(discriminator="kind")]
ScoreName = Literal["softmax", "energy", "odin", "knn", "mahalanobis", "vim", "gen", "react", "scale"]
_FIRST_SCORES: Any = ("softmax", "energy", "odin", "knn", "mahalanobis", "vim")


class OodSuite(Section):
    """The sets that are out of distribution, and the scores that should tell them apart."""

    sets: dict[str, OodSet] = Field(default_factory=dict)
    """By the name under which `ood/<name>/<score>/auroc` is reported; empty takes those that need no files."""
    scores: tuple[ScoreName, ...] = Field(
        default=(*_FIRST_SCORES, "gen", "react", "scale"), json_schema_extra={"first_default": _FIRST_SCORES}
    )
    fit_sample: int = Field(default=2000, ge=2)
    """Training images to which KNN, Mahalanobis, ViM and ReAct are fitted."""

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        taken = sorted({"near", "far"} & set(self.sets))
        if taken:
            raise ValueError(f"sets may not be called {', '.join(taken)}: ood/near and ood/far are means over sets")
        return self


class AdversarialSuite(Section):
    """Attacks on pixels in [0, 1] within a ball of radius epsilon."""

    linf_curve: tuple[Epsilon, ...] = Field(default=(0.0, 2 / 255, 4 / 255, 8 / 255, 16 / 255, 1.0))
    """Radii of PGD's curve in the maximum norm; 0 is always among them, and 1 should leave nothing standing."""
    l2_curve: tuple[Epsilon, ...] = Field(default=(0.0, 0.5, 1.0, 2.0))
    """Radii of the curve in the Euclidean norm."""
    linf: Epsilon = 4 / 255
    """Radius of all other attacks in the maximum norm; 8/255 is usual at 32 px."""
    l2: Epsilon = 0.5
    """Radius of AutoAttack in the Euclidean norm."""
    steps: int = Field(default=20, ge=1)
    """Steps of PGD."""
    restarts: int = Field(default=1, ge=1)
    """Random starts of PGD, of which the best counts for each image."""
    sample: int = Field(default=20, ge=1)
    """Images, of the suite's sample, for AutoAttack, Square and the check for masked gradients: they cost most."""
    square_queries: int = Field(default=5000, ge=1, json_schema_extra={"first_default": 200})
    """Queries of Square an image, in AutoAttack too; 5000 is the authors' standard."""


class InsideSuite(Section):
    """Channels, concepts, circuits and the gap; another value of any setting measures all four again."""

    num_concepts: int = Field(default=16, ge=2)
    """Concepts that the features are factorised into; at most as many as there are features."""


class ImagesSuite(Section):
    """Which images are shown."""

    gallery_images: int = Field(default=8, ge=1, le=12)
    """Images of each class in each row of the gallery, at most; 12 is as many as stand legibly side by side."""
    gallery_classes: int = Field(default=12, ge=1)
    """Classes that the gallery shows, at most: those with the lowest accuracy on the sample."""


class Suite(Section):
    """Settings of `campaign evaluate --suite full`."""

    sample: int = Field(default=200, ge=1)
    """Images of each set that an evaluation uses, drawn by `seed`; a smaller set is taken whole."""
    seed: int = Field(default=0, ge=0)
    """Seed of the sample and of every random number of the suite."""
    background: BackgroundSuite = BackgroundSuite()
    attribution: AttributionSuite = AttributionSuite()
    ood: OodSuite = OodSuite()
    adversarial: AdversarialSuite = AdversarialSuite()
    inside: InsideSuite = Field(default=InsideSuite(), json_schema_extra=ADDED_LATER)
    images: ImagesSuite = ImagesSuite()
