"""Sets of images of no class: folders, noise and textures, and chimeras."""

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from tests.trainables.data.conftest import paint
from trainables.config import (
    ChimeraSet,
    ConfigError,
    DataConfig,
    FolderSet,
    ImageFolder,
    NoiseSet,
    OodSet,
    SpuriousDigits,
    TextureSet,
)
from trainables.data import NO_CLASS, Batch, Draw, ImageError, ImageSet, build_ood_set, default_ood_sets
from trainables.data.ood_sets import (
    DrawnSet,
    bare_texture,
    draw_chimeras,
    join_halves,
    normal_noise,
    pairs_of_two_classes,
    uniform_noise,
)
from trainables.data.spurious_digits import build_spurious_digits, held_out_glyphs
from trainables.data.textures import LUMINANCE_NOISE, NUM_FAMILIES, SEEN, Array, Rng

DIGITS = SpuriousDigits(num_train=20, num_test=10, image_size=32)
NEAR = "near"


def image_files(root: Path) -> ImageFolder:
    return ImageFolder(root=str(root), image_size=32)


def build(config: DataConfig, section: OodSet, *, num: int = 6, seed: int = 0) -> ImageSet:
    return build_ood_set(config, section, name="elsewhere", num=num, seed=seed)


def fetch(images: ImageSet) -> Batch:
    return images.__getitems__([Draw(index, 0) for index in range(len(images))])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for seed, name in enumerate(["a/1.png", "a/deeper/1.JPG", "b/1.png", "b/2.png", "c/1.png"]):
        paint(tmp_path / "wild" / name, seed=seed)
    (tmp_path / "wild" / "a" / "notes.txt").write_text("no image")
    return tmp_path


class TestFolder:
    def test_takes_every_image_below_the_training_sets_root(self, root: Path) -> None:
        images = build(image_files(root), FolderSet(role=NEAR, folder="wild"))
        batch = fetch(images)
        assert batch.ids == ("a__1", "a__deeper__1", "b__1", "b__2", "c__1")
        assert batch.images_BCHW.shape == (5, 3, 32, 32)
        assert batch.labels_B.tolist() == [NO_CLASS] * 5
        assert batch.has_mask_B.tolist() == [False] * 5
        assert images.class_names == ()

    def test_takes_the_named_classes_alone(self, root: Path) -> None:
        section = FolderSet(role=NEAR, root=str(root), folder="wild", classes=("c", "a", "c"))
        assert fetch(build(DIGITS, section)).ids == ("a__1", "a__deeper__1", "c__1")

    def test_follows_links(self, root: Path) -> None:
        (root / "linked").mkdir()
        (root / "linked" / "b").symlink_to(root / "wild" / "b")
        assert fetch(build(image_files(root), FolderSet(role=NEAR, folder="linked"))).ids == ("b__1", "b__2")

    def test_digest_tells_folders_apart(self, root: Path) -> None:
        sections = [FolderSet(role=NEAR, folder="wild", classes=(name,)) for name in "abc"]
        assert len({build(image_files(root), section).digest() for section in sections}) == 3

    def test_digits_have_no_root_to_stand_in(self) -> None:
        with pytest.raises(ConfigError, match=r"sets\.elsewhere\.root: missing, and data\.kind=spurious_digits"):
            build(DIGITS, FolderSet(role=NEAR))

    def test_missing_folders_are_named(self, root: Path) -> None:
        with pytest.raises(ConfigError, match=r"suite\.ood\.sets\.elsewhere: there is no folder .*/tame; set"):
            build(image_files(root), FolderSet(role=NEAR, folder="tame"))
        with pytest.raises(ConfigError, match=r"there is no folder .*wild/d, .*wild/e; set"):
            build(image_files(root), FolderSet(role=NEAR, folder="wild", classes=("a", "d", "e")))

    def test_a_folder_without_images_is_refused(self, root: Path) -> None:
        (root / "wild" / "empty").mkdir()
        with pytest.raises(ConfigError, match=r"sets\.elsewhere: there are no images below .*empty"):
            build(image_files(root), FolderSet(role=NEAR, folder="wild/empty"))

    def test_a_corrupt_image_stops_or_is_skipped_as_its_own_setting_says(self, root: Path) -> None:
        (root / "wild" / "b" / "1.png").write_bytes(b"no image")
        with pytest.raises(ImageError, match=r"set evaluation\.suite\.ood\.sets\.elsewhere\.on_error=skip"):
            fetch(build(image_files(root), FolderSet(role=NEAR, folder="wild")))
        skipping = build(image_files(root), FolderSet(role=NEAR, folder="wild", on_error="skip"))
        assert fetch(skipping).ids == ("a__1", "a__deeper__1", "b__2", "c__1")
        assert skipping.num_skipped == 1


