import math
from dataclasses import replace
from typing import cast

import pytest
import torch

from tests.trainables.evaluations.conftest import context_of, four_images
from tests.trainables.evaluations.extremes import (
    ExtremeSet,
    background_reader,
    extreme_context,
    extreme_data,
    object_reader,
)
from trainables.config import SmallCnn, SpuriousDigits
from trainables.data import Batch, Draw, build_data
from trainables.data.spurious_digits import DigitSet
from trainables.evaluations import EvaluationContext, NotPossibleError, run_suite
from trainables.evaluations.groups import (
    GROUPS,
    adjusted_accuracy,
    adjusted_size,
    group_accuracies,
    worst_group,
    worst_group_size,
)
from trainables.evaluations.predictions import Predictions
from trainables.models import Classifier, build_model
from trainables.standard_error import standard_error

CPU = torch.device("cpu")


def test_accuracies_by_hand() -> None:
    """Group 0 has 2 of 3, group 1 0 of 1, group 2 no image, group 3 1 of 1."""
    hits = torch.tensor([True, False, True, False, True])
    accuracies = group_accuracies(hits, torch.tensor([0, 0, 0, 1, 3]), 4)
    assert accuracies.tolist() == pytest.approx([2 / 3, 0, math.nan, 1], nan_ok=True)
    assert worst_group(accuracies) == 0


def test_the_size_is_that_of_the_smallest_of_the_worst_groups() -> None:
    """A group without images is not the worst."""
    accuracies, sizes = torch.tensor([0.5, 0.25, 0.25, math.nan]).double(), torch.tensor([2, 8, 4, 0])
    assert worst_group_size(accuracies, sizes) == 4
    assert worst_group_size(accuracies[:2], sizes[:2]) == 8


def test_the_adjusted_accuracy_weighs_groups_as_training_has_them() -> None:
    """Waterbirds' own proportions: 0.9 * 0.73 + 0.7 * 0.038 + 0.5 * 0.012 + 0.8 * 0.22."""
    accuracies = torch.tensor([0.9, 0.7, 0.5, 0.8]).double()
    proportions = torch.tensor([0.73, 0.038, 0.012, 0.22]).double()
    assert adjusted_accuracy(accuracies, proportions) == pytest.approx(0.8656)


def test_a_group_without_images_is_left_out_of_the_weights() -> None:
    accuracies = torch.tensor([0.5, math.nan, 1.0]).double()
    assert adjusted_accuracy(accuracies, torch.tensor([0.6, 0.2, 0.2]).double()) == pytest.approx(0.5 / 0.8)
    assert worst_group(accuracies) == 0.5


def test_groups_that_training_lacks_have_no_weight_but_can_be_the_worst() -> None:
    accuracies = torch.tensor([0.75, 0.25]).double()
    assert adjusted_accuracy(accuracies, torch.tensor([1.0, 0.0]).double()) == 0.75
    assert math.isnan(adjusted_accuracy(accuracies[1:], torch.zeros(1).double()))
    assert worst_group(accuracies) == 0.25


def test_of_one_group_the_size_is_its_own_number() -> None:
    """Groups without images, or that training lacks, do not count."""
    accuracies = torch.tensor([0.75, math.nan, 0.0]).double()
    proportions = torch.tensor([0.5, 0.5, 0.0]).double()
    assert adjusted_size(accuracies, torch.tensor([40.0, 0.0, 8.0]), proportions) == pytest.approx(40)
    assert math.isnan(adjusted_size(accuracies[2:], torch.tensor([8.0]), proportions[2:]))


@pytest.mark.parametrize("accuracies", [[0.75, 0.25], [1.0, 0.0], [1.0, 1.0], [0.5, 0.5]])
def test_a_plain_accuracy_of_the_size_has_the_error_of_the_weighted_mean(accuracies: list[float]) -> None:
    """`sqrt(0.8^2 e_1^2 + 0.2^2 e_2^2)`, with the errors of 36 images and of 4."""
    accuracies_G, num_G, proportions_G = torch.tensor([accuracies, [36.0, 4.0], [0.8, 0.2]], dtype=torch.float64)
    expected = math.hypot(0.8 * standard_error(accuracies[0], 36), 0.2 * standard_error(accuracies[1], 4))
    size = adjusted_size(accuracies_G, num_G, proportions_G)
    assert standard_error(adjusted_accuracy(accuracies_G, proportions_G), size) == pytest.approx(expected, rel=1e-9)


def test_a_small_group_of_large_weight_costs_images() -> None:
    """`0.5^2 (0.25 / 36000 + 0.25 / 4000) = 0.25 / 14400`, by the normal errors that Wilson's are close to."""
    accuracies, proportions = torch.tensor([0.5, 0.5]).double(), torch.tensor([0.5, 0.5]).double()
    size = adjusted_size(accuracies, torch.tensor([36_000.0, 4_000.0]).double(), proportions)
    assert size == pytest.approx(14_400, rel=1e-3)


def test_a_network_that_reads_the_background_alone_fails_the_groups_without_it() -> None:
    """In training the background is the class's own in nine images of ten."""
    result = GROUPS.run(extreme_context(background_reader()))
    assert result.metrics["worst_group_accuracy"] == 0
    assert result.metrics["worst_group_size"] == 40
    assert result.metrics["group_adjusted_accuracy"] == pytest.approx(0.9)


def test_a_network_that_reads_the_object_alone_is_right_in_every_group() -> None:
    """Of n images that are all right, the error is `1 / (2 (n + 1))`."""
    result = GROUPS.run(extreme_context(object_reader()))
    assert result.metrics == {
        "worst_group_accuracy": 1,
        "worst_group_size": 40,
        "group_adjusted_accuracy": pytest.approx(1),
        "group_adjusted_size": pytest.approx(1 / math.hypot(*[0.3 / 81] * 3, *[0.1 / 3 / 41] * 3) - 1),
    }


