"""Milliseconds and peak memory of the contrastive cross-entropy alone, forward and backward, against its plain form:
maps by one einsum, masks applied to their contrasts, and autograd. Features are those of a ResNet-50 on 224 px images,
batch 16, one thread. The object is a square in the middle. "Paired" is the median ratio of steps taken one after the
other. Memory is what a step allocates beyond features and weights.

It needs torch alone, without Ray and MLflow, so that it also runs on a bare GPU machine: `--device cuda`.
"""

import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.harness.peak_memory import peak_bytes
from benchmarks.harness.rows import Figure, benchmark
from benchmarks.harness.timing import interleaved, paired_ratio
from trainables.cams import reduce_background
from trainables.losses import contrastive_cross_entropy

BATCH_SIZE = 16
FEATURES = 2048
IMAGE_SIZE = 224
MIB = 2**20


class Case(NamedTuple):
    """A head and the images that it sees."""

    num_classes: int
    stride: int
    """Of the map, in pixels."""
    object_side: float
    """Of the object, as a share of the image's side."""

    def __str__(self) -> str:
        area = round(100 * self.object_side**2)
        return f"{self.num_classes} classes, a map of stride {self.stride}, {area} % object"


CASES = (
    Case(919, 16, 0.5),
    Case(919, 16, 0.7),
    Case(919, 32, 0.7),
    Case(37, 16, 0.7),
    Case(37, 32, 0.7),
    Case(2, 16, 0.7),
    Case(2, 32, 0.7),
)

Arguments = tuple[Tensor, Tensor, Tensor, Tensor]
"""features_BFHW, weight_KF, labels_B and background_BHW."""
Loss = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


def plain_loss(features_BFHW: Tensor, weight_KF: Tensor, labels_B: Tensor, background_BHW: Tensor) -> Tensor:
    """Return the contrastive cross-entropy as its definition reads."""
    cams_BKHW = torch.einsum("kf,bfhw->bkhw", weight_KF, features_BFHW) / background_BHW[0].numel()
    own_B1HW = torch.take_along_dim(cams_BKHW, labels_B.view(-1, 1, 1, 1), dim=1)
    contrastive_BKHW, background_B1HW = own_B1HW - cams_BKHW, background_BHW.unsqueeze(1)
    on_object_BK = ((1 - background_B1HW) * contrastive_BKHW).sum((2, 3))
    ablated_BK = (background_B1HW * contrastive_BKHW).abs().sum((2, 3)) - on_object_BK
    return functional.cross_entropy(ablated_BK, labels_B, reduction="none")


SIDES: dict[str, Loss] = {"ours": contrastive_cross_entropy, "plain": plain_loss}


def problem(case: Case, device: torch.device) -> Arguments:
    generator = torch.Generator().manual_seed(0)
    size = (IMAGE_SIZE // case.stride,) * 2
    rim = round(IMAGE_SIZE * (1 - case.object_side) / 2)
    image_BHW = torch.ones(BATCH_SIZE, IMAGE_SIZE, IMAGE_SIZE)
    image_BHW[:, rim:-rim, rim:-rim] = 0
    return (
        torch.randn(BATCH_SIZE, FEATURES, *size, generator=generator).relu_().to(device).requires_grad_(),
        (torch.randn(case.num_classes, FEATURES, generator=generator) / FEATURES**0.5).to(device).requires_grad_(),
        torch.randint(case.num_classes, (BATCH_SIZE,), generator=generator).to(device),
        reduce_background(image_BHW, size).to(device),
    )


def step_seconds(loss: Loss, arguments: Arguments) -> float:
    """Go forward and backward once and return the seconds; leave no gradient."""
    started = time.perf_counter()
    loss(*arguments).mean().backward()  # type: ignore[no-untyped-call]
    if arguments[0].is_cuda:
        torch.cuda.synchronize()
    seconds = time.perf_counter() - started
    for tensor in arguments:
        tensor.grad = None
    return seconds


def figures_of(case: Case, device: torch.device, *, repetitions: int) -> list[Figure]:
    arguments = problem(case, device)
    steps = {name: partial(step_seconds, loss, arguments) for name, loss in SIDES.items()}
    seconds = interleaved(steps, repetitions=repetitions, warmup=3)
    paired = paired_ratio(seconds["ours"], seconds["plain"])
    memory = {name: peak_bytes(step, device) / MIB for name, step in steps.items()}
    against = "plain form"
    return [
        Figure(
            figure=f"{case}: time",
            value=1000 * median(seconds["ours"]),
            unit="ms",
            against=against,
            counterpart=1000 * median(seconds["plain"]),
        ),
        Figure(figure=f"{case}: time, paired", value=paired, unit="times the plain form"),
        Figure(
            figure=f"{case}: peak memory",
            value=memory["ours"],
            unit="MiB",
            against=against,
            counterpart=memory["plain"],
        ),
    ]


def main() -> None:
    device_option = ("--device", {"default": "cpu", "help": "cpu, or cuda"})
    run = benchmark(__file__, __doc__, device_option)
    torch.set_num_threads(1)
    device = torch.device(run.arguments.device)
    cases, repetitions = (CASES[-1:], 2) if run.quick else (CASES, 30)
    run.publish([row for case in cases for row in figures_of(case, device, repetitions=repetitions)])


if __name__ == "__main__":
    main()
