import math

import pytest
import torch
from torch import Tensor

from tests.trainables.evaluations.conftest import Images, context_of, four_images
from tests.trainables.evaluations.extremes import extreme_context, object_reader
from trainables.config import Suite
from trainables.evaluations import NotPossibleError
from trainables.evaluations.masked_sample import accuracies, hits, masked_sample
from trainables.models import Classifier


def test_images_without_a_mask_or_an_object_are_left_out_and_counted(red_or_green: Classifier) -> None:
    """Image 2 has no mask, and image 1 is made all background."""
    images = four_images()
    images._background_NHW[1] = 1
    sample = masked_sample(context_of(red_or_green, images, settings=Suite(seed=3)))
    assert sample.ids == ("image-0", "image-3")
    assert sample.labels_N.tolist() == [0, 1]
    assert sample.indices.tolist() == [0, 1]
    assert torch.equal(sample.images_NCHW, images.batch.images_BCHW[[0, 3]])
    assert sample.object_NHW.tolist() == [[[1, 0], [0, 0]], [[0.5, 0], [0, 0]]]
    assert sample.settings == {"seed": 3, "num_pictures": 2, "num_without_mask": 2}


@pytest.mark.parametrize("background", [0.0, 1.0])
def test_no_object_at_all_is_said(red_or_green: Classifier, background: float) -> None:
    images = Images(torch.zeros(2, 3, 2, 2), [0, 1], torch.full((2, 2, 2), background), [background == 1] * 2)
    with pytest.raises(NotPossibleError, match="none of the 2 sampled images has a mask that shows an object"):
        masked_sample(context_of(red_or_green, images))


def test_hits_are_of_the_changed_images_by_their_own_labels(red_or_green: Classifier) -> None:
    """Red for all: images 0 and 1 have the label red, 2 and 3 green; batches hold three."""
    images = four_images(has_mask=[True] * 4)
    context = context_of(red_or_green, images)
    red_1311 = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1)
    asked: list[Tensor] = []

    def change(indices_B: Tensor) -> Tensor:
        asked.append(indices_B)
        return red_1311.expand(len(indices_B), 3, 2, 2)

    result = hits(context, masked_sample(context), change, torch.tensor([3, 1, 0, 2]))
    assert result.tolist() == [False, True, True, False]
    assert [indices_B.tolist() for indices_B in asked] == [[3, 1, 0], [2]]


def test_accuracies_are_named_and_nan_where_a_change_is_shown_nothing(red_or_green: Classifier) -> None:
    ticks: list[tuple[int, int]] = []
    context = context_of(red_or_green, four_images(), tick=lambda done, total: ticks.append((done, total)))
    sample = masked_sample(context)

    def same(indices_B: Tensor) -> Tensor:
        return sample.images_NCHW[indices_B]

    result = accuracies(context, sample, {"all": (same, sample.indices), "none": (same, sample.indices[:0])})
    assert result.metrics["all"] == 1
    assert math.isnan(result.metrics["none"])
    assert result.samples == {"all": dict.fromkeys(sample.ids, 1.0), "none": {}}
    assert ticks == [(1, 2), (2, 2)]


def test_the_sample_depends_on_the_seed_and_has_the_size_asked_for() -> None:
    def ids(seed: int) -> tuple[str, ...]:
        return extreme_context(object_reader(), sample=20, seed=seed).sampled.ids

    assert ids(0) == ids(0) != ids(1)
    assert len(set(ids(0))) == 20
