"""Mask-aware CutMix: what it changes, what it leaves, how labels share an image, and what comes before it."""

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.trainables.conftest import CPU, MakeConfig
from tests.trainables.training.tiny_batches import assert_equal, batch_of, copy_of, object_at
from trainables.config import (
    BinaryContrastive,
    BinaryCrossEntropy,
    Contrastive,
    CrossEntropy,
    CutMix,
    ExperimentConfig,
)
from trainables.data import build_data, training_batches
from trainables.data.box import Box
from trainables.losses import build_objective
from trainables.models import build_model
from trainables.training import LocalContext, fit
from trainables.training.build import build_task
from trainables.training.learner import Learner
from trainables.training.mixing import (
    MixedBatch,
    build_mixing,
    draw_box,
    join_terms,
    main_labels,
    paste,
    unmixed,
)
from trainables.training.new_backgrounds import add_background_noise
from trainables.trial_folder import Row, TrialFolder

LEFT = Box(top=0, bottom=4, left=0, right=2)
"""Half of an image of 4 x 4."""


EVERYTHING = slice(None)
TOP = object_at(slice(0, 2), EVERYTHING)
"""Half of its object, the upper rows, lies in LEFT."""
CORNER = object_at(slice(0, 2), slice(0, 2))
"""All of its object lies in LEFT."""
RIGHT = object_at(EVERYTHING, slice(2, 4))
"""None of its object lies in LEFT."""


def shares(mixed: list[MixedBatch]) -> list[list[float]]:
    return [each.share_B.tolist() for each in mixed]


def test_the_pasted_box_is_all_that_changes() -> None:
    batch = batch_of(TOP, CORNER, RIGHT)
    before = copy_of(batch)
    own, pasted = paste(batch, Box(1, 3, 0, 1))
    expected = batch.images_BCHW.clone()
    expected[:, :, 1:3, 0] = torch.tensor([0.3, 0.1, 0.2]).view(3, 1, 1)
    for each in (own, pasted):
        assert torch.equal(each.batch.images_BCHW, expected)
    assert own.batch.labels_B.tolist() == [0, 1, 2]
    assert pasted.batch.labels_B.tolist() == [2, 0, 1]
    assert pasted.batch.ids == ("c", "a", "b")
    assert_equal(batch, before)


def test_labels_count_by_what_shows_of_their_own_object() -> None:
    """Image 0 gets the box of image 2, 1 that of 0, and 2 that of 1."""
    own, pasted = paste(batch_of(TOP, CORNER, RIGHT), LEFT)
    # 0: half of TOP and nothing of RIGHT. 1: nothing of CORNER and half of TOP. 2: all of RIGHT and all of CORNER.
    assert shares([own, pasted]) == [[1.0, 0.0, 0.5], [0.0, 1.0, 0.5]]
    own, pasted = paste(batch_of(TOP, RIGHT), LEFT)
    # 0: half of TOP and nothing of RIGHT. 1: all of RIGHT and half of TOP.
    torch.testing.assert_close(own.share_B, torch.tensor([1.0, 2 / 3]))
    torch.testing.assert_close(pasted.share_B, torch.tensor([0.0, 1 / 3]))


def test_without_masks_labels_count_by_area_as_in_cutmix() -> None:
    own, pasted = paste(batch_of(None, None), Box(0, 4, 0, 1))
    torch.testing.assert_close(shares([own, pasted]), [[0.75, 0.75], [0.25, 0.25]])
    for each in (own, pasted):
        assert not each.batch.has_mask_B.any()
        assert torch.count_nonzero(each.batch.background_BHW) == 0


def test_a_mask_next_to_none_counts_by_shares_of_objects() -> None:
    own, pasted = paste(batch_of(CORNER, None), Box(0, 4, 0, 1))
    # 0: half of CORNER, a quarter of the other image. 1: three quarters of the image, half of CORNER.
    torch.testing.assert_close(own.share_B, torch.tensor([2 / 3, 0.6]))
    assert own.batch.has_mask_B.tolist() == [True, False]
    assert pasted.batch.has_mask_B.tolist() == [False, True]


def test_the_other_object_is_background_for_each_label() -> None:
    own, pasted = paste(batch_of(RIGHT, TOP), LEFT)
    # Image 0 is RIGHT outside the box; in it shows the left half of TOP.
    assert own.batch.background_BHW[0].tolist() == [[1, 1, 0, 0]] * 4
    assert pasted.batch.background_BHW[0].tolist() == [[0, 0, 1, 1]] * 2 + [[1, 1, 1, 1]] * 2


