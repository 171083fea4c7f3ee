"""How the weights are updated."""

from typing import Annotated, Literal

from pydantic import Field

from trainables.config.section import Section


class _Optim(Section):
    learning_rate: float = Field(default=1e-3, gt=0)
    """Peak rate, reached after the warm-up; it then falls along a cosine."""
    weight_decay: float = Field(default=5e-4, ge=0)
    """Decay of weights of two dimensions or more; biases and norms have none."""
    warmup_epochs: float = Field(default=1.0, ge=0)
    """Epochs over which the rate rises from zero; fractions are allowed. If left out, at most half of the epochs."""
    final_fraction: float = Field(default=0.0, ge=0, le=1)
    """Rate at the end, as a fraction of the peak."""


class AdamW(_Optim):
    """Adam with decoupled weight decay."""

    kind: Literal["adamw"] = "adamw"


class Sgd(_Optim):
    """Stochastic gradient descent with Nesterov momentum."""

    kind: Literal["sgd"] = "sgd"
    momentum: float = Field(default=0.9, gt=0, lt=1)


OptimConfig = Annotated[AdamW | Sgd, Field(discriminator="kind")]