@pytest.mark.parametrize(
    ("section", "first_id"),
    [
        (TextureSet(role=NEAR), "texture-00000"),
        (NoiseSet(role=NEAR), "normal-noise-00000"),
        (NoiseSet(role=NEAR, distribution="uniform"), "uniform-noise-00000"),
        (ChimeraSet(role=NEAR), "chimera-00000"),
    ],
)
def test_drawn_sets_have_the_training_sets_size_and_follow_from_the_seed(section: OodSet, first_id: str) -> None:
    images = build(DIGITS, section)
    batch = fetch(images)
    assert batch.ids[0] == first_id
    assert batch.images_BCHW.shape == (6, 3, 32, 32)
    assert batch.labels_B.tolist() == [NO_CLASS] * 6
    assert build(DIGITS, section).digest() == images.digest()
    assert build(DIGITS, section, seed=1).digest() != images.digest()


def test_chimeras_need_digits(root: Path) -> None:
    with pytest.raises(ConfigError, match=r"chimera_digits needs data\.kind=spurious_digits, but it is image_folder"):
        build(image_files(root), ChimeraSet(role=NEAR))


def test_default_sets_need_no_files(tmp_path: Path) -> None:
    roles = [
        {name: section.role for name, section in default_ood_sets(config).items()}
        for config in (DIGITS, image_files(tmp_path))
    ]
    assert roles == [{"chimeras": "near", "textures": "far", "noise": "far"}, {"noise": "far"}]
    for config in (DIGITS, image_files(tmp_path)):
        for section in default_ood_sets(config).values():
            assert len(build(config, section)) == 6


@pytest.mark.data
def test_real_folders(real_images_root: str) -> None:
    config = ImageFolder(root=real_images_root, image_size=64)
    vehicles = build(config, FolderSet(role="far", folder="cifar10/test", classes=("ship", "truck")))
    assert {id_.split("__")[0] for id_ in fetch(vehicles).ids} == {"ship", "truck"}
    ecssd = build(config, FolderSet(role="far", folder="ecssd/images"))
    assert len(ecssd) == 501
    assert ecssd.__getitems__([Draw(500, 0)]).images_BCHW.shape == (1, 3, 64, 64)


KINDS = [normal_noise, uniform_noise, bare_texture]
Kind = Callable[[int, Rng], Array]


def drawn(draw: Kind, *, num: int = 5, seed: int = 7, image_size: int = 32) -> DrawnSet:
    return DrawnSet("kind", num, image_size, seed, draw)


@pytest.mark.parametrize("draw", KINDS)
def test_an_image_follows_from_seed_and_index_alone(draw: Kind) -> None:
    before = torch.random.get_rng_state()
    whole = drawn(draw).__getitems__([Draw(index, 0) for index in range(5)])
    assert torch.equal(torch.random.get_rng_state(), before)
    backwards = pickle.loads(pickle.dumps(drawn(draw, num=9))).__getitems__([Draw(3, 11), Draw(1, 12)])
    assert torch.equal(backwards.images_BCHW, whole.images_BCHW[[3, 1]])
    assert backwards.ids == ("kind-00003", "kind-00001")
    other = drawn(draw, seed=8).__getitems__([Draw(3, 0)])
    assert not torch.equal(other.images_BCHW[0], whole.images_BCHW[3])
    assert not torch.equal(whole.images_BCHW[0], whole.images_BCHW[1])


@pytest.mark.parametrize("draw", KINDS)
def test_batches_have_the_declared_form(draw: Kind) -> None:
    batch = drawn(draw).__getitems__([Draw(0, 0), Draw(4, 0)])
    assert batch.images_BCHW.shape == (2, 3, 32, 32)
    assert batch.images_BCHW.dtype == torch.float32
    levels = batch.images_BCHW * 255
    assert torch.equal((levels.round() / 255), batch.images_BCHW)
    assert levels.min() >= 0
    assert levels.max() <= 255
    assert batch.labels_B.tolist() == [NO_CLASS, NO_CLASS]
    assert batch.labels_B.dtype == torch.int64
    assert batch.background_BHW.shape == (2, 32, 32)
    assert not batch.background_BHW.any()
    assert batch.has_mask_B.tolist() == [False, False]
    assert len(drawn(draw).__getitems__([])) == 0


