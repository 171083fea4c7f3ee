"""Batch norms by the statistics of a batch, for a while."""

import pytest
import torch
from timm.layers import BatchNormAct2d
from torch import Tensor, nn

from tests.trainables.evaluations.conftest import RED_OR_GREEN, Images, context_of, linear_classifier
from trainables.evaluations import EvaluationContext
from trainables.evaluations.gap.batch_statistics import BATCH, batch_norms, by_batch_statistics, logits_by_batch
from trainables.models.norms import StoredNorm

NUM = 2 * BATCH + 6


def too_red(norm: nn.Module, num: int = NUM) -> EvaluationContext:
    """Return images of half red and half green, in the order of their classes, all of which have more red by 9."""
    labels = [0] * (num // 2) + [1] * (num - num // 2)
    images = torch.zeros(num, 3, 2, 2)
    for image, label in zip(images, labels, strict=True):
        image[label] = 1
        image[0] += 9
    return context_of(linear_classifier(RED_OR_GREEN, trunk=norm), Images(images, labels, images[:, 0], [True] * num))


NORMS = {
    "torch": lambda: nn.BatchNorm2d(3, affine=False),
    "timm": lambda: BatchNormAct2d(3, affine=False, apply_act=False),
}


@pytest.mark.parametrize("name", NORMS)
def test_a_shift_of_all_images_is_gone_by_batch_statistics(name: str) -> None:
    context = too_red(NORMS[name]())
    batch, before = context.images.__getitems__([*context.draws(context.images, NUM)]), state(context)
    assert context.logits(batch.images_BCHW).argmax(1).tolist() == [0] * NUM
    assert torch.equal(logits_by_batch(context, batch.images_BCHW).argmax(1), batch.labels_B)
    assert context.logits(batch.images_BCHW).argmax(1).tolist() == [0] * NUM
    assert all(torch.equal(value, before[key]) for key, value in state(context).items())
    assert not any(module.training for module in context.model.modules())


def state(context: EvaluationContext) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in context.model.state_dict().items()}


def test_the_batches_depend_on_the_seed_alone() -> None:
    context = too_red(nn.BatchNorm2d(3, affine=False))
    images = torch.rand(NUM, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    assert torch.equal(logits_by_batch(context, images), logits_by_batch(context, images))


def test_norms_without_statistics_of_their_own_and_stored_ones_are_none() -> None:
    network = nn.Sequential(
        nn.BatchNorm2d(3, track_running_stats=False), StoredNorm(3, eps=1e-5, momentum=0.1), nn.GroupNorm(1, 3)
    )
    assert batch_norms(network) == []


def test_an_error_leaves_the_norms_as_they_were() -> None:
    norm = nn.BatchNorm2d(3).eval()
    with pytest.raises(ValueError, match="more than 1 value"), by_batch_statistics([norm]):
        norm(torch.zeros(1, 3, 1, 1))
    assert (norm.training, norm.track_running_stats) == (False, True)
    assert norm(torch.ones(1, 3, 1, 1)).isfinite().all()
