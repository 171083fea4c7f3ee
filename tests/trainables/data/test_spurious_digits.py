import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor

from trainables.config import SpuriousDigits
from trainables.data import DataBundle, Draw, build_data
from trainables.data.spurious_digits import DigitSet, build_spurious_digits, split_digits
from trainables.data.textures import DARK_LUMINANCE, LIGHT_LUMINANCE, SEEN, UNSEEN, draw_textures

SHIFTS = ["random_background", "unseen_textures"]
LUMINANCE = torch.tensor([0.299, 0.587, 0.114])


def digit_sets(**fields: object) -> dict[str, DigitSet]:
    bundle = build_data(SpuriousDigits.model_validate(fields))
    found = {"train": bundle.train, "val": bundle.val, **bundle.shift}
    return {name: dataset for name, dataset in found.items() if isinstance(dataset, DigitSet)}


@pytest.fixture(scope="module")
def sets() -> dict[str, DigitSet]:
    return digit_sets(num_train=3000, num_test=1000, image_size=32)


def agreement(dataset: DigitSet) -> float:
    return (dataset.families_N == dataset.labels_N).float().mean().item()


def test_names_and_sizes(sets: dict[str, DigitSet]) -> None:
    assert {name: len(dataset) for name, dataset in sets.items()} == {
        "train": 3000,
        "val": 1000,
        "random_background": 1000,
        "unseen_textures": 1000,
    }
    assert sets["train"].__getitems__([Draw(17, 0)]).ids == ("train-00017",)
    assert sets["unseen_textures"].__getitems__([Draw(5, 0)]).ids == ("unseen_textures-00005",)


def test_correlation_is_what_the_config_says(sets: dict[str, DigitSet]) -> None:
    # Three standard errors of a share of 0.95 are 0.012 of 3000 and 0.021 of 1000 pictures.
    assert agreement(sets["train"]) == pytest.approx(0.95, abs=0.012)
    assert agreement(sets["val"]) == pytest.approx(0.95, abs=0.021)


@pytest.mark.parametrize("correlation", [0.0, 1.0])
def test_correlation_at_its_ends_is_exact(correlation: float) -> None:
    for name in ("train", "val"):
        dataset = digit_sets(correlation=correlation, num_train=200, num_test=200, image_size=32)[name]
        assert agreement(dataset) == correlation


def test_disagreeing_textures_are_even_over_the_other_nine() -> None:
    dataset = digit_sets(correlation=0.0, num_train=4000, num_test=10, image_size=32)["train"]
    offset = (dataset.families_N - dataset.labels_N) % 10
    counts = torch.bincount(offset, minlength=10)
    assert counts[0] == 0
    assert (counts[1:] - 4000 / 9).abs().max() < 4 * (4000 / 9) ** 0.5


@pytest.mark.parametrize("name", SHIFTS)
def test_shifted_textures_are_independent_of_the_class(sets: dict[str, DigitSet], name: str) -> None:
    dataset = sets[name]
    table = torch.zeros(10, 10, dtype=torch.float64)
    table.index_put_((dataset.labels_N, dataset.families_N), torch.ones(1000, dtype=torch.float64), accumulate=True)
    expected = table.sum(1, keepdim=True) * table.sum(0, keepdim=True) / 1000
    chi_square = ((table - expected) ** 2 / expected).sum().item()
    assert chi_square < 126.1  # The 0.999 quantile at 81 degrees of freedom.


def test_the_independence_test_would_see_the_shortcut(sets: dict[str, DigitSet]) -> None:
    assert agreement(sets["val"]) > 0.9
    assert agreement(sets["random_background"]) < 0.15


def test_unseen_textures_are_other_families() -> None:
    assert len(SEEN) == len(UNSEEN) == 10
    assert not {id(family.pattern) for family in SEEN} & {id(family.pattern) for family in UNSEEN}


def ridge_accuracy(train: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor]) -> float:
    """Accuracy of a linear classifier of the texture family, fitted in closed form."""
    features, target = train[0].double(), torch.nn.functional.one_hot(train[1], 10).double()
    weight = torch.linalg.solve(features.T @ features + torch.eye(features.shape[1]), features.T @ target)
    return ((test[0].double() @ weight).argmax(1) == test[1]).double().mean().item()


