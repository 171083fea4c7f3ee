import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor

from trainables.config import SpuriousDigits
from trainables.data import DataBundle, Draw, Grouped, build_data
from trainables.data.handwriting import split_digits
from trainables.data.spurious_digits import DigitSet, build_spurious_digits
from trainables.data.textures import SEEN, UNSEEN, Array

SHIFTS = ["random_background", "unseen_textures"]
SEEN_SETS = ["train", "val", "test", "random_background"]


def digit_sets(**fields: object) -> dict[str, DigitSet]:
    bundle = build_data(SpuriousDigits.model_validate(fields))
    sets = {"train": bundle.train, "val": bundle.val, "test": bundle.test, **bundle.shift}
    return {name: dataset for name, dataset in sets.items() if isinstance(dataset, DigitSet)}


@pytest.fixture(scope="module")
def sets() -> dict[str, DigitSet]:
    return digit_sets(num_train=3000, num_test=1000, image_size=32)


def agreement(dataset: DigitSet) -> float:
    return (dataset.families_N == dataset.labels_N).float().mean().item()


def test_names_and_sizes(sets: dict[str, DigitSet]) -> None:
    assert {name: len(dataset) for name, dataset in sets.items()} == {
        "train": 3000,
        "val": 1000,
        "test": 1000,
        "random_background": 1000,
        "unseen_textures": 1000,
    }
    assert sets["train"].__getitems__([Draw(17, 0)]).ids == ("train-00017",)
    assert sets["unseen_textures"].__getitems__([Draw(5, 0)]).ids == ("unseen_textures-00005",)


def test_correlation_is_what_the_config_says(sets: dict[str, DigitSet]) -> None:
    # Three standard errors of a share of 0.95 are 0.012 of 3000 and 0.021 of 1000 images.
    assert agreement(sets["train"]) == pytest.approx(0.95, abs=0.012)
    assert agreement(sets["test"]) == pytest.approx(0.95, abs=0.021)


def test_half_of_the_validation_images_lie_on_a_random_texture(sets: dict[str, DigitSet]) -> None:
    # Of the random half a tenth agrees; three standard errors of 500 images are 0.040 and 0.029.
    val = sets["val"]
    agrees_N = val.families_N == val.labels_N
    assert agrees_N[:500].float().mean().item() == pytest.approx(0.1, abs=0.040)
    assert agrees_N[500:].float().mean().item() == pytest.approx(0.95, abs=0.029)
    groups_N = val.groups()
    assert groups_N is not None
    assert torch.bincount(groups_N).tolist() == [agrees_N.sum(), (~agrees_N).sum()]


@pytest.mark.parametrize(("share", "expected"), [(0.0, 1.0), (0.5, 0.5), (1.0, 0.0)])
def test_the_share_of_random_textures_is_exact(share: float, expected: float) -> None:
    validation = {"random_share": share}
    val = digit_sets(correlation=1.0, num_train=20, num_test=200, image_size=32, validation=validation)["val"]
    agrees_N = val.families_N == val.labels_N
    num_random = round(200 * share)
    assert agrees_N[num_random:].all()
    assert len(agrees_N[num_random:]) == 200 * expected


@pytest.mark.parametrize("correlation", [0.0, 1.0])
def test_correlation_at_its_ends_is_exact(correlation: float) -> None:
    for name in ("train", "test"):
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
    assert agreement(sets["test"]) > 0.9
    assert agreement(sets["random_background"]) < 0.15


def hues(dataset: DigitSet, palette_KC: Array) -> Tensor:
    """Return each pixel's row in the palette, -1 where it has none of its colours; brightness does not count."""
    images_NCHW = dataset.images_NCHW.float() / 255
    palette = torch.from_numpy(palette_KC)
    chroma_NHWC = (images_NCHW - images_NCHW.mean(1, keepdim=True)).movedim(1, -1)
    distance = torch.cdist(chroma_NHWC.flatten(0, 2), palette - palette.mean(1, keepdim=True))
    nearest, row = distance.min(1)
    return torch.where(nearest < 0.04, row, -1).view(chroma_NHWC.shape[:-1])


@pytest.mark.parametrize(("names", "palette_KC"), [(SEEN_SETS, SEEN), (["unseen_textures"], UNSEEN)])
def test_own_hue_is_on_nine_tiles_in_twenty(sets: dict[str, DigitSet], names: list[str], palette_KC: Array) -> None:
    for name in names:
        hues_NHW = hues(sets[name], palette_KC)
        for family in range(10):
            of_family = hues_NHW[sets[name].families_N == family]
            counts = torch.bincount(of_family[of_family >= 0], minlength=10)
            expected = torch.full((10,), 0.55 / 9)
            expected[family] = 0.45
            # 80 images of 90 tiles: four standard errors are 0.023 and 0.012.
            deviation = (counts / counts.sum() - expected).abs()
            assert deviation[family] < 0.023
            assert deviation[torch.arange(10) != family].max() < 0.012