def test_another_object_of_the_same_class_is_no_background() -> None:
    own, pasted = paste(batch_of(RIGHT, TOP, labels=(5, 5)), LEFT)
    for each in (own, pasted):
        assert each.batch.background_BHW[0].tolist() == [[0, 0, 0, 0]] * 2 + [[1, 1, 0, 0]] * 2
        assert each.batch.labels_B.tolist() == [5, 5]


def test_an_image_in_which_no_object_shows_has_no_mask() -> None:
    own, _ = paste(batch_of(CORNER, TOP), LEFT)
    assert own.batch.has_mask_B.tolist() == [False, True]
    assert torch.count_nonzero(own.batch.background_BHW[0]) == 0


def test_nothing_is_pasted_where_neither_object_would_show() -> None:
    batch = batch_of(CORNER, RIGHT)
    own, pasted = paste(batch, LEFT)
    # 0 would lose its corner to the empty half of RIGHT; 1 keeps RIGHT and gets CORNER.
    assert torch.equal(own.batch.images_BCHW[0], batch.images_BCHW[0])
    assert torch.equal(own.batch.background_BHW[0], CORNER)
    assert shares([own, pasted]) == [[1.0, 0.5], [0.0, 0.5]]


def test_an_empty_box_and_a_batch_of_one_change_nothing() -> None:
    batch = batch_of(TOP, CORNER)
    own, pasted = paste(batch, Box(2, 2, 0, 4))
    assert_equal(own.batch, batch)
    assert shares([own, pasted]) == [[1.0, 1.0], [0.0, 0.0]]
    alone = batch_of(TOP)
    own, pasted = paste(alone, LEFT)
    assert_equal(own.batch, alone)
    assert shares([own, pasted]) == [[0.5], [0.5]]


@pytest.mark.parametrize("alpha", [0.3, 1.0, 5.0])
def test_boxes_lie_in_the_image_and_have_the_share_that_is_drawn(alpha: float) -> None:
    torch.manual_seed(0)
    areas, interior = [], 0
    for _ in range(400):
        top, bottom, left, right = draw_box(64, 32, alpha=alpha)
        assert 0 <= top <= bottom <= 64
        assert 0 <= left <= right <= 32
        if top > 0 and left > 0 and bottom < 64 and right < 32:
            interior += 1
            areas.append((bottom - top) * (right - left) / (64 * 32))
            assert (bottom - top) == pytest.approx(2 * (right - left), abs=1)  # Rounded each for itself.
    assert interior > 20
    assert 0 < sum(areas) / len(areas) < 0.5


def test_terms_are_joined_by_the_shares() -> None:
    batch = batch_of(TOP, CORNER)
    mixed = [MixedBatch(batch, torch.tensor([1.0, 0.25])), MixedBatch(batch, torch.tensor([0.0, 0.75]))]
    terms = [{"a": torch.tensor([1.0, 4.0])}, {"a": torch.tensor([9.0, 8.0])}]
    assert join_terms(terms, mixed)["a"].tolist() == [1.0, 7.0]


def test_an_unmixed_batch_keeps_its_terms_and_labels() -> None:
    batch = batch_of(TOP, CORNER)
    terms = {"a": torch.tensor([0.1, 0.7]), "b": torch.tensor([3.0, 1e-8])}
    joined = join_terms([terms], unmixed(batch))
    assert all(torch.equal(joined[name], terms[name]) for name in terms)
    assert torch.equal(main_labels(unmixed(batch)), batch.labels_B)


def test_the_main_label_is_that_of_which_more_shows() -> None:
    assert main_labels(paste(batch_of(TOP, CORNER, RIGHT), LEFT)).tolist() == [0, 0, 2]


@pytest.mark.parametrize("kind", [CrossEntropy, Contrastive, BinaryCrossEntropy, BinaryContrastive])
def test_without_noise_and_cutmix_the_batch_stays_the_same(kind: Any) -> None:
    batch = batch_of(TOP, CORNER)
    state = torch.get_rng_state()
    (mixed,) = build_mixing(kind())(batch)
    assert mixed.batch is batch
    assert torch.equal(torch.get_rng_state(), state)


def test_batches_are_mixed_with_their_probability() -> None:
    mix = build_mixing(Contrastive(cutmix=CutMix(probability=0.25)))
    torch.manual_seed(0)
    num_mixed = sum(len(mix(batch_of(TOP, CORNER))) - 1 for _ in range(400))
    assert num_mixed == pytest.approx(100, abs=25)