def test_normal_noise_is_clipped_at_half_a_standard_deviation() -> None:
    noise_CHW = normal_noise(128, np.random.default_rng(0))
    assert (noise_CHW == 0).mean() == pytest.approx(0.3085, abs=0.01)
    assert (noise_CHW == 1).mean() == pytest.approx(0.3085, abs=0.01)
    assert noise_CHW.mean() == pytest.approx(0.5, abs=0.01)


def test_uniform_noise_has_the_moments_of_the_uniform_distribution() -> None:
    noise_CHW = uniform_noise(128, np.random.default_rng(0))
    assert noise_CHW.mean() == pytest.approx(1 / 2, abs=0.01)
    assert noise_CHW.var() == pytest.approx(1 / 12, abs=0.005)


def test_a_bare_texture_shows_the_hues_of_training_and_nothing_else() -> None:
    texture_CHW = bare_texture(48, np.random.default_rng(0))
    distances = np.abs(texture_CHW[:, None] - SEEN.T[:, :, None, None]).max(0).min(0)
    assert distances.max() < 5 * LUMINANCE_NOISE


def test_digest_covers_what_the_images_follow_from() -> None:
    digests = [
        drawn(normal_noise).digest(),
        drawn(normal_noise, num=6).digest(),
        drawn(normal_noise, seed=8).digest(),
        drawn(normal_noise, image_size=33).digest(),
        DrawnSet("other", 5, 32, 7, normal_noise).digest(),
    ]
    assert len(set(digests)) == len(digests)
    assert drawn(normal_noise).digest() == digests[0]


def test_halves_are_joined_in_the_middle() -> None:
    glyphs_N88 = np.arange(2 * 64, dtype=np.float32).reshape(2, 8, 8)
    joined_N88 = join_halves(glyphs_N88, glyphs_N88[::-1])
    assert joined_N88[0, :4].tolist() == glyphs_N88[0, :4].tolist()
    assert joined_N88[0, 4:].tolist() == glyphs_N88[1, 4:].tolist()
    assert joined_N88[1, :4].tolist() == glyphs_N88[1, :4].tolist()


def test_partners_are_of_another_class() -> None:
    labels_N = np.array([0, 0, 0, 0, 1, 2])
    first_N, second_N = pairs_of_two_classes(labels_N, 200, np.random.default_rng(0))
    assert len(first_N) == len(second_N) == 200
    assert (labels_N[first_N] != labels_N[second_N]).all()
    assert set(first_N.tolist()) == set(second_N.tolist()) == set(range(6))


def test_glyphs_are_those_that_training_never_shows() -> None:
    glyphs_N88, labels_N = held_out_glyphs(DIGITS)
    assert glyphs_N88.shape == (597, 8, 8)
    digits = load_digits()
    label_of = {image.tobytes(): label for image, label in zip(digits.images, digits.target, strict=True)}
    assert [label_of[(glyph * 16).astype(float).tobytes()] for glyph in glyphs_N88] == labels_N.tolist()


def test_chimeras_are_digits_in_all_but_class() -> None:
    chimeras = draw_chimeras(DIGITS, num=40, seed=3)
    batch = chimeras.__getitems__([Draw(index, 0) for index in range(40)])
    assert batch.images_BCHW.shape == (40, 3, 32, 32)
    assert batch.labels_B.tolist() == [NO_CLASS] * 40
    assert chimeras.class_names == ()
    assert len(set(batch.ids)) == 40
    assert set(chimeras.families_N.tolist()) == set(range(NUM_FAMILIES))
    digits = build_spurious_digits(DIGITS).val
    real = digits.__getitems__([Draw(index, 0) for index in range(10)])
    ink_B = 1 - batch.background_BHW.mean((1, 2))
    assert abs(ink_B.mean() - (1 - real.background_BHW.mean())) < 0.05


def test_chimeras_follow_from_the_seed() -> None:
    assert draw_chimeras(DIGITS, num=8, seed=3).digest() == draw_chimeras(DIGITS, num=8, seed=3).digest()
    assert draw_chimeras(DIGITS, num=8, seed=3).digest() != draw_chimeras(DIGITS, num=8, seed=4).digest()


def test_drawing_leaves_the_global_generators_alone() -> None:
    before = torch.random.get_rng_state(), np.random.get_state()[1].tolist()  # type: ignore[index]
    draw_chimeras(DIGITS, num=4, seed=0)
    assert torch.equal(torch.random.get_rng_state(), before[0])
    assert np.random.get_state()[1].tolist() == before[1]  # type: ignore[index]
