"""How long, in what batches and at what precision a trial trains."""

from typing import Literal, Self

from pydantic import Field, model_validator

from trainables.config.section import ADDED_LATER, Section
from trainables.config.suite import Suite


class EarlyStopping(Section):
    """Training ends before its last epoch once a metric no longer improves; the schedule keeps its planned length."""

    metric: str
    """Validation metric of the epochs, such as val/loss."""
    patience: int = Field(ge=1)
    """Epochs in a row without an improvement that end the training; those without the metric do not count."""
    min_delta: float = Field(default=0.0, ge=0)
    """Change of the metric that an improvement exceeds."""


class Freeze(Section):
    """The backbone's first stages keep their weights, and their norms the statistics that they have."""

    stages: Literal["all"] | int = "all"
    """How many of the backbone's stages, from the input on; `all` trains the head alone."""
    epochs: int | None = Field(default=None, ge=1)
    """The first epochs, in which they are frozen; null freezes them for good."""

    @model_validator(mode="after")
    def _some_stages_are_frozen(self) -> Self:
        if self.stages != "all" and self.stages < 1:
            raise ValueError(
                f"training.freeze.stages = {self.stages} freezes nothing; set it to 1 or more, to all, or "
                "training.freeze to null"
            )
        return self

    @property
    def leaves_the_head_alone(self) -> bool:
        """Whether no stage is ever trained."""
        return self.stages == "all" and self.epochs is None


class Jtt(Section):
    """Just Train Twice: a first network is trained, and its mistakes on the training images come more often after."""

    epochs: int = Field(ge=1)
    """Epochs of the first network."""
    upweight: int = Field(ge=2)
    """How many times an epoch of the second network shows an image that the first one classified wrongly."""


class Training(Section):
    """The training loop's settings."""

    epochs: int = Field(default=10, ge=1)
    batch_size: int = Field(default=64, ge=2)
    """Images an optimiser step sees, over all workers and micro-batches together."""
    accumulate: int = Field(default=1, ge=1)
    """Micro-batches into which each worker splits its share of a batch to save memory."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """bf16 runs the network under autocast; weights and the objective's maps stay in float32."""
    channels_last: bool = False
    """Store activations channels-last, which is faster for convolutions on most hardware."""
    compile: bool = False
    """Compile the network with torch.compile."""
    clip_norm: float | None = Field(default=None, gt=0)
    """Largest global gradient norm; null does not clip."""
    ema_decay: float | None = Field(default=None, gt=0, lt=1)
    """Decay of the weights' moving average, which is then what is validated; null keeps none."""
    sync_batchnorm: bool = Field(default=False, json_schema_extra=ADDED_LATER)
    """Batch norms take mean and variance over the images of all workers, by torch.nn.SyncBatchNorm; GPUs only."""
    keep: Literal["last", "best"] = Field(default="last", json_schema_extra=ADDED_LATER)
    """The epoch whose network is evaluated, explained and registered: the last, or the best one by `keep_metric`."""
    keep_metric: str | None = Field(default=None, json_schema_extra=ADDED_LATER)
    """Validation metric by which `keep: best` chooses, such as val/accuracy; of equal epochs, the first is kept."""
    early_stopping: EarlyStopping | None = Field(default=None, json_schema_extra=ADDED_LATER)
    """When training ends before `epochs`; null trains them all."""
    sampling: Literal["uniform", "class_balanced", "group_balanced"] = Field(
        default="uniform", json_schema_extra=ADDED_LATER
    )
    """How often an epoch shows an image: each once, or each class or each group of the data equally often."""
    jtt: Jtt | None = Field(default=None, json_schema_extra=ADDED_LATER)
    """Train twice, the second time with the mistakes of the first network upweighted; null trains once."""
    freeze: Freeze | None = Field(default=None, json_schema_extra=ADDED_LATER)
    """Stages that are not trained, at first or at all; null trains all of them."""
    gradient_checkpointing: bool = Field(default=False, json_schema_extra=ADDED_LATER)
    """Keep the activations between stages alone for the backward pass, which computes the others again: less memory,
    more time, the same gradients."""

    @model_validator(mode="after")
    def _best_has_a_metric(self) -> Self:
        if self.keep == "best" and self.keep_metric is None:
            raise ValueError(
                "training.keep = best needs training.keep_metric, a validation metric such as val/accuracy; found null"
            )
        if self.keep == "last" and self.keep_metric is not None:
            raise ValueError(
                f"training.keep_metric = {self.keep_metric} has no effect with training.keep = last; set "
                "training.keep to best, or training.keep_metric to null"
            )
        return self

    @model_validator(mode="after")
    def _frozen_stages_thaw(self) -> Self:
        epochs = None if self.freeze is None else self.freeze.epochs
        if epochs is not None and epochs >= self.epochs:
            raise ValueError(
                f"training.freeze.epochs = {epochs} must be below training.epochs = {self.epochs}; set it to null to "
                "freeze the stages for good"
            )
        return self

    @model_validator(mode="after")
    def _activations_can_be_computed_again(self) -> Self:
        if self.gradient_checkpointing and self.compile:
            raise ValueError(
                "training.gradient_checkpointing = true does not go with training.compile = true, which cannot keep "
                "batch statistics as they are while it computes activations again; set one of them to false"
            )
        return self

    @model_validator(mode="after")
    def _stopping_can_be_early(self) -> Self:
        if self.early_stopping is not None and self.early_stopping.patience >= self.epochs:
            raise ValueError(
                f"training.early_stopping.patience = {self.early_stopping.patience} must be below training.epochs = "
                f"{self.epochs}; set training.early_stopping to null to train all epochs"
            )
        return self


class Evaluation(Section):
    """What is measured, besides the validation metrics of every epoch."""

    batch_size: int = Field(default=256, ge=1)
    """Images in a batch of an evaluation, on each worker."""
    shift_every_epoch: bool = False
    """Measure the shifted validation sets after every epoch, and not only at the end; where one held-out set serves
    both splits, the shifted test sets."""
    panel_images: int = Field(default=4, ge=0)
    """Validation images whose ContrastiveCAM panels are drawn; 0 draws none."""
    panel_rivals: int = Field(default=3, ge=1)
    """Rival classes in a panel, the highest-scoring first."""
    panel_every_epochs: int | None = Field(default=None, ge=1)
    """Draw panels after every so many epochs, and at the end; null draws at the end only."""
    suite: Suite = Field(default=Suite(), json_schema_extra={"measurement": True})
    """The parts of `campaign evaluate`."""


class Resources(Section):
    """What a trial occupies on the cluster."""

    workers: int = Field(default=0, ge=0)
    """Data-parallel Ray Train workers; 0 trains in the trial's own process, which is cheaper."""
    cpus: float = Field(default=1.0, gt=0)
    """CPU cores of each worker, or of the trial's process; also its number of torch threads."""
    gpus: float = Field(default=0.0, ge=0)
    """GPUs of each worker; a fraction shares one among in-process trials."""
