"""What a pair shows, pixel by pixel, and which images make one."""

from collections import Counter
from dataclasses import replace

import pytest
import torch

from tests.trainables.evaluations.circuits.planted import planted_images, planted_network
from tests.trainables.evaluations.conftest import context_of
from trainables.evaluations import NotPossibleError
from trainables.evaluations.circuits.pairs import MAX_PAIRS, Halves, by_couple, couples, make_halves
from trainables.evaluations.masked_sample import masked_sample

RED_OBJECT_PIXEL = (slice(None), 3, 3)
BACKGROUND_PIXEL = (slice(None), 0, 0)


def halves_of(num: int) -> Halves:
    context = context_of(planted_network(), planted_images(num))
    return make_halves(context, masked_sample(context))


def test_one_of_background_and_object_is_the_partners() -> None:
    pairs = halves_of(16).found
    for row in range(len(pairs)):
        label, rival = int(pairs.labels_P[row]), int(pairs.rivals_P[row])
        assert label == 1 - rival
        colours = {0: ([1.0, 0, 0], [0, 1.0, 0]), 1: ([0, 0, 1.0], [0, 0.5, 0])}
        for image_CHW, background, shown in (
            (pairs.clean_PCHW[row], label, label),
            (pairs.corrupt["background"][row], rival, label),
            (pairs.corrupt["object"][row], label, rival),
        ):
            assert image_CHW[BACKGROUND_PIXEL].tolist() == colours[background][0]
            assert image_CHW[RED_OBJECT_PIXEL].tolist() == colours[shown][1]


def test_halves_share_no_image_and_have_the_classes_in_equal_shares() -> None:
    found, verified, num_without_background = halves_of(40)
    assert num_without_background == 0
    assert not ({*found.ids, *found.partners} & {*verified.ids, *verified.partners})
    for half in (found, verified):
        assert half.labels_P.bincount().tolist() == [10, 10]


def test_there_are_at_most_48_pairs_in_two_equal_halves() -> None:
    found, verified, _ = halves_of(100)
    assert len(found) == len(verified) == MAX_PAIRS // 2


def test_a_batch_has_the_rows_asked_for() -> None:
    pairs = halves_of(16).found
    batch = pairs.batch("object", torch.tensor([2, 0]), torch.device("cpu"))
    assert torch.equal(batch.corrupt_BCHW, pairs.corrupt["object"][[2, 0]])
    assert torch.equal(batch.rivals_B, pairs.rivals_P[[2, 0]])


def test_two_images_are_each_others_partners() -> None:
    for pairs in halves_of(40)[:2]:
        half = len(pairs) // 2
        assert len(set(pairs.ids)) == len(pairs) == 20
        assert pairs.partners == (*pairs.ids[half:], *pairs.ids[:half])
        assert torch.equal(pairs.rivals_P, pairs.labels_P.roll(half))


def test_values_of_couples_have_no_image_in_common() -> None:
    pairs = halves_of(16).verified
    found = by_couple(pairs, torch.tensor([0.0, 1, 2, 3, 10, 11, 12, 13]))
    assert found == dict(zip(pairs.ids[:4], (5, 6, 7, 8), strict=True))


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([0, 0, 0, 1, 2], 2),
        ([0, 0, 0, 0, 1], 1),
        ([0, 0, 1, 1, 2, 2], 3),
        ([0, 0, 0, 1, 1, 2], 3),
        (list(range(10)), 5),
        ([0, 0], 0),
    ],
)
def test_no_image_stays_alone_that_could_have_a_partner(labels: list[int], expected: int) -> None:
    for seed in range(20):
        found = couples(torch.tensor(labels), torch.Generator().manual_seed(seed)).T.tolist()
        assert len(found) == expected
        assert all(labels[one] != labels[other] for one, other in found)
        assert max(Counter(place for couple in found for place in couple).values(), default=1) == 1


def test_classes_meet_at_random() -> None:
    labels = torch.arange(24) // 4
    found = couples(labels, torch.Generator().manual_seed(0)).T.tolist()
    assert len({tuple(labels[couple].tolist()) for couple in found}) > 6


def test_with_several_labels_the_partners_class_may_be_in_the_image_too() -> None:
    context = context_of(planted_network(), planted_images())
    context = replace(context, data=replace(context.data, several_labels=True))
    with pytest.raises(NotPossibleError, match="several labels, so an image may show its partner's class too"):
        make_halves(context, masked_sample(context))
