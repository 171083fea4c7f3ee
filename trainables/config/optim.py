"""How the weights are updated."""

from typing import Annotated, Literal

from pydantic import Field

from trainables.config.section import ADDED_LATER, Section


class _Optim(Section):
    learning_rate: float = Field(default=1e-3, gt=0)
    """Peak rate, reached after the warm-up; it then falls along a cosine."""
    weight_decay: float = Field(default=5e-4, ge=0)
    """Decay of weights of two dimensions or more."""
    decay_biases_and_norms: bool = Field(default=False, json_schema_extra=ADDED_LATER)
    """Decay the other weights too, as a torch optimiser that is given all parameters in one group does."""
    warmup_epochs: float = Field(default=1.0, ge=0)
    """Epochs over which the rate rises from zero; fractions are allowed. If left out, at most half of the epochs."""
    final_fraction: float = Field(default=0.0, ge=0, le=1)
    """Rate at the end, as a fraction of the peak."""
    layer_decay: float = Field(default=1.0, gt=0, le=1, json_schema_extra=ADDED_LATER)
    """Factor on the rate from the head to the backbone's last stage, and from each stage to the one before it."""
    head_multiplier: float = Field(default=1.0, gt=0, json_schema_extra=ADDED_LATER)
    """Factor on the rate of what stands behind the backbone: the head, or the projection of `supcon`."""


class AdamW(_Optim):
    """Adam with decoupled weight decay."""

    kind: Literal["adamw"] = "adamw"


class Adam(_Optim):
    """Adam with coupled weight decay: an L2 penalty, whose gradient is added to the loss's."""

    kind: Literal["adam"] = "adam"


class Sgd(_Optim):
    """Stochastic gradient descent with momentum."""

    kind: Literal["sgd"] = "sgd"
    momentum: float = Field(default=0.9, gt=0, lt=1)
    nesterov: bool = Field(default=True, json_schema_extra=ADDED_LATER)
    """Nesterov momentum; false is plain momentum."""


OptimConfig = Annotated[AdamW | Adam | Sgd, Field(discriminator="kind")]