def test_sets_are_pooled_and_listed_by_group() -> None:
    """A class has 60 images in `val`, all on their own background, and 60 in the shifted set, a third of them so."""
    result = GROUPS.run(extreme_context(background_reader()))
    assert result.settings["sets"] == ["val", "shift/random_background"]
    assert result.settings["num_by_group"] == {
        f"{name} on {other}": number
        for name in ("red", "green", "blue")
        for other, number in (("its own", 80), ("another", 40))
    }
    assert result.settings["training_share"]["blue on another"] == pytest.approx(0.1 / 3)
    assert result.settings["accuracy"]["red on its own"] == 1
    assert result.settings["accuracy"]["red on another"] == 0


def test_a_set_that_has_no_groups_is_left_out() -> None:
    data = extreme_data(30)
    wrong = ExtremeSet([0] * 9, [1] * 9, grouped=False)
    context = replace(extreme_context(object_reader(), num=30), data=replace(data, shift={"other": wrong}))
    result = GROUPS.run(context)
    assert result.settings["sets"] == ["val"]
    assert result.settings["num_by_group"]["red on another"] == 0
    assert result.metrics["group_adjusted_accuracy"] == 1


@pytest.mark.parametrize("lacking", ["train", "others"])
def test_groups_are_needed_in_training_and_elsewhere(lacking: str) -> None:
    data, without = extreme_data(30), ExtremeSet([0, 1, 2], [0, 1, 2], grouped=False)
    data = (
        replace(data, train=without)
        if lacking == "train"
        else replace(data, val=without, test=without, shift={"s": without})
    )
    with pytest.raises(NotPossibleError, match="no groups"):
        GROUPS.run(replace(extreme_context(object_reader(), num=30), data=data))


def test_images_that_know_nothing_of_groups_have_none(red_or_green: Classifier) -> None:
    with pytest.raises(NotPossibleError, match="the training set, or every set to measure, has no groups"):
        GROUPS.run(context_of(red_or_green, four_images()))


class Gappy(ExtremeSet):
    """Its third image cannot be read."""

    def __getitems__(self, draws: list[Draw]) -> Batch:
        return super().__getitems__([draw for draw in draws if draw.index != 2])


def test_groups_of_skipped_images_are_not_given_to_others() -> None:
    data = replace(extreme_data(30), val=Gappy([0, 1, 2, 0], [0, 1, 2, 0]), shift={})
    with pytest.raises(NotPossibleError, match="1 images of val were skipped"):
        GROUPS.run(replace(extreme_context(object_reader(), num=30), data=data))


@pytest.mark.parametrize("world_size", [2, 3])
def test_several_workers_find_what_one_finds(world_size: int) -> None:
    data = build_data(SpuriousDigits(num_train=40, num_test=23, image_size=32))
    torch.manual_seed(0)
    model = build_model(SmallCnn(width=4), num_classes=10).model.eval()

    def context(**options: object) -> EvaluationContext:
        return EvaluationContext(model=model, data=data, device=CPU, batch_size=5, split="test", **options)  # type: ignore[arg-type]

    shares: list[list[Predictions]] = [[] for _ in range(world_size)]
    for rank, own in enumerate(shares):
        alone = context(rank=rank, world_size=world_size)
        own += [alone.evaluated, alone.predictions(data.shift["random_background"])]
    calls = iter(zip(*shares, strict=True))
    result = GROUPS.run(context(world_size=world_size, gather=lambda _: list(next(calls))))
    assert result.metrics == pytest.approx(GROUPS.run(context()).metrics)
    assert result.settings["num_by_group"] == GROUPS.run(context()).settings["num_by_group"]


def test_a_digit_alone_says_nothing_of_its_texture_to_a_network_that_guesses() -> None:
    """A network that always says 0 is right where the digit is 0, in both groups."""
    data = build_data(SpuriousDigits(num_train=200, num_test=100, image_size=32))
    model = build_model(SmallCnn(width=4), num_classes=10).model.eval()
    with torch.no_grad():
        model.head.weight.zero_()
    result = GROUPS.run(EvaluationContext(model=model, data=data, device=CPU, batch_size=50, split="test"))
    pooled = [cast("DigitSet", images) for images in (data.test, data.shift["random_background"])]
    zeros_N = torch.cat([images.labels_N for images in pooled]) == 0
    groups_N = torch.cat([images.families_N != images.labels_N for images in pooled]).long()
    shares = [zeros_N[groups_N == group].double().mean().item() for group in (0, 1)]
    assert result.settings["sets"] == ["test", "shift/random_background"]
    assert result.settings["accuracy"] == pytest.approx({"own texture": shares[0], "another texture": shares[1]})
    assert result.metrics["worst_group_accuracy"] == pytest.approx(min(shares))


def test_the_validation_images_are_measured_alone() -> None:
    """Their own set has groups in equal parts, and the shifted test sets are not looked at."""
    data = build_data(SpuriousDigits(num_train=200, num_test=100, image_size=32))
    model = build_model(SmallCnn(width=4), num_classes=10).model.eval()
    context = EvaluationContext(model=model, data=data, device=CPU, batch_size=50)
    metrics = run_suite(["groups"], context)
    assert set(metrics) == {f"val/{name}" for name in GROUPS.directions.keys() - {"group_gap/*"}}
    assert GROUPS.run(context).settings["sets"] == ["val"]


def test_every_metric_has_a_direction() -> None:
    """Those of gaps need groups of which it is known what is uncommon in them."""
    found = set(GROUPS.run(extreme_context(object_reader(), num=30)).metrics)
    assert found == set(GROUPS.directions) - {"group_gap/*"}
