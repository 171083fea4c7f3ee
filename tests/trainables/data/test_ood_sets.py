from pathlib import Path

import pytest

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
        with pytest.raises(ConfigError, match=r"sets\.elsewhere\.root: left out, but data\.kind=spurious_digits"):
            build(DIGITS, FolderSet(role=NEAR))

    def test_missing_folders_are_named(self, root: Path) -> None:
        with pytest.raises(ConfigError, match=r"suite\.ood\.sets\.elsewhere: there is no folder .*/tame; set"):
            build(image_files(root), FolderSet(role=NEAR, folder="tame"))
        with pytest.raises(ConfigError, match=r"there is no folder .*wild/d, .*wild/e; set"):
            build(image_files(root), FolderSet(role=NEAR, folder="wild", classes=("a", "d", "e")))

    def test_a_folder_without_images_is_refused(self, root: Path) -> None:
        (root / "wild" / "empty").mkdir()
        with pytest.raises(ConfigError, match=r"sets\.elsewhere: found no images below .*empty"):
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
    with pytest.raises(ConfigError, match=r"chimera_digits needs data\.kind=spurious_digits, found image_folder"):
        build(image_files(root), ChimeraSet(role=NEAR))


def test_default_sets_need_no_files(tmp_path: Path) -> None:
    roles = {
        name: section.role
        for config in (DIGITS, image_files(tmp_path))
        for name, section in default_ood_sets(config).items()
    }
    assert roles == {"chimeras": "near", "textures": "validation", "noise": "far", "uniform_noise": "validation"}
    assert default_ood_sets(DIGITS)["textures"].role == "far"
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
