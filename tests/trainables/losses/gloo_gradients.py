"""The gradient of one step of the learner, alone or as one of several gloo processes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from trainables.config import ExperimentConfig, experiment_from_tree, override
from trainables.data import Batch, build_data, class_weights, strata_of, training_batches
from trainables.models import build_model
from trainables.training.build import build_task
from trainables.training.learner import Learner
from trainables.trial_folder import Row, TrialFolder

T = TypeVar("T")
Gradients = dict[str, Tensor]
CPU = torch.device("cpu")

BASE: dict[str, Any] = {
    "data": {"kind": "spurious_digits", "num_train": 64, "num_test": 32, "image_size": 32},
    "model": {"kind": "small_cnn", "width": 4, "norm": "group", "head_bias": True},
    "training": {"batch_size": 16},
    "resources": {"workers": 2},
}
SKIPPING = "all together, with three unreadable images on one worker"
THAWED = "in the epoch in which frozen stages thaw"
RRR_THAWED = "rrr, in the epoch in which frozen stages thaw"
PARTS: dict[str, dict[str, Any]] = {
    "cross_entropy": {"objective.kind": "cross_entropy"},
    "contrastive": {"objective.kind": "contrastive"},
    "binary_contrastive": {"objective.kind": "binary_contrastive"},
    "binary_cross_entropy": {"objective.kind": "binary_cross_entropy"},
    "divergence over the map": {"objective.kind": "cross_entropy", "objective.divergence.weight": 5.0},
    "divergence on the foreground": {
        "objective.kind": "cross_entropy",
        "objective.divergence": {"weight": 5.0, "where": "foreground", "mask_scale": 50.0},
    },
    "sliced_wasserstein": {"objective.kind": "cross_entropy", "objective.sliced_wasserstein.weight": 50.0},
    "guidance by energy": {"objective.guidance": {"weight": 5.0, "loss": "energy"}},
    "guidance by l1": {"objective.guidance": {"weight": 5.0, "loss": "l1"}},
    "guidance by ppce": {"objective.guidance": {"weight": 5.0, "loss": "ppce"}},
    "guidance by squares": {"objective.guidance": {"weight": 5.0, "loss": "squares"}},
    "rrr": {"objective.rrr.weight": 5.0},
    "rrr of a binary loss, accumulated": {
        "objective": {"kind": "binary_contrastive", "rrr": {"weight": 5.0}},
        "training.accumulate": 2,
    },
    "rrr, computed again": {
        "objective": {"kind": "contrastive", "rrr": {"weight": 5.0}},
        "training.gradient_checkpointing": True,
    },
    RRR_THAWED: {"objective.rrr.weight": 5.0, "training.freeze": {"stages": 3, "epochs": 1}},
    "smoothed": {"objective.kind": "contrastive", "objective.label_smoothing": 0.2},
    "weighted": {"objective.kind": "contrastive", "objective.class_weights": {"1": 3.0, "2": 0.5}},
    "objects alone": {"objective.kind": "contrastive", "objective.object_only.fill": "grey"},
    "balanced": {"objective.kind": "contrastive", "training.sampling": "class_balanced"},
    "computed again": {"objective.kind": "contrastive", "training.gradient_checkpointing": True},
    "group_dro": {
        "data.correlation": 0.5,
        "objective.kind": "contrastive",
        "objective.divergence.weight": 5.0,
        "objective.group_dro": {"step_size": 2.0},
    },
    THAWED: {"objective.kind": "contrastive", "training.freeze": {"stages": "all", "epochs": 1}},
    SKIPPING: {"objective.kind": "contrastive", "objective.divergence.weight": 5.0},
    "all together, accumulated": {
        "objective.kind": "contrastive",
        "objective.divergence.weight": 5.0,
        "training.accumulate": 2,
    },
}


ON_GPUS: dict[str, dict[str, Any]] = {
    "batch norms apart": {"model.norm": "batch", "objective.kind": "contrastive"},
    "batch norms together": {
        "model.norm": "batch",
        "objective.kind": "contrastive",
        "training.sync_batchnorm": True,
        "resources.gpus": 1,
    },
}


@dataclass
class GlooContext:
    """A worker's place, for the learner alone."""

    folder: TrialFolder
    rank: int
    world_size: int
    device: torch.device = CPU

    def wrap(self, model: nn.Module) -> nn.Module:
        devices = [self.device] if self.device.type == "cuda" else None
        return DistributedDataParallel(model, device_ids=devices) if self.world_size > 1 else model

    def gather(self, value: T) -> list[T]:
        values: list[Any] = [None] * self.world_size
        distributed.all_gather_object(values, value)
        return values

    def report(self, row: Row) -> None:
        raise AssertionError(f"a step reports nothing, and this is {row}")


def config_of(overrides: dict[str, Any]) -> ExperimentConfig:
    return experiment_from_tree(override(BASE, overrides))


def share_of_batch(config: ExperimentConfig, rank: int, world_size: int) -> Batch:
    """Return this worker's images of 16, among which classes are absent; every third class has no masks."""
    data = build_data(config.data)
    batches = training_batches(
        data.train,
        batch_size=16,
        seed=0,
        epoch=1,
        strata_N=strata_of(data.train, config.training.sampling),
        class_weights_K=class_weights(getattr(config.objective, "class_weights", None), data.train, data.class_names),
        rank=rank,
        world_size=world_size,
    )
    batch = next(iter(batches))
    has_mask_B = batch.labels_B % 3 > 0
    return replace(batch, has_mask_B=has_mask_B, background_BHW=batch.background_BHW * has_mask_B.view(-1, 1, 1))


def without_skipped(batch: Batch, config: ExperimentConfig) -> Batch:
    """Return the batch less three images of the first of two workers, as if they could not be read."""
    skipped = share_of_batch(config, 0, 2).ids[:3]
    kept = [index for index, image in enumerate(batch.ids) if image not in skipped]
    return Batch(
        batch.images_BCHW[kept],
        batch.labels_B[kept],
        batch.background_BHW[kept],
        batch.has_mask_B[kept],
        ids=tuple(batch.ids[index] for index in kept),
    )


def gradients(name: str, folder: Path, *, rank: int = 0, world_size: int = 1, device: torch.device = CPU) -> Gradients:
    config = config_of({**PARTS, **ON_GPUS}[name])
    torch.manual_seed(0)
    model = build_model(config.model, num_classes=10).model
    context = GlooContext(TrialFolder(folder), rank, world_size, device)
    task = build_task(config, build_data(config.data).train)
    learner = Learner(config, model, task, context, steps_per_epoch=4)
    torch.manual_seed(1)  # The same directions on every worker.
    batch = share_of_batch(config, rank, world_size)
    learner.begin(1)
    learner.step(without_skipped(batch, config) if name == SKIPPING else batch)
    if name in (THAWED, RRR_THAWED):
        learner.begin(2)
        learner.step(batch)
    return {name: parameter.grad.cpu() for name, parameter in model.named_parameters() if parameter.grad is not None}


def run_worker(
    rank: int, world_size: int, folder: Path, names: Sequence[str] = tuple(PARTS), device: torch.device = CPU
) -> None:
    """Save the named parts' gradients as this worker has them."""
    torch.set_num_threads(1)
    meeting = f"file://{folder / 'meeting'}"
    distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=world_size)
    found = {name: gradients(name, folder, rank=rank, world_size=world_size, device=device) for name in names}
    torch.save(found, folder / f"gradients-{rank}.pt")
    distributed.destroy_process_group()
