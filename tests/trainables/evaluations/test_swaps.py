import math

import pytest
import torch

from tests.trainables.evaluations.conftest import context_of
from tests.trainables.evaluations.counting import BLUE, GREEN, RED, more_than, painted, two_pixels
from tests.trainables.evaluations.extremes import CHANCE, background_reader, extreme_context, object_reader
from trainables.evaluations.masked_sample import masked_sample
from trainables.evaluations.swaps import SWAPS, Partners, draw_partners


def draw(labels: list[int], lends: list[bool] | None = None, *, seed: int = 0) -> Partners:
    lends = [True] * len(labels) if lends is None else lends
    return draw_partners(torch.tensor(labels), torch.tensor(lends), torch.Generator().manual_seed(seed))


class TestPartners:
    def test_the_only_ones_possible(self) -> None:
        """With two images a class, `same` is the class's other; the class after the last is the first."""
        partners = draw([0, 0, 5, 5])
        assert partners.same_N.tolist() == [1, 0, 3, 2]
        assert {int(index) for index in partners.next_N[:2]} <= {2, 3}
        assert {int(index) for index in partners.next_N[2:]} <= {0, 1}
        assert partners.complete.tolist() == [0, 1, 2, 3]

    def test_the_next_class_is_the_next_number_that_occurs(self) -> None:
        assert draw([7, 2, 4]).next_N.tolist() == [1, 2, 0]

    def test_a_class_with_one_image_has_no_other(self) -> None:
        partners = draw([0, 0, 1])
        assert partners.same_N.tolist() == [1, 0, -1]
        assert (partners.rand_N >= 0).all()
        assert partners.complete.tolist() == [0, 1]

    def test_one_class_has_no_next(self) -> None:
        partners = draw([3, 3])
        assert partners.rand_N.tolist() == [1, 0]
        assert partners.next_N.tolist() == [-1, -1]
        assert not len(partners.complete)

    def test_one_image_has_none_at_all(self) -> None:
        partners = draw([3])
        assert [partners.same_N.tolist(), partners.rand_N.tolist(), partners.next_N.tolist()] == [[-1], [-1], [-1]]

    def test_only_those_that_can_lend_a_background_do(self) -> None:
        """Image 2 borrows from 3, and nothing borrows from 2, nor from 4, all there is of class 2."""
        for seed in range(20):
            partners = draw([0, 0, 1, 1, 2], [True, True, False, True, False], seed=seed)
            assert partners.same_N.tolist() == [1, 0, 3, -1, -1]
            assert partners.next_N[:2].tolist() == [3, 3]
            assert {int(index) for index in partners.next_N[2:]} <= {0, 1}
            assert set(partners.rand_N.tolist()) <= {0, 1, 3}

    def test_nobody_is_its_own_partner(self) -> None:
        indices = torch.arange(60)
        for seed in range(20):
            partners = draw([index % 4 for index in range(60)], seed=seed)
            for drawn in (partners.same_N, partners.rand_N, partners.next_N):
                assert not (drawn == indices).any()

    def test_the_random_class_is_uniform_however_many_images_it_has(self) -> None:
        """900 images of class 0 and 100 of each other: every class lends a third, within four standard deviations."""
        labels = [0] * 900 + [1] * 100 + [2] * 100
        lent = torch.tensor(labels)[draw(labels).rand_N].bincount() / len(labels)
        assert lent.tolist() == pytest.approx([1 / 3] * 3, abs=4 * (2 / 9 / len(labels)) ** 0.5)

    def test_all_other_images_of_a_class_are_drawn(self) -> None:
        seen = {int(draw([0] * 10 + [1] * 10, seed=seed).same_N[0]) for seed in range(200)}
        assert seen == set(range(1, 10))

    def test_draws_follow_the_seed(self) -> None:
        labels = [index % 3 for index in range(30)]
        assert torch.equal(draw(labels, seed=1).rand_N, draw(labels, seed=1).rand_N)
        assert not torch.equal(draw(labels, seed=1).rand_N, draw(labels, seed=2).rand_N)


@pytest.mark.parametrize(
    ("colour", "limit", "only_fg", "no_fg"),
    [(RED, 0.5, 0, 1), (RED, 13.5, 0, 1), (RED, 14.5, 0, 0), (GREEN, 1.5, 1, 0), (GREEN, 2.5, 0, 0), (BLUE, 0.5, 0, 0)],
)
def test_what_is_left_out_is_black(colour: int, limit: float, only_fg: int, no_fg: int) -> None:
    """An image has 14 pixels of red background and 2 of green object."""
    metrics = SWAPS.run(context_of(more_than(limit, colour), painted([RED], [0], two_pixels()))).metrics
    assert (metrics["background/only_fg"], metrics["background/no_fg"]) == (only_fg, no_fg)


