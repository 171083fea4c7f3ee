"""Seconds of a training step with each setting of fine-tuning, against the same step with none. A step reads its
images, augments them, goes forward and backward, and updates the weights. The network is an EfficientNet-Lite0 on 160
px images, with batch 32 and two threads. "Paired" is the median ratio of steps taken one after the other. Memory is
what a step allocates beyond weights.

It needs torch alone, without Ray and MLflow.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import torch

from benchmarks.harness.peak_memory import peak_bytes
from benchmarks.harness.rows import Figure, benchmark
from benchmarks.harness.timing import interleaved, paired_ratio
from benchmarks.loader_throughput import write_images
from trainables.config import experiment_from_tree, override
from trainables.training.step_time import stepper

NETWORK = {"kind": "timm", "name": "tf_efficientnet_lite0"}
BASE: dict[str, Any] = {
    "data": {"kind": "hard_imagenet", "image_size": 160},
    "model": NETWORK,
    "training": {"batch_size": 32},
}
PLAIN, CHECKPOINTED = "plain", "gradient checkpointing"
CONTRASTIVE = {"objective.kind": "contrastive"}
RECIPES: dict[str, dict[str, Any]] = {
    PLAIN: {},
    "all stages frozen": {"training.freeze.stages": "all"},
    "three stages frozen": {"training.freeze.stages": 3},
    "layer decay": {"optim.layer_decay": 0.7, "optim.head_multiplier": 10},
    "label smoothing": {"objective.label_smoothing": 0.1},
    "contrastive": CONTRASTIVE,
    "contrastive, label smoothing": {**CONTRASTIVE, "objective.label_smoothing": 0.1},
    "guidance, energy": {"objective.guidance": {"weight": 1}},
    "RRR": {"objective.rrr": {"weight": 0.1}},
    "objects alone": {"objective.object_only": {}},
    "background swap": {"objective.background_swap": {}},
    "class weights and balanced sampling": {
        "objective.class_weights": "balanced",
        "training.sampling": "class_balanced",
    },
    "RandAugment": {"data.augmentation.rand_augment": {}},
    "colour jitter": {"data.augmentation.color_jitter": {}},
    "random erasing": {"data.augmentation.random_erasing": {}},
    "channels last": {"training.channels_last": True},
    CHECKPOINTED: {"training.gradient_checkpointing": True},
}
CPU, THREADS = torch.device("cpu"), 2
MIB = 2**20


def main() -> None:
    run = benchmark(__file__, __doc__)
    torch.set_num_threads(1 if run.quick else THREADS)
    quick = {"data.image_size": 64, "training.batch_size": 4, "model": {"kind": "small_cnn"}} if run.quick else {}
    with tempfile.TemporaryDirectory() as root:
        write_images(Path(root), 8 if run.quick else 128)
        base = override(BASE, {"data.root": root, "data.validation.source": "held_out", **quick})
        configs = {name: experiment_from_tree(override(base, settings)) for name, settings in RECIPES.items()}
        steps = {name: stepper(config, CPU) for name, config in configs.items()}
        seconds = interleaved(steps, repetitions=1 if run.quick else 9, warmup=0 if run.quick else 2)
        memory = {name: peak_bytes(steps[name], CPU) / MIB for name in (PLAIN, CHECKPOINTED)}
    run.publish([*time_figures(seconds), memory_figure(memory)])


def time_figures(seconds: dict[str, list[float]]) -> Iterator[Figure]:
    """Yield the seconds of every setting next to those without, and the paired ratio of both."""
    plain = seconds[PLAIN]
    for name in (name for name in seconds if name != PLAIN):
        yield Figure(
            figure=f"{name}: time",
            value=median(seconds[name]),
            unit="s",
            against="plain fine-tuning",
            counterpart=median(plain),
        )
        paired = paired_ratio(seconds[name], plain)
        yield Figure(figure=f"{name}: time, paired", value=paired, unit="times plain fine-tuning")


def memory_figure(memory: dict[str, float]) -> Figure:
    return Figure(
        figure=f"{CHECKPOINTED}: peak memory",
        value=memory[CHECKPOINTED],
        unit="MiB",
        against="plain fine-tuning",
        counterpart=memory[PLAIN],
    )


if __name__ == "__main__":
    main()
