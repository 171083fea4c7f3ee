"""The order of an epoch: every image once, or every class or group equally often."""

from collections import Counter

import numpy as np
import pytest

from trainables.config import SpuriousDigits
from trainables.data import build_data, strata_of
from trainables.data.sampling import epoch_order

STRATA = np.array([7] * 12 + [3] * 2 + [5] * 6)
"""Twenty images in three strata."""


def test_without_strata_every_image_is_drawn_once_in_the_order_of_seed_and_epoch() -> None:
    order = epoch_order(50, seed=3, epoch=2)
    assert order.indices_M.tolist() == np.random.default_rng([3, 2]).permutation(50).tolist()
    assert not order.repeats_M.any()


@pytest.mark.parametrize("epoch", range(4))
def test_every_stratum_is_drawn_equally_often(epoch: int) -> None:
    order = epoch_order(20, seed=0, epoch=epoch, strata_N=STRATA)
    drawn = Counter(STRATA[order.indices_M].tolist())
    assert sorted(drawn.values()) == [6, 7, 7]
    of_images = Counter(order.indices_M.tolist())
    assert max(of_images[image] for image in range(12)) == 1  # 6 or 7 of 12
    assert {of_images[image] for image in (12, 13)} <= {3, 4}  # 6 or 7 from 2
    assert {of_images[image] for image in range(14, 20)} <= {1, 2}  # 6 or 7 from 6


def test_which_stratum_is_drawn_once_more_changes() -> None:
    fewest = set()
    for epoch in range(20):
        drawn = Counter(STRATA[epoch_order(20, seed=0, epoch=epoch, strata_N=STRATA).indices_M].tolist())
        fewest.add(min(drawn, key=lambda stratum: drawn[stratum]))
    assert fewest == {3, 5, 7}


def test_repeats_count_the_draws_of_an_image() -> None:
    order = epoch_order(20, seed=1, epoch=1, strata_N=STRATA)
    for image in range(20):
        repeats = order.repeats_M[order.indices_M == image]
        assert sorted(repeats.tolist()) == list(range(len(repeats)))


def test_the_order_follows_from_seed_and_epoch_and_is_shuffled() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        return epoch_order(20, seed=seed, epoch=epoch, strata_N=STRATA).indices_M.tolist()

    assert order(0, 0) == order(0, 0)
    assert len({tuple(order(*key)) for key in [(0, 0), (0, 1), (1, 0), (1, 1)]}) == 4
    strata = STRATA[order(0, 0)].tolist()
    assert strata != sorted(strata)


def test_all_images_of_a_large_stratum_are_drawn_over_the_epochs() -> None:
    seen = {image for epoch in range(20) for image in epoch_order(20, seed=0, epoch=epoch, strata_N=STRATA).indices_M}
    assert seen == set(range(20))


def test_strata_are_labels_or_groups() -> None:
    train = build_data(SpuriousDigits(num_train=50, num_test=20, image_size=32)).train
    assert strata_of(train, "uniform") is None
    assert strata_of(train, "class_balanced").tolist() == train.labels_N.tolist()
    assert strata_of(train, "group_balanced").tolist() == train.groups().tolist()


def test_each_image_is_drawn_as_often_as_is_said() -> None:
    times_N = np.array([1, 3, 1, 2])
    order = epoch_order(4, seed=2, epoch=1, times_N=times_N)
    assert Counter(order.indices_M.tolist()) == {0: 1, 1: 3, 2: 1, 3: 2}
    for image, times in enumerate(times_N):
        assert sorted(order.repeats_M[order.indices_M == image].tolist()) == list(range(times))
    assert len(set(order.numbers_M.tolist())) == 7
    assert order.indices_M.tolist() != sorted(order.indices_M.tolist())


def test_once_each_is_the_plain_order() -> None:
    once, plain = (
        epoch_order(50, seed=3, epoch=2, times_N=np.ones(50, dtype=np.int64)),
        epoch_order(50, seed=3, epoch=2),
    )
    assert once.numbers_M.tolist() == plain.numbers_M.tolist()