@pytest.mark.parametrize(
    ("colour", "limit", "same", "following"),
    [
        (RED, 13.5, 1, 0),  # On its own class's background each image is said to be of its class, on the next none.
        (RED, 14.5, 2 / 5, 2 / 5),  # Nothing has so much red: all are said to be of class 1.
        (BLUE, 13.5, 0, 1),
        (BLUE, 14.5, 2 / 5, 2 / 5),
        (GREEN, 1.5, 3 / 5, 3 / 5),  # All have their own two pixels of object, and are said to be of class 0.
        (GREEN, 2.5, 2 / 5, 2 / 5),  # None shows the other image's object too.
    ],
)
def test_objects_lie_on_the_backgrounds_of_others(colour: int, limit: float, same: float, following: float) -> None:
    """Class 0 has three images on red, class 1 two on blue; of a background 14 pixels show around the object."""
    images = painted([RED, RED, RED, BLUE, BLUE], [0, 0, 0, 1, 1], two_pixels())
    metrics = SWAPS.run(context_of(more_than(limit, colour), images)).metrics
    assert metrics["background/mixed_same"] == pytest.approx(same)
    assert metrics["background/mixed_next"] == pytest.approx(following)


def test_the_gap_is_between_same_and_random_on_the_same_images() -> None:
    """Class 2 has one image, which is left out of all mixed metrics, but not of the others."""
    images = painted([RED, RED, BLUE, BLUE, RED], [0, 0, 1, 1, 2], two_pixels())
    result = SWAPS.run(context_of(more_than(8, RED), images))
    assert result.settings["num_mixed"] == 4
    assert result.settings["num_without_partner"] == 1
    assert {name: len(by_image) for name, by_image in result.samples.items()} == {
        "background/only_fg": 5,
        "background/no_fg": 5,
        "background/mixed_same": 4,
        "background/mixed_rand": 4,
        "background/mixed_next": 4,
    }
    assert result.metrics["background/mixed_same"] == 1
    assert result.metrics["background/no_fg"] == pytest.approx(4 / 5)
    assert result.metrics["background/gap"] == 1 - result.metrics["background/mixed_rand"]


def test_without_partners_mixed_metrics_are_nan() -> None:
    result = SWAPS.run(context_of(more_than(8, RED), painted([RED, RED], [0, 1], two_pixels())))
    mixed = [value for name, value in result.metrics.items() if "mixed" in name or "gap" in name]
    assert len(mixed) == 4
    assert all(map(math.isnan, mixed))
    assert result.metrics["background/no_fg"] == 0.5


def test_an_image_whose_object_reaches_all_edges_lends_no_background() -> None:
    object_NHW = torch.stack([two_pixels(), two_pixels(), torch.eye(4), two_pixels()])
    result = SWAPS.run(context_of(more_than(8, RED), painted([RED, RED, BLUE, RED], [0, 0, 1, 1], object_NHW)))
    assert result.settings["num_not_tiled"] == 1
    assert result.settings["num_without_partner"] == 1  # Image 3, of whose class only image 2 is left.


def test_a_network_that_reads_the_background_alone_follows_the_background() -> None:
    context = extreme_context(background_reader())
    metrics = SWAPS.run(context).metrics
    assert metrics["background/mixed_same"] == metrics["background/no_fg"] == 1
    assert metrics["background/mixed_next"] == 0
    assert metrics["background/only_fg"] == pytest.approx(CHANCE)
    assert metrics["background/mixed_rand"] == pytest.approx(CHANCE, abs=3 * (CHANCE * (1 - CHANCE) / 180) ** 0.5)
    assert metrics["background/gap"] == 1 - metrics["background/mixed_rand"]
    labels_N = masked_sample(context).labels_N
    partners = draw_partners(labels_N, labels_N >= 0, context.generator("swaps"))
    same_class = (labels_N[partners.rand_N] == labels_N).double().mean().item()
    assert metrics["background/mixed_rand"] == pytest.approx(same_class)


def test_a_network_that_reads_the_object_alone_does_not_mind() -> None:
    metrics = SWAPS.run(extreme_context(object_reader())).metrics
    for name in ("only_fg", "mixed_same", "mixed_rand", "mixed_next"):
        assert metrics[f"background/{name}"] == 1
    assert metrics["background/no_fg"] == pytest.approx(CHANCE)
    assert metrics["background/gap"] == 0


def test_metrics_follow_the_seed_and_not_the_batches() -> None:
    first = SWAPS.run(extreme_context(background_reader(), num=60))
    assert SWAPS.run(extreme_context(background_reader(), num=60, batch_size=7)) == first
    assert SWAPS.run(extreme_context(background_reader(), num=60, seed=1)).metrics != first.metrics
    assert set(first.metrics) == set(SWAPS.directions)
    assert first.settings == {
        "seed": 0,
        "num_pictures": 60,
        "num_without_mask": 0,
        "num_mixed": 60,
        "num_without_partner": 0,
        "num_not_tiled": 0,
    }