def test_unseen_hues_are_nowhere_in_the_other_sets(sets: dict[str, DigitSet]) -> None:
    for name, dataset in sets.items():
        unseen = hues(dataset, UNSEEN)[~dataset.ink_NHW] >= 0
        seen = hues(dataset, SEEN)[~dataset.ink_NHW] >= 0
        here, elsewhere = (unseen, seen) if name == "unseen_textures" else (seen, unseen)
        assert here.float().mean() > 0.85
        assert elsewhere.sum() == 0


def ridge_accuracy(train: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor]) -> float:
    """Accuracy of a linear classifier of the texture family, fitted in closed form."""
    features, target = train[0].double(), torch.nn.functional.one_hot(train[1], 10).double()
    weight = torch.linalg.solve(features.T @ features + torch.eye(features.shape[1]), features.T @ target)
    return ((test[0].double() @ weight).argmax(1) == test[1]).double().mean().item()


def colour_histograms(dataset: DigitSet) -> Tensor:
    """Share of an image's pixels in each of 64 colours."""
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
        assert torch.equal(sets[name].ink_NHW, sets["test"].ink_NHW)
        assert torch.equal(sets[name].labels_N, sets["test"].labels_N)
        assert not torch.equal(sets[name].images_NCHW, sets["test"].images_NCHW)


def test_groups_say_whether_the_texture_is_the_class_s_own(sets: dict[str, DigitSet]) -> None:
    for name in SEEN_SETS:
        dataset = sets[name]
        groups_N = dataset.groups()
        assert isinstance(dataset, Grouped)
        assert groups_N is not None
        assert groups_N.dtype == torch.int64
        for label, family, group in zip(dataset.labels_N, dataset.families_N, groups_N, strict=True):
            assert dataset.group_names[group] == f"{'own' if label == family else 'another'} texture"


def test_no_texture_that_training_never_showed_is_a_class_s_own(sets: dict[str, DigitSet]) -> None:
    assert sets["unseen_textures"].groups() is None


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


def handwriting(dataset: DigitSet) -> set[bytes]:
    return {glyph_88.tobytes() for glyph_88 in dataset.glyphs_N88}


def test_training_validation_and_test_share_no_handwritten_digit(sets: dict[str, DigitSet]) -> None:
    train, val, test = (handwriting(sets[name]) for name in ("train", "val", "test"))
    assert (len(train), len(val), len(test)) == (960, 240, 597)
    assert not train & val
    assert not (train | val) & test
    counts = torch.bincount(torch.tensor([int(label) for label in labels_of_glyphs(sets["val"])]), minlength=10)
    assert counts.min() >= 23  # A fifth of the 117 to 122 digits of each class, rounded up or down.
    assert counts.max() <= 25


def labels_of_glyphs(dataset: DigitSet) -> list[int]:
    """Return the class of each handwritten digit of a set once."""
    labels = {glyph.tobytes(): int(label) for glyph, label in zip(dataset.glyphs_N88, dataset.labels_N, strict=True)}
    return list(labels.values())


def test_one_held_out_set_serves_both_as_in_earlier_versions() -> None:
    """Digests of the last version without a test set."""
    config = SpuriousDigits.model_validate(
        {"num_train": 30, "num_test": 20, "image_size": 32, "validation": {"source": "held_out"}}
    )
    bundle = build_data(config)
    assert bundle.val is bundle.test
    assert bundle.val.__getitems__([Draw(5, 0)]).ids == ("val-00005",)
    sets = (bundle.train, bundle.val, *bundle.shift.values())
    assert [images.digest() for images in sets] == [
        "a70e458589469e42",
        "ec0e6a4409aeb1cb",
        "e534685eadbb8b4b",
        "56a72323e2af2def",
    ]


def test_background_is_what_the_mask_leaves_and_every_image_has_a_mask(sets: dict[str, DigitSet]) -> None:
    for dataset in sets.values():
        batch = dataset.__getitems__([Draw(index, 0) for index in range(200)])
        assert batch.has_mask_B.all()
        assert torch.equal(batch.background_BHW == 0, dataset.ink_NHW[:200])
        share_B = 1 - batch.background_BHW.mean((1, 2))
        assert share_B.min() > 0.08
        assert share_B.max() < 0.3


def widen(mask_NHW: Tensor, radius: int) -> Tensor:
    widened = torch.nn.functional.max_pool2d(mask_NHW[:, None].float(), 2 * radius + 1, 1, radius)
    return widened[:, 0] > 0


def saturation(dataset: DigitSet) -> Tensor:
    """Return the span of the channels over that of a bare texture, which no hue and no brightness changes."""
    images_NCHW = dataset.images_NCHW.float() / 255
    return (images_NCHW.amax(1) - images_NCHW.amin(1)) / (0.75 * 0.65)