def test_noise_is_pasted_with_its_image() -> None:
    objective = Contrastive(background_noise=0.2, cutmix=CutMix(probability=1.0))
    batch = batch_of(RIGHT, CORNER)
    torch.manual_seed(0)
    own = build_mixing(objective)(batch)[0].batch
    torch.manual_seed(0)
    noisy = add_background_noise(batch, 0.2).images_BCHW
    assert torch.all((own.images_BCHW == noisy) | (own.images_BCHW == noisy.roll(1, 0)))


EVERY_CHANGE = Contrastive(background_noise=0.2, cutmix=CutMix(probability=1.0))


def test_the_seed_decides_everything() -> None:
    batch = batch_of(TOP, CORNER, RIGHT, None, size=4)
    runs = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        runs.append(build_mixing(EVERY_CHANGE)(batch))
    for one, other in zip(*runs[:2], strict=True):
        assert_equal(one.batch, other.batch)
        assert torch.equal(one.share_B, other.share_B)
    assert not torch.equal(runs[0][0].batch.images_BCHW, runs[2][0].batch.images_BCHW)


MIXED = {
    "objective.kind": "contrastive",
    "objective.background_noise": 0.2,
    "objective.cutmix.probability": 0.8,
    "optim.kind": "sgd",
}


def step(config: ExperimentConfig, folder: TrialFolder, *, mixing_seed: int = 1) -> tuple[dict[str, Tensor], Learner]:
    torch.manual_seed(0)
    model = build_model(config.model, num_classes=10).model
    context = LocalContext(folder, device=CPU)
    learner = Learner(config, model, build_task(config), context, steps_per_epoch=4)
    (batch, *_) = training_batches(build_data(config.data).train, batch_size=16, seed=0, epoch=1)
    torch.manual_seed(mixing_seed)
    return learner.step(batch), learner


def test_a_step_minimises_the_terms_weighted_by_the_shares(make_config: MakeConfig, tmp_path: Any) -> None:
    config = make_config({**MIXED, "objective.cutmix.probability": 1.0})
    sums, _ = step(config, TrialFolder(tmp_path))
    torch.manual_seed(0)
    model = build_model(config.model, num_classes=10).model
    (batch, *_) = training_batches(build_data(config.data).train, batch_size=16, seed=0, epoch=1)
    torch.manual_seed(1)
    own, pasted = build_mixing(config.objective)(batch)
    output = model(own.batch.images_BCHW)
    objective = build_objective(config.objective)
    losses = [objective(output, model.head, each.batch)["contrastive_cross_entropy"] for each in (own, pasted)]
    expected = (own.share_B * losses[0] + pasted.share_B * losses[1]).sum()
    torch.testing.assert_close(sums["loss"], expected.detach())
    main = torch.where(own.share_B >= pasted.share_B, own.batch.labels_B, pasted.batch.labels_B)
    assert sums["accuracy"] == (output.logits.argmax(1) == main).sum()
    assert 0 < own.share_B.min() < 1


def test_every_micro_batch_is_mixed(make_config: MakeConfig, tmp_path: Any) -> None:
    one, _ = step(make_config(MIXED), TrialFolder(tmp_path))
    for accumulate in (2, 8):
        sums, learner = step(make_config({**MIXED, "training.accumulate": accumulate}), TrialFolder(tmp_path))
        assert sums["loss"].isfinite()
        assert sums["loss"] != one["loss"]
        assert all(parameter.grad is not None for parameter in learner.evaluated.parameters())


def test_two_runs_of_a_seed_are_the_same(make_config: MakeConfig, tmp_path: Any) -> None:
    def rows(seed: int, name: str) -> list[Row]:
        config = make_config({**MIXED, "seed": seed, "training.epochs": 2})
        context = LocalContext(TrialFolder(tmp_path / name), device=CPU)
        fit(config, context, data=build_data(config.data), validate=lambda model, epoch: {})  # noqa: ARG005
        return [{key: row[key] for key in ("train/loss", "train/accuracy")} for row in context.folder.rows()]

    first = rows(1, "a")
    assert rows(1, "b") == first
    assert rows(2, "c") != first


def test_a_pasted_image_brings_its_weight(make_config: MakeConfig) -> None:
    (batch, *_) = training_batches(
        build_data(make_config().data).train, batch_size=8, seed=0, epoch=1, class_weights_K=torch.arange(10.0)
    )
    own, pasted = paste(batch, Box(0, 16, 0, 32))
    assert own.batch.weights_B.tolist() == batch.labels_B.tolist()
    assert pasted.batch.weights_B.tolist() == batch.labels_B.roll(1).tolist()