def colour_histograms(dataset: DigitSet) -> Tensor:
    """Share of a picture's pixels in each of 64 colours."""
    weights = torch.tensor([16, 4, 1], dtype=torch.uint8)[:, None, None]
    colours_NP = (dataset.images_NCHW // 64 * weights).sum(1).flatten(1)
    counts = torch.zeros(len(dataset), 64).scatter_add_(1, colours_NP, torch.ones(colours_NP.shape))
    return counts / colours_NP.shape[1]


def test_families_are_told_apart_by_the_simplest_statistics(sets: dict[str, DigitSet]) -> None:
    train, val = sets["train"], sets["random_background"]
    accuracy = ridge_accuracy((colour_histograms(train), train.families_N), (colour_histograms(val), val.families_N))
    assert accuracy > 0.9


def test_the_same_statistics_do_not_tell_the_digit(sets: dict[str, DigitSet]) -> None:
    train, shifted = sets["random_background"], sets["unseen_textures"]
    accuracy = ridge_accuracy(
        (colour_histograms(train), train.labels_N), (colour_histograms(shifted), shifted.labels_N)
    )
    assert accuracy < 0.2


def test_test_sets_share_digits_and_places_and_differ_in_texture(sets: dict[str, DigitSet]) -> None:
    for name in SHIFTS:
        assert torch.equal(sets[name].ink_NHW, sets["val"].ink_NHW)
        assert torch.equal(sets[name].labels_N, sets["val"].labels_N)
        assert not torch.equal(sets[name].images_NCHW, sets["val"].images_NCHW)


def test_classes_are_about_even(sets: dict[str, DigitSet]) -> None:
    for dataset in sets.values():
        counts = torch.bincount(dataset.labels_N, minlength=10)
        assert counts.min() > 0.9 * len(dataset) / 10
        assert counts.max() < 1.1 * len(dataset) / 10


def test_train_and_test_share_no_handwritten_digit() -> None:
    labels_N = load_digits().target
    train, test = split_digits(labels_N, np.random.default_rng(0))
    assert (len(train), len(test)) == (1200, 597)
    assert sorted([*train, *test]) == list(range(1797))
    shares = [np.bincount(labels_N[indices]) / len(indices) for indices in (train, test)]
    assert np.abs(shares[0] - shares[1]).max() < 0.002
    other, _ = split_digits(labels_N, np.random.default_rng(1))
    assert sorted(other) != sorted(train)


def test_mask_is_the_ink_and_every_picture_has_one(sets: dict[str, DigitSet]) -> None:
    for dataset in sets.values():
        batch = dataset.__getitems__([Draw(index, 0) for index in range(200)])
        assert batch.has_mask_B.all()
        assert torch.equal(batch.background_BHW == 0, dataset.ink_NHW[:200])
        share_B = 1 - batch.background_BHW.mean((1, 2))
        assert share_B.min() > 0.01
        assert share_B.max() < 0.25


def test_ink_stands_out_from_its_texture(sets: dict[str, DigitSet]) -> None:
    for dataset in sets.values():
        luminance = (dataset.images_NCHW.float() / 255 * LUMINANCE[:, None, None]).sum(1)
        ink = dataset.ink_NHW
        far = torch.nn.functional.max_pool2d(ink[:, None].float(), 7, 1, 3)[:, 0] == 0
        mean_ink = (luminance * ink).sum((1, 2)) / ink.sum((1, 2))
        mean_texture = (luminance * far).sum((1, 2)) / far.sum((1, 2))
        assert (mean_ink - mean_texture).abs().min() > 0.2
        bright = (mean_ink > mean_texture).float().mean()
        assert 0.44 < bright < 0.56


@pytest.mark.parametrize("family", range(20))
def test_textures_keep_between_the_inks(family: int) -> None:
    textures = draw_textures((SEEN + UNSEEN)[family], 30, 48, np.random.default_rng(0))
    assert textures.shape == (30, 3, 48, 48)
    assert textures.dtype == np.float32
    luminance = np.einsum("c,nchw->nhw", LUMINANCE.numpy(), textures)
    assert luminance.min() > DARK_LUMINANCE[0] - 0.001
    assert luminance.max() < LIGHT_LUMINANCE[1] + 0.001
    assert textures.min() >= 0
    assert textures.max() <= 1
    assert textures.std((2, 3)).max(1).min() > 0.03
    assert np.abs(textures[0] - textures[1]).mean() > 0.01


def test_same_config_is_drawn_once_and_the_same_again() -> None:
    config = SpuriousDigits(num_train=30, num_test=20, image_size=32, seed=3)
    first = build_data(config)
    assert build_data(SpuriousDigits(num_train=30, num_test=20, image_size=32, seed=3)) is first
    build_spurious_digits.cache_clear()
    again = build_data(config)
    assert again is not first
    assert again.train.digest() == first.train.digest()
    assert again.shift["unseen_textures"].digest() == first.shift["unseen_textures"].digest()


def test_seed_changes_every_set_and_the_training_length_changes_no_test_set() -> None:
    def digests(bundle: DataBundle) -> list[str]:
        return [bundle.train.digest(), bundle.val.digest(), *(s.digest() for s in bundle.shift.values())]

    base = digests(build_data(SpuriousDigits(num_train=30, num_test=20, image_size=32)))
    seeded = digests(build_data(SpuriousDigits(num_train=30, num_test=20, image_size=32, seed=1)))
    longer = digests(build_data(SpuriousDigits(num_train=40, num_test=20, image_size=32)))
    assert all(one != other for one, other in zip(base, seeded, strict=True))
    assert longer[0] != base[0]
    assert longer[1:] == base[1:]


@pytest.mark.parametrize("image_size", [32, 50, 128])
def test_every_picture_size_draws_digits_of_the_same_share(image_size: int) -> None:
    ink = digit_sets(num_train=100, num_test=10, image_size=image_size)["train"].ink_NHW
    assert ink.shape == (100, image_size, image_size)
    assert ink.float().mean() == pytest.approx(0.073, abs=0.012)
    assert ink.any(1).any(0).float().mean() > 0.9  # Digits come to lie at every column.
