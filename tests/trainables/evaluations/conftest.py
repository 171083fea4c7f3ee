"""Networks and images whose metrics are worked out by hand."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from trainables.data import Batch, DataBundle, Draw
from trainables.evaluations import EvaluationContext
from trainables.models import Classifier


def linear_classifier(weight_KF: Sequence[Sequence[float]], *, trunk: nn.Module | None = None) -> Classifier:
    """Return a network whose features are the image itself, or what `trunk` makes of it."""
    weight = torch.tensor(weight_KF)
    head = nn.Linear(weight.shape[1], len(weight), bias=False)
    model = Classifier(nn.Identity() if trunk is None else trunk, head)
    with torch.no_grad():
        head.weight.copy_(weight)
    model.mean.zero_()
    model.std.fill_(1)
    return model.eval()


class Images:
    """A data set in memory."""

    num_skipped = 0

    def __init__(
        self,
        images_NCHW: Tensor,
        labels: Sequence[int],
        background_NHW: Tensor,
        has_mask: Sequence[bool],
        *,
        targets_NK: Tensor | None = None,
        classes_NHW: Tensor | None = None,
    ) -> None:
        self.class_names: tuple[str, ...] = ("red", "green")
        self.targets_NK = targets_NK
        self._classes_NHW = classes_NHW
        self._images_NCHW = images_NCHW
        self._labels_N = torch.tensor(labels)
        self._background_NHW = background_NHW
        self._has_mask_N = torch.tensor(has_mask)

    def __len__(self) -> int:
        return len(self._labels_N)

    def __getitems__(self, draws: list[Draw]) -> Batch:
        indices = [draw.index for draw in draws]
        return Batch(
            images_BCHW=self._images_NCHW[indices],
            labels_B=self._labels_N[indices],
            background_BHW=self._background_NHW[indices],
            has_mask_B=self._has_mask_N[indices],
            ids=tuple(f"image-{index}" for index in indices),
            targets_BK=None if self.targets_NK is None else self.targets_NK[indices],
            classes_BHW=None if self._classes_NHW is None else self._classes_NHW[indices],
        )

    def digest(self) -> str:
        return "0" * 16

    @property
    def batch(self) -> Batch:
        return self[0 : len(self)]

    def __getitem__(self, positions: slice) -> Batch:
        return self.__getitems__([Draw(index, 0) for index in range(len(self))[positions]])


class OfPatients(Images):
    """Images of which the first two are of one patient."""

    numbers: Sequence[int] = (0, 0, 1, 2)

    def __init__(self, images: Images) -> None:
        self.__dict__ |= vars(images)

    def sources(self) -> Tensor:
        return torch.tensor(self.numbers)

    def sources_by_id(self) -> dict[str, int]:
        return dict(zip(self.batch.ids, self.sources().tolist(), strict=True))


RED_OR_GREEN = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
"""Class 0 scores the mean of red, class 1 that of green, so CC_(0,1) = (red - green) / 4 on images of 2 x 2."""


def four_images(has_mask: Sequence[bool] = (True, True, False, True)) -> Images:
    """Return images of 2 x 2 pixels.

    | image | label | CC against the other class | object          | influence fg | bg   | logits      |
    |---------|-------|----------------------------|-----------------|--------------|------|-------------|
    | 0       | 0     | [[1/4, 0], [0, -1/4]]      | top left        | 1/4          | 1/4  | 1/4, 1/4    |
    | 1       | 0     | all 1/4                    | bottom right    | 1/4          | 3/4  | 1, 0        |
    | 2       | 1     | all -1/4                   | (none)          |              |      | 1, 0        |
    | 3       | 1     | [[1/4, 0], [0, 0]]         | half a cell     | 1/8          | 1/8  | 0, 1/4      |
    """
    images = torch.zeros(4, 3, 2, 2)
    images[0, 0, 0, 0] = images[0, 1, 1, 1] = 1
    images[1, 0] = images[2, 0] = 1
    images[3, 1, 0, 0] = 1
    images[:, 2] = 0.7  # Blue speaks for no class.
    background = torch.tensor(
        [[[0.0, 1.0], [1.0, 1.0]], [[1.0, 1.0], [1.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]], [[0.5, 1.0], [1.0, 1.0]]]
    )
    return Images(images, [0, 0, 1, 1], background, has_mask)


RED_GREEN_OR_BLUE = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]
"""Classes 0 to 2 score the mean of their colour; class 3, which no image shows, scores nothing."""


def several_labels() -> Images:
    """Return images of 2 x 2 pixels with several labels each; the maps of a class are its colour by 4.

    | image | red              | green            | blue             | classes          | logits            |
    |---------|------------------|------------------|------------------|------------------|-------------------|
    | 0       | [[4, 0], [0, 0]] | [[0, 2], [2, 0]] | [[-4, 0],[0, 0]] | [[1, 2], [0, 0]] | 1, 1, -1, 0       |
    | 1       | [[0, 0], [4, 4]] | [[0, 0], [0,-8]] | [[0, 0], [0, 8]] | [[1, 1], [255,0]]| 2, -2, 2, 0       |
    | 2       | [[-4,0], [0, 0]] | [[0, 0], [0, 0]] | [[1, 1], [1, 1]] | [[3, 3], [3, 1]] | -1, 0, 1, 0       |
    | 3       | [[8, 8], [0, 0]] | [[4, 0], [0, 0]] | [[0, 0], [0, 0]] | [[0, 0],[0, 255]]| 4, 1, 0, 0        |
    """
    colours = [
        [[4, 0, 0, 0], [0, 2, 2, 0], [-4, 0, 0, 0]],
        [[0, 0, 4, 4], [0, 0, 0, -8], [0, 0, 0, 8]],
        [[-4, 0, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1]],
        [[8, 8, 0, 0], [4, 0, 0, 0], [0, 0, 0, 0]],
    ]
    classes = torch.tensor([[1, 2, 0, 0], [1, 1, 255, 0], [3, 3, 3, 1], [0, 0, 0, 255]], dtype=torch.uint8)
    targets = torch.tensor([[1.0, 1, 0, 0], [1, 0, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]])
    has_mask = [True, True, True, False]
    images = Images(
        torch.tensor(colours, dtype=torch.float32).view(4, 3, 2, 2),
        [0, 0, 2, 1],
        (classes.view(4, 2, 2) == 0).float() * torch.tensor(has_mask).view(4, 1, 1),
        has_mask,
        targets_NK=targets,
        classes_NHW=classes.view(4, 2, 2),
    )
    images.class_names = ("red", "green", "blue", "none")
    return images


def context_of(
    model: Classifier, images: Images, *, shift: Mapping[str, Images] | None = None, **options: Any
) -> EvaluationContext:
    data = DataBundle(
        train=images,
        val=images,
        test=images,
        train_unaugmented=images,
        class_names=images.class_names,
        shift=shift or {},
        several_labels=images.targets_NK is not None,
    )
    return EvaluationContext(model=model, data=data, device=torch.device("cpu"), batch_size=3, **options)


@pytest.fixture
def red_or_green() -> Classifier:
    return linear_classifier(RED_OR_GREEN)
