"""What the tests of published data sets share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from tests.trainables.set_trees import WRITERS
from trainables.config import experiment_from_tree
from trainables.data import Batch, DataBundle, Draw, ImageSet, build_data

Read = Callable[..., DataBundle]


def fetch(images: ImageSet, *indices: int) -> Batch:
    """Return images in their order, all of them by default."""
    return images.__getitems__([Draw(index, 0) for index in indices or range(len(images))])


def rows(images: ImageSet) -> list[tuple[str, str]]:
    """Return the id of each image and the name of its class."""
    batch = fetch(images)
    return [(id_, images.class_names[label]) for id_, label in zip(batch.ids, batch.labels_B.tolist(), strict=True)]


def background(images: ImageSet, index: int = 0) -> Tensor:
    """Return the background of a whole image, HW, neither cropped nor resized."""
    whole: Any = images
    return whole.whole(index).background_BHW[0]


def groups(images: ImageSet) -> list[str]:
    """Return the name of each image's group."""
    grouped: Any = images
    return [grouped.group_names[group] for group in grouped.groups()]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Reads the data set that was written below `tmp_path`; its settings are those of `data`."""

    def build(**fields: Any) -> DataBundle:
        return build_data(experiment_from_tree({"data": {"root": str(tmp_path), "image_size": 32, **fields}}).data)

    return build


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], dict[str, Any]]:
    """Writes the data set of a kind below `tmp_path` and returns its settings."""
    return lambda kind: WRITERS[kind](tmp_path)
