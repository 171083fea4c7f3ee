"""The whole config of one trial, with the rules that join its sections."""

import math
from typing import Any, Self

from pydantic import Field, model_validator

from trainables.config.data import KINDS_WITH_MASKS, DataConfig, SpuriousDigits, without_masks
from trainables.config.embedding_rules import check_embedding
from trainables.config.images import PREFETCH_BATCHES
from trainables.config.label_rules import check_labels
from trainables.config.model import ModelConfig, SmallCnn, has_batch_norms
from trainables.config.network_file import with_own_kind
from trainables.config.objective import CrossEntropy, ObjectiveConfig, mask_needs
from trainables.config.optim import AdamW, OptimConfig
from trainables.config.recipe_rules import check_recipe
from trainables.config.section import Section
from trainables.config.training import Evaluation, Resources, Training

DEFAULT_KINDS = {"data": "spurious_digits", "model": "small_cnn", "objective": "cross_entropy", "optim": "adamw"}
"""The kind of a section that names none."""


class ExperimentConfig(Section):
    """Everything that decides what a trial computes."""

    seed: int = Field(default=0, ge=0)
    """Seed of the weights, the order of the images and their augmentation."""
    data: DataConfig = SpuriousDigits()
    model: ModelConfig = SmallCnn()
    objective: ObjectiveConfig = CrossEntropy()
    optim: OptimConfig = AdamW()
    training: Training = Training()
    evaluation: Evaluation = Evaluation()
    resources: Resources = Resources()

    @model_validator(mode="before")
    @classmethod
    def _default_kinds(cls, tree: Any) -> Any:
        """Give a section without a `kind` the kind of the default section."""
        if not isinstance(tree, dict):
            return tree
        if isinstance(tree.get("model"), dict):
            tree = {**tree, "model": with_own_kind(tree["model"])}
        return {
            name: {"kind": DEFAULT_KINDS[name], **section}
            if name in DEFAULT_KINDS and isinstance(section, dict)
            else section
            for name, section in tree.items()
        }

    @property
    def loader_processes(self) -> int:
        """Processes that each worker starts to decode images."""
        if self.data.loader_processes is not None:
            return self.data.loader_processes
        return math.ceil(self.resources.cpus) if self.resources.gpus else 0

    @model_validator(mode="after")
    def _prefetch_has_processes(self) -> Self:
        if self.data.prefetch_batches != PREFETCH_BATCHES and not self.loader_processes:
            raise ValueError(
                f"data.prefetch_batches = {self.data.prefetch_batches} has no effect without loader processes; "
                f"data.loader_processes = {'null' if self.data.loader_processes is None else 0} with resources.gpus = "
                f"{self.resources.gpus:g} starts none: set data.loader_processes"
            )
        return self

    @model_validator(mode="after")
    def _batch_divides(self) -> Self:
        micro_batches = max(1, self.resources.workers) * self.training.accumulate
        if self.training.batch_size % micro_batches:
            raise ValueError(
                f"training.batch_size = {self.training.batch_size} is no multiple of {micro_batches}, "
                f"which is resources.workers = {self.resources.workers} (at least 1) times "
                f"training.accumulate = {self.training.accumulate}"
            )
        return self

    @model_validator(mode="after")
    def _training_set_fills_a_batch(self) -> Self:
        if isinstance(self.data, SpuriousDigits) and self.data.num_train < self.training.batch_size:
            raise ValueError(
                f"data.num_train = {self.data.num_train} is less than training.batch_size = "
                f"{self.training.batch_size}, so that no batch is full"
            )
        return self

    @model_validator(mode="after")
    def _shifted_sets_are_there(self) -> Self:
        held_out = self.data.validation.source == "held_out"
        has_some = bool(self.data.val_shift_names or (held_out and self.data.shift_names))
        if self.evaluation.shift_every_epoch and not has_some:
            raise ValueError(
                "evaluation.shift_every_epoch = true needs a shifted validation set, and data.kind = "
                f"{self.data.kind} has none in data.val_shift; shifted test sets are measured by campaign evaluate, "
                "and at the end of a sweep or a study"
            )
        return self

    @model_validator(mode="after")
    def _panels_are_due(self) -> Self:
        every = self.evaluation.panel_every_epochs
        if every is not None and not self.evaluation.panel_images:
            raise ValueError(
                f"evaluation.panel_every_epochs = {every} has no effect with evaluation.panel_images = 0; "
                "set it to null, or draw an image or more"
            )
        if every is not None and every >= self.training.epochs:
            raise ValueError(
                f"evaluation.panel_every_epochs = {every} must be below training.epochs = {self.training.epochs}; "
                "set it to null to draw panels at the end only"
            )
        return self

    @model_validator(mode="after")
    def _whole_devices_for_workers(self) -> Self:
        if self.resources.workers and self.resources.gpus % 1:
            raise ValueError(
                f"resources.gpus = {self.resources.gpus} is a fraction, which needs "
                f"resources.workers = 0; found resources.workers = {self.resources.workers}"
            )
        return self

    @model_validator(mode="after")
    def _batch_norms_can_be_synchronised(self) -> Self:
        if not self.training.sync_batchnorm:
            return self
        if has_batch_norms(self.model) is False:
            raise ValueError(
                f"training.sync_batchnorm = true has no effect: model.kind = {self.model.kind} with model.norm = "
                f"{getattr(self.model, 'norm', None)} has no batch norms"
            )
        if self.resources.workers < 2 or not self.resources.gpus:
            raise ValueError(
                "training.sync_batchnorm = true needs resources.workers of 2 or more and resources.gpus of 1 or more, "
                f"for torch's SyncBatchNorm works between GPUs alone; found resources.workers = "
                f"{self.resources.workers} and resources.gpus = {self.resources.gpus:g}"
            )
        return self

    @model_validator(mode="after")
    def _warmup_ends(self) -> Self:
        """Refuse a warm-up that was set and is too long; the default becomes half of the training."""
        epochs = self.training.epochs
        if self.optim.warmup_epochs < epochs:
            return self
        if "warmup_epochs" in self.optim.model_fields_set:
            raise ValueError(
                f"optim.warmup_epochs = {self.optim.warmup_epochs} must be below training.epochs = {epochs}"
            )
        # Sections are frozen for their users; this one is not complete before its validators have run.
        object.__setattr__(self, "optim", self.optim.model_copy(update={"warmup_epochs": epochs / 2}))
        return self

    @model_validator(mode="after")
    def _objective_has_its_masks(self) -> Self:
        needs = [*mask_needs(self.objective), *(["data.mask_subset"] if self.data.mask_subset else [])]
        without = without_masks(self.data)
        if needs and without:
            raise ValueError(
                f"{' and '.join(needs)} {'needs' if len(needs) == 1 else 'need'} masks, and "
                f"{without} has none; data sets with masks: {', '.join(sorted(KINDS_WITH_MASKS))}, and with data.masks "
                "image_folder and table"
            )
        return self

    @model_validator(mode="after")
    def _objective_takes_the_labels(self) -> Self:
        check_labels(self.data, self.objective)
        return self

    @model_validator(mode="after")
    def _images_have_partners(self) -> Self:
        micro_batches = max(1, self.resources.workers) * self.training.accumulate
        for name in ("cutmix", "background_swap"):
            if getattr(self.objective, name, None) is not None and self.training.batch_size == micro_batches:
                raise ValueError(
                    f"objective.{name} needs two images to mix, and training.batch_size = {self.training.batch_size} "
                    "leaves one in each micro-batch, of which there are resources.workers = "
                    f"{self.resources.workers} (at least 1) times training.accumulate = {self.training.accumulate}"
                )
        return self

    @model_validator(mode="after")
    def _embedding_can_be_trained_and_classified(self) -> Self:
        check_embedding(self.objective, self.data, self.model, self.training, self.evaluation)
        return self

    @model_validator(mode="after")
    def _fine_tuning_takes_effect(self) -> Self:
        check_recipe(self.data, self.objective, self.optim, self.training)
        return self

    @model_validator(mode="after")
    def _map_has_cells(self) -> Self:
        if self.model.cam_stride is not None and self.data.image_size < 2 * self.model.cam_stride:
            raise ValueError(
                f"data.image_size = {self.data.image_size} leaves a map of less than 2 x 2 cells at "
                f"model.cam_stride = {self.model.cam_stride}; lower the stride or enlarge the images"
            )
        return self