@pytest.mark.parametrize("image_size", [32, 48, 128])
def test_mask_is_where_less_than_half_of_the_texture_shows(image_size: int) -> None:
    for name, dataset in digit_sets(num_train=60, num_test=30, image_size=image_size).items():
        ink, shown = dataset.ink_NHW, saturation(dataset)
        assert shown[ink].max() < 0.51  # Bytes are whole numbers.
        assert (shown[~ink] < 0.5).float().mean() < 0.002  # Tint of half-covered ink.
        bare = hues(dataset, UNSEEN if name == "unseen_textures" else SEEN) >= 0
        assert not bare[ink].any()
        assert (~bare[~ink]).float().mean() < 0.15  # The outline's soft edge.
        beyond = ~widen(ink, image_size // 12)
        assert (~bare[beyond]).float().mean() < 1e-4  # Noise of more than four standard deviations is clipped.


def test_object_is_a_bright_stroke_in_a_dark_outline() -> None:
    for dataset in digit_sets(num_train=600, num_test=200).values():
        ink = dataset.ink_NHW
        bright = dataset.images_NCHW.amin(1) > 0.7 * 255
        dark = dataset.images_NCHW.amax(1) < 0.3 * 255
        assert (bright.sum((1, 2)) / ink.sum((1, 2))).min() > 0.2
        assert (dark.sum((1, 2)) / ink.sum((1, 2))).min() > 0.2
        assert not (widen(bright, 1) & ~ink).any()  # The stroke touches no texture.
        assert (dark & ~ink).float().mean() < 1e-5  # Noise of more than four standard deviations.


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
        sets = (bundle.train, bundle.val, bundle.test, *bundle.shift.values())
        return [images.digest() for images in sets]

    base = digests(build_data(SpuriousDigits(num_train=30, num_test=20, image_size=32)))
    seeded = digests(build_data(SpuriousDigits(num_train=30, num_test=20, image_size=32, seed=1)))
    longer = digests(build_data(SpuriousDigits(num_train=40, num_test=20, image_size=32)))
    assert all(one != other for one, other in zip(base, seeded, strict=True))
    assert longer[0] != base[0]
    assert longer[1:] == base[1:]


@pytest.mark.parametrize("image_size", [32, 50, 128])
def test_every_image_size_draws_digits_of_the_same_share(image_size: int) -> None:
    whole = {"source": "held_out"}
    ink = digit_sets(num_train=100, num_test=10, image_size=image_size, validation=whole)["train"].ink_NHW
    assert ink.shape == (100, image_size, image_size)
    assert ink.float().mean() == pytest.approx(0.19, abs=0.016)
    margin = image_size // 10
    assert ink.any(1).any(0)[margin:-margin].all()  # Digits come to lie at every column.
    assert ink.any(2).any(0)[margin:-margin].all()


@pytest.mark.parametrize("image_size", [32, 48, 50, 128])
def test_no_digit_is_cut_off(image_size: int) -> None:
    for dataset in digit_sets(num_train=300, num_test=100, image_size=image_size).values():
        inside = torch.zeros_like(dataset.ink_NHW)
        inside[:, 1:-1, 1:-1] = True
        assert not (dataset.ink_NHW & ~inside).any()


def redrawn(dataset: DigitSet, seed: int, *, num: int = 40) -> Tensor:
    draws = [Draw(index, seed + index, view=1) for index in range(num)]
    return (dataset.__getitems__(draws).images_BCHW * 255).round()


def test_a_further_view_follows_from_its_seed_and_is_another_drawing(sets: dict[str, DigitSet]) -> None:
    train = sets["train"]
    kept = (train.__getitems__([Draw(index, 9) for index in range(40)]).images_BCHW * 255).round()
    first, again, other = redrawn(train, 1), redrawn(train, 1), redrawn(train, 1000)
    assert torch.equal(first, again)
    for one, two in ((first, other), (first, kept)):
        assert (one != two).flatten(1).any(1).all()


def test_a_further_view_shows_the_same_handwriting_on_the_same_family(sets: dict[str, DigitSet]) -> None:
    train = sets["train"]
    draws = [Draw(index, index, view=1) for index in range(600)]
    batch = train.__getitems__(draws)
    assert torch.equal(batch.labels_B, train.labels_N[:600])
    views = DigitSet(
        name="views",
        images_NCHW=(batch.images_BCHW * 255).round().to(torch.uint8),
        ink_NHW=batch.background_BHW == 0,
        labels_N=batch.labels_B,
        families_N=train.families_N[:600],
        glyphs_N88=train.glyphs_N88[:600],
    )
    own = hues(views, SEEN) == views.families_N[:, None, None]
    kept = hues(train, SEEN)[:600] == views.families_N[:, None, None]
    assert own.float().mean() == pytest.approx(kept.float().mean().item(), abs=0.02)
    assert views.ink_NHW.float().mean() == pytest.approx(train.ink_NHW.float().mean().item(), abs=0.02)
