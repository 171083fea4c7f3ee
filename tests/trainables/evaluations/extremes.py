"""Two networks of opposite habits, and images on which each is perfect: one reads the background, one the object.

An image's background is dark and its object, a rectangle, is bright. On each, one of the three colours is a little
stronger: on the object the class's own, on the background that of the background's class, which in `val` is the same.
Black and grey are no colour, so a network that is left with them has logits of zero and names class 0.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from tests.trainables.evaluations.conftest import linear_classifier
from trainables.config import Suite
from trainables.data import Batch, DataBundle, Draw
from trainables.evaluations import EvaluationContext
from trainables.models import Classifier

CLASS_NAMES = ("red", "green", "blue")
SIZE = 12
OBJECT_AREA = 4 * 6
DARK, BRIGHT, TINT = 0.1, 0.9, 0.02
CHANCE = 1 / len(CLASS_NAMES)


class ExtremeSet:
    """Images of the given classes on backgrounds of the given classes; the object's place changes with the index."""

    class_names = CLASS_NAMES
    group_names = tuple(f"{name} on {other}" for name in CLASS_NAMES for other in ("its own", "another"))
    group_uncommon: tuple[tuple[str, ...], ...] = ()
    num_skipped = 0

    def __init__(self, labels: Sequence[int], backgrounds: Sequence[int], *, grouped: bool = True) -> None:
        self.labels_N, self.backgrounds_N = torch.tensor(labels), torch.tensor(backgrounds)
        self._grouped = grouped

    def __len__(self) -> int:
        return len(self.labels_N)

    def __getitems__(self, draws: list[Draw]) -> Batch:
        indices_B = torch.tensor([draw.index for draw in draws])
        object_BHW = torch.zeros(len(draws), SIZE, SIZE)
        for object_HW, index in zip(object_BHW, indices_B.tolist(), strict=True):
            top, left = index % 8, index % 7
            object_HW[top : top + 4, left : left + 6] = 1
        labels_B, object_B1HW = self.labels_N[indices_B], object_BHW.unsqueeze(1)
        bright_B311, dark_B311 = _colour(BRIGHT, labels_B), _colour(DARK, self.backgrounds_N[indices_B])
        return Batch(
            images_BCHW=torch.where(object_B1HW > 0, bright_B311, dark_B311),
            labels_B=labels_B,
            background_BHW=1 - object_BHW,
            has_mask_B=torch.ones(len(draws), dtype=torch.bool),
            ids=tuple(f"extreme-{index}" for index in indices_B.tolist()),
        )

    def digest(self) -> str:
        return "e" * 16

    def groups(self) -> Tensor | None:
        return 2 * self.labels_N + (self.labels_N != self.backgrounds_N) if self._grouped else None


def _colour(brightness: float, classes_B: Tensor) -> Tensor:
    tint_BC = TINT * nn.functional.one_hot(classes_B, len(CLASS_NAMES)).float()
    return (brightness + tint_BC)[:, :, None, None]


class _Tint(nn.Module):
    """How much stronger than the weakest colour each is, up to the usual tint, where pixels are dark or bright."""

    def __init__(self, *, bright: bool) -> None:
        super().__init__()
        self.bright = bright

    def forward(self, images_BCHW: Tensor) -> Tensor:
        low_B1HW, high_B1HW = images_BCHW.amin(1, keepdim=True), images_BCHW.amax(1, keepdim=True)
        counts_B1HW = low_B1HW > 0.5 if self.bright else high_B1HW < 0.5
        return (images_BCHW - low_B1HW).clamp(max=TINT) * counts_B1HW


def background_reader() -> Classifier:
    """Return a network that sees dark pixels only."""
    return linear_classifier(torch.eye(3).tolist(), trunk=_Tint(bright=False))


def object_reader() -> Classifier:
    """Return a network that sees bright pixels only."""
    return linear_classifier(torch.eye(3).tolist(), trunk=_Tint(bright=True))


def extreme_data(num: int = 180) -> DataBundle:
    """Return sets with the classes in equal shares.

    In `train` the background's class is another's in one image of ten, in `val` in none, and in the shifted set
    `random_background` in two of three.
    """
    labels = [index % 3 for index in range(num)]
    mostly = [(label + (index // 3 % 10 == 0)) % 3 for index, label in enumerate(labels)]
    turned = [(label + index // 3) % 3 for index, label in enumerate(labels)]
    train = ExtremeSet(labels, mostly)
    held_out = ExtremeSet(labels, labels)
    return DataBundle(
        train=train,
        train_unaugmented=train,
        val=held_out,
        test=held_out,
        shift={"random_background": ExtremeSet(labels, turned)},
        class_names=CLASS_NAMES,
    )


def extreme_context(model: Classifier, *, num: int = 180, batch_size: int = 64, **settings: Any) -> EvaluationContext:
    """Return `model` before the validation set, with the given settings of the suite."""
    return EvaluationContext(
        model=model,
        data=extreme_data(num),
        device=torch.device("cpu"),
        batch_size=batch_size,
        settings=Suite(**settings),
    )
