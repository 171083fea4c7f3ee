"""What a trial minimises: a classification or embedding loss, and regularisers of the former."""

import math
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from trainables.config.dfr import Dfr
from trainables.config.mixing import BackgroundSwap, CutMix, ObjectOnly, check_backgrounds
from trainables.config.regularisers import Divergence, Guidance, Rrr, SlicedWasserstein
from trainables.config.section import ADDED_LATER, Section


class GroupDro(Section):
    """GroupDRO: a group's loss counts by a weight, which grows while that loss is above those of the other groups."""

    step_size: float = Field(default=0.01, gt=0)
    """Step of the logarithms of the weights, in each step of the training; the literature has 0.01."""


def _class_weights(value: Any) -> Any:
    """Return weights under the names of classes, which may be numbers in YAML."""
    if value is None or value == "balanced":
        return value
    if isinstance(value, dict) and value and all(map(_is_weight, value.values())):
        return {str(name): float(weight) for name, weight in value.items()}
    raise PydanticCustomError(
        "class_weights", "Input should be balanced, or a weight of 0 or more by class name, as in {cat: 1, dog: 2.5}"
    )


def _is_weight(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf


class _Classification(Section):
    divergence: Divergence | None = None
    """Pulls each ContrastiveCAM towards the mask; null leaves it out."""
    sliced_wasserstein: SlicedWasserstein | None = None
    """Pulls all ContrastiveCAMs together towards the mask; null leaves it out."""
    guidance: Guidance | None = Field(default=None, json_schema_extra=ADDED_LATER)
    """Pulls the label's own HiResCAM onto the object; null leaves it out."""
    rrr: Rrr | None = Field(default=None, json_schema_extra=ADDED_LATER)
    """Penalises the gradient on the background's pixels; null leaves it out."""
    background_noise: float = Field(default=0.0, ge=0)
    """Standard deviation of Gaussian noise on the background of training images, of pixels in [0, 1]: core risk
    minimisation. 0 adds none."""
    cutmix: CutMix | None = None
    """Mixes training images and their masks; null mixes none."""
    background_swap: BackgroundSwap | None = Field(default=None, json_schema_extra=ADDED_LATER)
    """Exchanges the backgrounds of training images; null exchanges none."""
    object_only: ObjectOnly | None = Field(default=None, json_schema_extra=ADDED_LATER)
    """Fills the background of training images; null fills none."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1, json_schema_extra=ADDED_LATER)
    """Share of the loss that is spread over all classes alike; in a binary loss, targets move by half of it."""
    class_weights: Annotated[Literal["balanced"] | dict[str, float] | None, BeforeValidator(_class_weights)] = Field(
        default=None, json_schema_extra=ADDED_LATER
    )
    """How much an image's loss counts, by the name of its class; `balanced` is inverse to the number of training
    images. Null counts all alike."""
    group_dro: GroupDro | None = Field(default=None, json_schema_extra=ADDED_LATER)
    """Weighs the groups of the data by their losses; null counts all images alike."""
    dfr: Dfr | None = Field(default=None, json_schema_extra=ADDED_LATER)
    """Fits the last layer anew, whenever the network is validated; null leaves it as it was trained."""

    @model_validator(mode="after")
    def _one_background_an_image(self) -> Self:
        check_backgrounds(self.background_swap, self.object_only)
        return self


class CrossEntropy(_Classification):
    """Plain cross-entropy on the logits."""

    kind: Literal["cross_entropy"] = "cross_entropy"


class Contrastive(_Classification):
    """Contrastive cross-entropy: the background's ContrastiveCAMs count against every class."""

    kind: Literal["contrastive"] = "contrastive"
    background_weight: float = Field(default=1.0, ge=0)
    """The penalty lambda on the background's absolute contribution; the literature has 1."""
    background_weight_warmup: int = Field(default=0, ge=0, json_schema_extra=ADDED_LATER)
    """Epochs over which that weight rises from 0: in epoch e of n it is (e-1)/n of itself, and all of it after n."""


class BinaryCrossEntropy(_Classification):
    """Plain binary cross-entropy on the logits, summed over the classes.

    It takes images of one class or of several.
    """

    kind: Literal["binary_cross_entropy"] = "binary_cross_entropy"


class BinaryContrastive(_Classification):
    """A binary loss for each class, in which the background counts against the classes that are there.

    It takes images of one class or of several.
    """

    kind: Literal["binary_contrastive"] = "binary_contrastive"
    background_weight: float = Field(default=1.0, ge=0)
    """The penalty on the background's absolute HiResCAMs; 0 is binary cross-entropy on what the object adds."""
    background_weight_warmup: int = Field(default=0, ge=0, json_schema_extra=ADDED_LATER)
    """Epochs over which that weight rises from 0: in epoch e of n it is (e-1)/n of itself, and all of it after n."""


class LinearProbe(Section):
    """Multinomial logistic regression on the L2-normalised pooled features of the frozen network."""

    kind: Literal["linear_probe"] = "linear_probe"
    penalty: float = Field(default=1e-4, gt=0)
    """Weight of half the squared norm of the probe's weights, added to the mean cross-entropy. Above 0, since weights
    that separate all training images would grow for ever."""


class NearestCentroid(Section):
    """The class whose mean of L2-normalised pooled features is nearest."""

    kind: Literal["nearest_centroid"] = "nearest_centroid"
    temperature: float = Field(default=0.07, gt=0)
    """Divides the scores before the softmax: it shapes probabilities and maps, and no choice of a class."""


class NearestNeighbours(Section):
    """The class for which the nearest training images speak most, by cosine similarity."""

    kind: Literal["nearest_neighbours"] = "nearest_neighbours"
    num_neighbours: int = Field(default=20, ge=1)
    """Training images that have a say."""
    temperature: float = Field(default=0.07, gt=0)
    """Divides the scores before the softmax: it shapes probabilities and maps, and no choice of a class."""


EmbeddingClassifier = Annotated[LinearProbe | NearestCentroid | NearestNeighbours, Field(discriminator="kind")]


class _Embedding(Section):
    classifier: EmbeddingClassifier = LinearProbe()
    """What names a class from the frozen features, fitted whenever the network is validated."""
    fit_sample: int | None = Field(default=None, ge=2)
    """Training images to fit it to, drawn by the seed; null takes all."""
    fit_every_epochs: int | None = Field(default=None, ge=1)
    """Fit and validate after every so many epochs, and at the end; null at the end only."""

    @model_validator(mode="before")
    @classmethod
    def _default_kind(cls, tree: Any) -> Any:
        """Give a classifier without a `kind` that of the default one."""
        if not isinstance(tree, dict) or not isinstance(tree.get("classifier"), dict):
            return tree
        return {**tree, "classifier": {"kind": "linear_probe", **tree["classifier"]}}


class SupCon(_Embedding):
    """The supervised contrastive loss on two views of each image."""

    kind: Literal["supcon"] = "supcon"
    temperature: float = Field(default=0.07, gt=0)
    projection_size: int = Field(default=128, ge=1)
    """Width of the projection that only training uses."""


class Triplet(_Embedding):
    """The triplet loss with semi-hard triplets of each batch, on pooled features as they are."""

    kind: Literal["triplet"] = "triplet"
    margin: float = Field(default=0.3, gt=0)


ClassificationConfig = CrossEntropy | Contrastive | BinaryCrossEntropy | BinaryContrastive
ObjectiveConfig = Annotated[ClassificationConfig | SupCon | Triplet, Field(discriminator="kind")]


def objective_at(objective: ObjectiveConfig, epoch: int) -> ObjectiveConfig:
    """Return the objective of an epoch, in whose warm-up the background weight is the share that is due."""
    if not isinstance(objective, Contrastive | BinaryContrastive) or epoch > objective.background_weight_warmup:
        return objective
    share = (epoch - 1) / objective.background_weight_warmup
    return objective.model_copy(update={"background_weight": share * objective.background_weight})


def images_to_fit(objective: ObjectiveConfig) -> dict[str, int]:
    """Return the fields that ask for so many training images to fit a classifier to."""
    if not isinstance(objective, _Embedding):
        return {}
    needs = {} if objective.fit_sample is None else {"objective.fit_sample": objective.fit_sample}
    if isinstance(objective.classifier, NearestNeighbours):
        needs["objective.classifier.num_neighbours"] = objective.classifier.num_neighbours
    return needs


def mask_needs(objective: ObjectiveConfig) -> dict[str, str]:
    """Return what of an objective needs masks, as `field = value`, each with the assignment that does without."""
    if not isinstance(objective, _Classification):
        return {}
    needs: dict[str, str] = {}
    if isinstance(objective, Contrastive):
        needs["objective.kind = contrastive"] = "objective.kind=cross_entropy"
    if isinstance(objective, BinaryContrastive) and objective.background_weight:
        needs[f"objective.background_weight = {objective.background_weight}"] = "objective.background_weight=0"
    for name, weight in regulariser_weights(objective).items():
        needs[f"objective.{name}.weight = {weight}"] = f"objective.{name}=null"
    if objective.background_noise:
        needs[f"objective.background_noise = {objective.background_noise}"] = "objective.background_noise=0"
    if objective.dfr is not None and objective.dfr.fit_on == "object_only":
        needs["objective.dfr.fit_on = object_only"] = "objective.dfr=null"
    for name in ("background_swap", "object_only"):
        section = getattr(objective, name)
        if section is not None:
            needs[f"objective.{name}.probability = {section.probability}"] = f"objective.{name}=null"
    return needs


def penalty_weights(objective: ObjectiveConfig) -> list[str]:
    """Return the fields by which a penalty of an objective can be lowered."""
    if not isinstance(objective, _Classification):
        return []
    own = ["objective.background_weight"] if isinstance(objective, Contrastive | BinaryContrastive) else []
    return own + [f"objective.{name}.weight" for name in regulariser_weights(objective)]


def regulariser_weights(objective: _Classification) -> dict[str, float]:
    """Return the weights of an objective's regularisers, by their names."""
    terms = {name: getattr(objective, name) for name in ("divergence", "sliced_wasserstein", "guidance", "rrr")}
    return {name: term.weight for name, term in terms.items() if term is not None}
