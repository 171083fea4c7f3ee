"""Seconds of a training step (forward, backward and AdamW) with each objective and regulariser that uses masks,
against the same step with plain cross-entropy. The network is a ResNet-18 on 224 px images, with batch 8 and two
threads.

It needs torch alone, without Ray and MLflow, so that it also runs on a bare GPU machine: `--device cuda`.
"""

import time
from collections.abc import Callable
from functools import partial
from statistics import median

import torch

from benchmarks.harness.rows import Figure, benchmark
from benchmarks.harness.timing import interleaved
from trainables.config import (
    BinaryContrastive,
    Contrastive,
    CrossEntropy,
    Divergence,
    ObjectiveConfig,
    SlicedWasserstein,
    Torchvision,
)
from trainables.data import Batch
from trainables.losses import Objective, build_objective, reduce_terms
from trainables.models import Classifier, build_model

CASES = ((10, 16), (37, 16), (919, 16), (919, 32))
"""Number of classes and stride of the map; 919 is ImageNet-S."""
OBJECTIVES: dict[str, ObjectiveConfig] = {
    "contrastive": Contrastive(),
    "contrastive + divergence": Contrastive(divergence=Divergence(weight=50)),
    "contrastive + sliced Wasserstein": Contrastive(sliced_wasserstein=SlicedWasserstein(weight=50)),
    "binary contrastive": BinaryContrastive(),
}
BATCH_SIZE = 8
THREADS = 2


def random_batch(num_classes: int, image_size: int, device: torch.device) -> Batch:
    """Return noise with an object in the middle half of each image."""
    background_BHW = torch.ones(BATCH_SIZE, image_size, image_size)
    middle = slice(image_size // 4, 3 * image_size // 4)
    background_BHW[:, middle, middle] = 0
    return Batch(
        images_BCHW=torch.rand(BATCH_SIZE, 3, image_size, image_size),
        labels_B=torch.randint(num_classes, (BATCH_SIZE,)),
        background_BHW=background_BHW,
        has_mask_B=torch.ones(BATCH_SIZE, dtype=torch.bool),
        ids=tuple(map(str, range(BATCH_SIZE))),
    ).to(device)


def step_seconds(model: Classifier, objective: Objective, optimizer: torch.optim.Optimizer, batch: Batch) -> float:
    """Take one training step and return its seconds."""
    started = time.perf_counter()
    optimizer.zero_grad(set_to_none=True)
    reduce_terms(objective(model(batch.images_BCHW), model.head, batch)).backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    if batch.images_BCHW.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - started


def stepper(config: ObjectiveConfig, batch: Batch, *, num_classes: int, cam_stride: int) -> Callable[[], float]:
    """Return a function that takes and times a step of a network of its own; all start from the same weights."""
    torch.manual_seed(0)
    network = Torchvision(kind="resnet18", cam_stride=cam_stride)
    model = build_model(network, num_classes=num_classes).model.to(batch.images_BCHW.device).train()
    return partial(step_seconds, model, build_objective(config), torch.optim.AdamW(model.parameters()), batch)


def main() -> None:
    device_option = ("--device", {"default": "cpu", "help": "cpu, or cuda"})
    run = benchmark(__file__, __doc__, device_option)
    torch.set_num_threads(1 if run.quick else THREADS)
    figures = []
    for num_classes, cam_stride in CASES[:1] if run.quick else CASES:
        batch = random_batch(num_classes, 64 if run.quick else 224, torch.device(run.arguments.device))
        build = partial(stepper, batch=batch, num_classes=num_classes, cam_stride=cam_stride)
        seconds = interleaved(
            {name: build(objective) for name, objective in {"plain": CrossEntropy(), **OBJECTIVES}.items()},
            repetitions=1 if run.quick else 30,
            warmup=0 if run.quick else 3,
        )
        figures += [
            Figure(
                figure=f"{name}: {num_classes} classes, a map of stride {cam_stride}",
                value=median(seconds[name]),
                unit="s",
                against="cross-entropy",
                counterpart=median(seconds["plain"]),
            )
            for name in OBJECTIVES
        ]
    run.publish(figures)


if __name__ == "__main__":
    main()
