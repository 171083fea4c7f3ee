from dataclasses import fields

import pytest
import torch
from torch import Tensor, nn

from tests.trainables.evaluations.conftest import (
    RED_GREEN_OR_BLUE,
    RED_OR_GREEN,
    context_of,
    four_images,
    linear_classifier,
    several_labels,
)
from trainables.config import SmallCnn, SpuriousDigits
from trainables.data import ImageError, build_data
from trainables.evaluations import EvaluationContext, Predictions, predict, run_suite
from trainables.evaluations.predictions import Gather
from trainables.models import Classifier, Output, build_model

CPU = torch.device("cpu")
TENSORS = [field.name for field in fields(Predictions) if field.name not in ("ids", "by_class")]


def test_four_images_by_hand(red_or_green: Classifier) -> None:
    images = four_images()
    result = predict(red_or_green, [images[0:3], images[3:4]], device=CPU)
    torch.testing.assert_close(result.logits_NK, torch.tensor([[0.25, 0.25], [1.0, 0.0], [1.0, 0.0], [0.0, 0.25]]))
    assert result.ids == ("image-0", "image-1", "image-2", "image-3")
    assert result.labels_N.tolist() == [0, 0, 1, 1]
    assert result.correct.tolist() == [True, True, False, True]
    assert result.has_mask_N.tolist() == [True, True, False, True]
    nan = torch.nan
    torch.testing.assert_close(result.foreground_N, torch.tensor([0.25, 0.25, nan, 0.125]), equal_nan=True)
    torch.testing.assert_close(result.background_N, torch.tensor([0.25, 0.75, nan, 0.125]), equal_nan=True)
    assert result.logit_error_N.tolist() == [0, 0, 0, 0]


def test_several_labels_by_hand_and_joined(red_or_green: Classifier) -> None:
    images, nan = several_labels(), torch.nan
    model = linear_classifier(RED_GREEN_OR_BLUE)
    result = predict(model, [images[0:3], images[3:4]], device=CPU)
    assert result.by_class is not None
    targets_NK, foreground_NK, background_NK = result.by_class
    assert torch.equal(targets_NK, torch.tensor([[1.0, 1, 0, 0], [1, 0, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]]))
    expected = [[1, 0.5, nan, nan], [0, nan, nan, nan], [0, nan, 0.75, nan], [nan] * 4]
    torch.testing.assert_close(foreground_NK, torch.tensor(expected), equal_nan=True)
    expected = [[0, 0.5, nan, nan], [1, nan, nan, nan], [1, nan, 0.25, nan], [nan] * 4]
    torch.testing.assert_close(background_NK, torch.tensor(expected), equal_nan=True)
    alone = predict(model, [], device=CPU, gather=lambda own: [own, result])
    assert alone.by_class is not None
    assert torch.equal(alone.by_class.targets_NK, targets_NK)
    assert predict(red_or_green, [four_images().batch], device=CPU).by_class is None


def test_influence_is_summed_over_all_rivals() -> None:
    """Blue is 0.7 everywhere: against the third class CC is (red - 0.7) / 4, and (red - green) / 4 against green."""
    model = linear_classifier([*RED_OR_GREEN, [0.0, 0.0, 1.0]])
    result = predict(model, [four_images()[0:1]], device=CPU)
    torch.testing.assert_close(result.foreground_N, torch.tensor([(1 + 0.3) / 4]))
    torch.testing.assert_close(result.background_N, torch.tensor([(1 + 3 * 0.7) / 4]))


class Shrink(nn.Module):
    """Features at half the resolution."""

    def forward(self, images_BCHW: Tensor) -> Tensor:
        return nn.functional.avg_pool2d(images_BCHW, 2)


def test_the_mask_is_brought_onto_the_map_s_grid() -> None:
    """The map has one cell, of which image 1 has 3/4 background, and image 3 has 7/8."""
    result = predict(linear_classifier(RED_OR_GREEN, trunk=Shrink()), [four_images()[1:2]], device=CPU)
    torch.testing.assert_close((result.foreground_N, result.background_N), (torch.tensor([0.25]), torch.tensor([0.75])))
    result = predict(linear_classifier(RED_OR_GREEN, trunk=Shrink()), [four_images()[3:4]], device=CPU)
    expected = (torch.tensor([0.25 / 8]), torch.tensor([0.25 * 7 / 8]))
    torch.testing.assert_close((result.foreground_N, result.background_N), expected)


class Unfaithful(Classifier):
    """Adds to the logits what no map shows."""

    def forward(self, images_BCHW: Tensor) -> Output:
        output = super().forward(images_BCHW)
        return Output(output.logits + torch.tensor([0.25, -0.5]), output.features)


def test_a_head_s_own_bias_is_part_of_the_certificate(red_or_green: Classifier) -> None:
    model = Classifier(nn.Identity(), nn.Linear(3, 2))
    model.load_state_dict({**red_or_green.state_dict(), "head.bias": torch.tensor([3.0, -2.0])})
    result = predict(model.eval(), [four_images().batch], device=CPU)
    assert result.logit_error_N.max() == 0
    torch.testing.assert_close(result.logits_NK[0], torch.tensor([3.25, -1.75]))


def test_logits_that_the_maps_do_not_sum_to_are_caught(red_or_green: Classifier) -> None:
    model = Unfaithful(red_or_green.trunk, red_or_green.head)
    model.load_state_dict(red_or_green.state_dict())
    images = four_images()
    torch.testing.assert_close(predict(model, [images.batch], device=CPU).logit_error_N, torch.full((4,), 0.5))
    assert run_suite(["accuracy"], context_of(model, images))["val/faithfulness/max_logit_error"] == 0.5


@pytest.mark.parametrize("training", [True, False])
def test_the_network_is_in_eval_mode_and_its_own_mode_is_restored(training: bool) -> None:
    seen = []

    class Spy(nn.Module):
        def forward(self, images_BCHW: Tensor) -> Tensor:
            seen.append((self.training, torch.is_inference_mode_enabled()))
            return images_BCHW

    model = linear_classifier(RED_OR_GREEN, trunk=Spy()).train(training)
    predict(model, [four_images().batch], device=CPU)
    assert seen == [(False, True)]
    assert model.training == model.trunk.training == training


def test_the_mode_is_restored_after_an_error() -> None:
    model = linear_classifier(RED_OR_GREEN, trunk=nn.Conv2d(5, 3, 1)).train()
    with pytest.raises(RuntimeError):
        predict(model, [four_images().batch], device=CPU)
    assert model.training


def test_no_image_is_an_error(red_or_green: Classifier) -> None:
    with pytest.raises(ImageError, match="no image to predict"):
        predict(red_or_green, [], device=CPU)


def test_a_worker_without_an_image_is_joined(red_or_green: Classifier) -> None:
    whole = predict(red_or_green, [four_images().batch], device=CPU)
    result = predict(red_or_green, [], device=CPU, gather=lambda own: [whole, own])
    assert result.ids == whole.ids
    for name in TENSORS:
        torch.testing.assert_close(getattr(result, name), getattr(whole, name), equal_nan=True)


@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_shards_make_up_the_whole(world_size: int) -> None:
    """With 23 images and batches of 5, ranks have shares of unequal length."""
    data = build_data(SpuriousDigits(num_train=10, num_test=23, image_size=32))
    torch.manual_seed(0)
    model = build_model(SmallCnn(width=4), num_classes=10).model

    def run(rank: int, world_size: int, gather: Gather) -> tuple[Predictions, dict[str, float]]:
        context = EvaluationContext(
            model=model,
            data=data,
            device=CPU,
            batch_size=5,
            split="test",
            rank=rank,
            world_size=world_size,
            gather=gather,
        )
        return context.evaluated, run_suite(["accuracy", "influence", "shift"], context)

    shares: list[list[Predictions]] = [[] for _ in range(world_size)]
    for rank, own in enumerate(shares):
        run(rank, world_size, lambda share, own=own: [own.append(share) or share])  # type: ignore[misc]
    results = []
    for rank in range(world_size):
        calls = iter(zip(*shares, strict=True))
        results.append(run(rank, world_size, lambda _, calls=calls: list(next(calls))))  # type: ignore[misc]

    whole, expected = run(0, 1, lambda value: [value])
    order = torch.cat([torch.arange(rank, 23, world_size) for rank in range(world_size)])
    for predictions, metrics in results:
        assert predictions.ids == tuple(whole.ids[index] for index in order)
        for name in TENSORS:
            torch.testing.assert_close(getattr(predictions, name), getattr(whole, name)[order])
        assert metrics == pytest.approx(expected, abs=1e-6)
        assert metrics == results[0][1]
