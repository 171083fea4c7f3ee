import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from PIL import Image

from trainables.config import (
    ConfigError,
    DogsVsCats,
    ImageFolder,
    LabelledFolder,
    OxfordPet,
    ShiftSet,
    Validation,
    experiment_from_tree,
)
from trainables.data import Batch, DataBundle, Draw, ImageError, ImageSet, build_data, left_out_of

HELD_OUT = Validation(source="held_out")
"""The folders as they are."""


def fetch(dataset: ImageSet) -> Batch:
    return dataset.__getitems__([Draw(index, 0) for index in range(len(dataset))])


def paint(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 32), (10, 20, 30)).save(path)


def folders(root: Path, shift: Mapping[str, ShiftSet] | None = None) -> DataBundle:
    return build_data(ImageFolder(root=str(root), image_size=32, shift=dict(shift or {}), validation=HELD_OUT))


@pytest.fixture
def asirra(tmp_path: Path) -> Path:
    for name in ("dog.2", "dog.10", "cat.3", "cat.20"):
        paint(tmp_path / "dogs-vs-cats" / "train" / f"{name}.jpg")
    paint(tmp_path / "dogs-vs-cats" / "train" / "cat.copy.jpg")
    return tmp_path


def test_classes_are_sorted_folders(folder_root: Path) -> None:
    bundle = folders(folder_root)
    assert bundle.class_names == ("cat", "dog", "fox")
    assert fetch(bundle.val).labels_B.tolist() == [0, 0, 1, 1, 2, 2]
    assert fetch(bundle.val).ids == ("cat__0", "cat__1", "dog__0", "dog__1", "fox__0", "fox__1")
    assert len(bundle.train) == 12


def test_nested_folders_belong_to_their_class(folder_root: Path) -> None:
    paint(folder_root / "val" / "dog" / "puppies" / "0.png")
    (folder_root / "val" / "dog" / "notes.txt").write_text("no image")
    batch = fetch(folders(folder_root).val)
    assert batch.ids[2:5] == ("dog__0", "dog__1", "dog__puppies__0")
    assert batch.labels_B.tolist() == [0, 0, 1, 1, 1, 2, 2]


def test_train_and_val_must_agree(folder_root: Path) -> None:
    (folder_root / "val" / "fox").rename(folder_root / "val" / "wolf")
    with pytest.raises(ConfigError, match="same classes; only the first has fox, only the second has wolf"):
        folders(folder_root)


def test_unicode_forms_are_one_class_in_the_order_of_the_folders(folder_root: Path, tmp_path: Path) -> None:
    """The training set has é composed, the validation set decomposed, and the shifted set both."""
    composed, decomposed = "\u00e9pagneul", "e\u0301pagneul"
    (folder_root / "train" / "fox").rename(folder_root / "train" / composed)
    (folder_root / "val" / "fox").rename(folder_root / "val" / decomposed)
    for seed, name in enumerate((composed, decomposed)):
        paint(tmp_path / "shifted" / name / f"{seed}.png")
    bundle = folders(folder_root, {"sketch": LabelledFolder(root=str(tmp_path / "shifted"))})
    assert bundle.class_names == ("cat", "dog", composed)
    assert fetch(bundle.train).labels_B.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert fetch(bundle.val).labels_B.tolist() == [0, 0, 1, 1, 2, 2]
    assert fetch(bundle.shift["sketch"]).labels_B.tolist() == [2, 2]


def test_the_order_of_classes_is_that_of_their_names_on_disk(folder_root: Path) -> None:
    """A decomposed \u00e9 sorts as e, before f; so it did when its name was not composed."""
    for split in ("train", "val"):
        (folder_root / split / "cat").rename(folder_root / split / "e\u0301")
    assert folders(folder_root).class_names == ("dog", "\u00e9", "fox")


def test_hidden_files_and_folders_do_not_count(folder_root: Path) -> None:
    expected = fetch(folders(folder_root).train)
    for split in ("train", "val"):
        for name in (".ipynb_checkpoints", "__MACOSX", ".cache"):
            paint(folder_root / split / name / "cat-checkpoint.png")
    for name in (".ipynb_checkpoints/0.png", "__MACOSX/0.png", "._0.png", ".0.jpg"):
        paint(folder_root / "train" / "cat" / name)
    for name in ("Thumbs.db", "desktop.ini", ".DS_Store"):
        (folder_root / "train" / "dog" / name).write_bytes(b"no image")
    bundle = folders(folder_root)
    assert bundle.class_names == ("cat", "dog", "fox")
    assert fetch(bundle.train).ids == expected.ids
    assert left_out_of(bundle) is None


def test_endings_are_read_or_left_out_by_name(folder_root: Path) -> None:
    cats = folder_root / "train" / "cat"
    for number, ending in enumerate((".jfif", ".gif", ".jpe", ".JPG")):
        paint(cats / "new.jpg")
        with Image.open(cats / "new.jpg") as image:
            image.save(cats / f"new{number}{ending}", format="GIF" if ending == ".gif" else "JPEG")
    (cats / "new.jpg").rename(cats / "new")
    (folder_root / "train" / "readme.txt").write_text("no image")
    paint(folder_root / "val" / "dog" / "deep" / "image.png")
    (folder_root / "val" / "dog" / "deep" / "image.png").rename(folder_root / "val" / "dog" / "deep" / "image")
    bundle = folders(folder_root)
    assert fetch(bundle.train).ids[4:8] == ("cat__new0", "cat__new1", "cat__new2", "cat__new3")
    endings = ".jpg, .jpeg, .png, .ppm, .bmp, .pgm, .tif, .tiff, .webp, .jpe, .jfif, .gif"
    assert left_out_of(bundle) == (
        f"train: left out (2): {folder_root}/train/readme.txt, {cats}/new; the names of images end in {endings}; "
        f"val: left out (1): {folder_root}/val/dog/deep/image; the names of images end in {endings}"
    )


class TestLinks:
    def test_a_link_is_followed_and_each_real_folder_read_once(self, folder_root: Path, tmp_path: Path) -> None:
        cats = folder_root / "val" / "cat"
        paint(tmp_path / "elsewhere" / "2.png")
        (cats / "more").symlink_to(tmp_path / "elsewhere")
        (cats / "same").symlink_to(tmp_path / "elsewhere")
        (tmp_path / "elsewhere" / "up").symlink_to(cats)
        assert fetch(folders(folder_root).val).ids[:3] == ("cat__0", "cat__1", "cat__more__2")

    @pytest.mark.parametrize("target", ["..", "../..", "../../.."])
    def test_a_link_to_a_folder_that_holds_it_is_refused(self, folder_root: Path, target: str) -> None:
        (folder_root / "train" / "cat" / "all").symlink_to(target)
        real = (folder_root / "train" / "cat" / target).resolve()
        message = rf"^data: .*train/cat/all is a link to {real}, which holds it; remove the link$"
        with pytest.raises(ConfigError, match=message):
            folders(folder_root)

    def test_a_folder_of_two_classes_is_refused(self, folder_root: Path) -> None:
        (folder_root / "train" / "cat" / "more").symlink_to("../dog")
        message = r"^data: .*train/dog and a folder of the class cat are the same, .*train/dog; remove the link$"
        with pytest.raises(ConfigError, match=message):
            folders(folder_root)

    def test_a_link_to_nothing_is_named(self, folder_root: Path) -> None:
        (folder_root / "train" / "cat" / "more").symlink_to("nowhere")
        (folder_root / "train" / "cat" / "9.png").symlink_to("9.png")
        bundle = folders(folder_root)
        assert (left_out_of(bundle) or "").startswith(f"train: left out (1): {folder_root}/train/cat/more; ")
        with pytest.raises(ImageError, match=r"cat/9\.png cannot be read \(Too many levels of symbolic links\)"):
            fetch(bundle.train)


def test_a_class_without_images_is_named(folder_root: Path) -> None:
    shutil.rmtree(folder_root / "train" / "fox")
    (folder_root / "train" / "fox").mkdir()
    with pytest.raises(ConfigError, match=r"data: .*train has no image of the classes fox \(\.jpg, "):
        folders(folder_root)


def test_a_class_whose_name_is_not_utf_8_is_named(folder_root: Path) -> None:
    for split in ("train", "val"):
        (folder_root / split / "fox").rename(folder_root / split / os.fsdecode(b"f\xf8x"))
    with pytest.raises(ConfigError, match=r"train has classes whose names are not UTF-8: \['f.udcf8x'\]"):
        folders(folder_root)


@pytest.mark.parametrize("make", [True, False])
def test_a_folder_that_is_missing_or_empty_is_named(tmp_path: Path, make: bool) -> None:
    if make:
        (tmp_path / "train").mkdir()
    with pytest.raises(ConfigError, match=r"data: .*train should be a folder that holds one folder for each class"):
        folders(tmp_path)


def test_a_shifted_folder_carries_the_training_labels(folder_root: Path, tmp_path: Path) -> None:
    for name in ("fox", "cat"):
        paint(tmp_path / "shifted" / name / "0.png")
    shift = folders(folder_root, {"sketch": LabelledFolder(root=str(tmp_path / "shifted"))}).shift["sketch"]
    assert shift.class_names == ("cat", "dog", "fox")
    assert fetch(shift).labels_B.tolist() == [0, 2]


def test_a_shifted_folder_with_another_class_is_refused(folder_root: Path, tmp_path: Path) -> None:
    for name in ("fox", "wolf"):
        paint(tmp_path / "shifted" / name / "0.png")
    message = r"data\.shift\.sketch: its classes wolf .*it has fox, wolf, and the training set has cat, dog, fox"
    with pytest.raises(ConfigError, match=message):
        folders(folder_root, {"sketch": LabelledFolder(root=str(tmp_path / "shifted"))})


def test_dogs_vs_cats_takes_the_training_sets_root_and_labels(pet_root: Path, asirra: Path) -> None:
    assert pet_root == asirra
    config = OxfordPet(root=str(pet_root), image_size=32, labels="species", shift={"asirra": DogsVsCats()})
    shift = build_data(config).shift["asirra"]
    assert fetch(shift).ids == ("cat.3", "cat.20", "dog.2", "dog.10")
    assert fetch(shift).labels_B.tolist() == [0, 0, 1, 1]
    assert not fetch(shift).has_mask_B.any()


def test_dogs_vs_cats_labels_are_mapped_by_name(folder_root: Path, asirra: Path) -> None:
    for split in ("train", "val"):
        shutil.copytree(folder_root / split / "fox", folder_root / split / "ant")
    shift = folders(folder_root, {"asirra": DogsVsCats(root=str(asirra))}).shift["asirra"]
    assert shift.class_names == ("ant", "cat", "dog", "fox")
    assert fetch(shift).labels_B.tolist() == [1, 1, 2, 2]


def test_dogs_vs_cats_does_not_fit_breeds(pet_root: Path, asirra: Path) -> None:
    config = OxfordPet(
        root=str(pet_root), image_size=32, labels="present_breed", shift={"asirra": DogsVsCats(root=str(asirra))}
    )
    message = (
        r"data\.shift\.asirra: its classes cat, dog .*it has cat, dog, and the training set has Abyssinian, beagle"
    )
    with pytest.raises(ConfigError, match=message):
        build_data(config)


def test_dogs_vs_cats_reads_other_endings_and_names_what_it_leaves_out(folder_root: Path, asirra: Path) -> None:
    images = asirra / "dogs-vs-cats" / "train"
    (images / "cat.3.jpg").rename(images / "cat.3.JPG")
    (images / "._cat.20.jpg").write_bytes(b"no image")
    bundle = folders(folder_root, {"asirra": DogsVsCats(root=str(asirra))})
    assert fetch(bundle.shift["asirra"]).ids == ("cat.3", "cat.20", "dog.2", "dog.10")
    assert (left_out_of(bundle) or "").startswith(f"shift.asirra: left out (1): {images}/cat.copy.jpg; ")
    paint(images / "cat.3.jpeg")
    with pytest.raises(ConfigError, match=r"dogs-vs-cats/train lists more than once: cat\.3$"):
        folders(folder_root, {"asirra": DogsVsCats(root=str(asirra))})


def test_dogs_vs_cats_missing(folder_root: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"data\.shift\.asirra: there is no cat\.N\.jpg .*set data\.shift\.asirra\.root"
    ):
        folders(folder_root, {"asirra": DogsVsCats()})


def test_a_corrupt_shifted_image_names_its_own_setting(folder_root: Path, asirra: Path) -> None:
    (asirra / "dogs-vs-cats" / "train" / "cat.3.jpg").write_bytes(b"")
    shift = folders(folder_root, {"asirra": DogsVsCats(root=str(asirra))}).shift["asirra"]
    with pytest.raises(ImageError, match=r"cat\.3\.jpg .*set data\.shift\.asirra\.on_error=skip"):
        fetch(shift)
    skipping = folders(folder_root, {"asirra": DogsVsCats(root=str(asirra), on_error="skip")}).shift["asirra"]
    assert fetch(skipping).ids == ("cat.20", "dog.2", "dog.10")
    assert skipping.num_skipped == 1


@pytest.mark.data
def test_real_folders(real_images_root: str) -> None:
    config = ImageFolder(
        root=f"{real_images_root}/cifar10",
        val="test",
        image_size=32,
        shift={"asirra": DogsVsCats(root=real_images_root)},
    )
    bundle = build_data(config)
    assert [len(images) for images in (bundle.train, bundle.val, bundle.test)] == [8000, 2000, 2000]
    assert bundle.class_names[3] == "cat"
    assert set(fetch(bundle.shift["asirra"]).labels_B.tolist()) == {3, 5}


class TestMasks:
    """Masks that have the names of their images: the left half of each is object."""

    def masked(self, root: Path, **masks: object) -> DataBundle:
        config = ImageFolder.model_validate(
            {"root": str(root), "image_size": 32, "validation": HELD_OUT, "masks": masks}
        )
        return build_data(config)

    def mask(self, path: Path, value: int = 255) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.new("L", (60, 48))
        image.paste(value, (0, 0, 30, 48))
        image.save(path)

    def test_a_parallel_folder_has_some_of_the_masks(self, folder_root: Path) -> None:
        for name in ("train/cat/1.png", "train/dog/0.bmp", "val/fox/1.tif"):
            self.mask(folder_root / "masks" / name)
        bundle = self.masked(folder_root, kind="nonzero", folder="masks")
        train, val = fetch(bundle.train_unaugmented), fetch(bundle.val)
        assert [id_ for id_, has in zip(train.ids, train.has_mask_B, strict=True) if has] == ["cat__1", "dog__0"]
        assert [id_ for id_, has in zip(val.ids, val.has_mask_B, strict=True) if has] == ["fox__1"]
        assert train.background_BHW[1, 0].tolist() == [0] * 16 + [1] * 16

    def test_a_mask_next_to_its_image_is_no_image(self, folder_root: Path) -> None:
        self.mask(folder_root / "train" / "dog" / "2_mask.png", value=3)
        bundle = self.masked(folder_root, kind="equal", suffix="_mask", value=3)
        batch = fetch(bundle.train_unaugmented)
        assert len(batch) == 12
        assert [id_ for id_, has in zip(batch.ids, batch.has_mask_B, strict=True) if has] == ["dog__2"]

    def test_masks_that_are_nowhere_are_named(self, folder_root: Path) -> None:
        message = rf"none of the 12 images in .*train has a mask; looked for {folder_root}/m/train/cat/0\.\* and the"
        with pytest.raises(ConfigError, match=message):
            self.masked(folder_root, kind="nonzero", folder="m")

    def test_masks_change_the_digest(self, folder_root: Path) -> None:
        self.mask(folder_root / "masks" / "train" / "cat" / "1.png")
        assert (
            self.masked(folder_root, kind="soft", folder="masks").train.digest() != folders(folder_root).train.digest()
        )

    @pytest.mark.parametrize(
        ("masks", "message"),
        [
            ({"kind": "nonzero"}, "data.masks needs data.masks.folder, a folder with masks of the images' names, or"),
            ({"kind": "equal", "folder": "m"}, "data.masks.value = null needs a table"),
            ({"kind": "equal", "folder": "m", "value": "label"}, "data.masks.value = label needs a table"),
        ],
    )
    def test_what_only_a_table_has_is_refused(self, masks: dict[str, str], message: str) -> None:
        with pytest.raises(ConfigError) as raised:
            experiment_from_tree({"data": {"kind": "image_folder", "root": "/p", "masks": masks}})
        assert str(raised.value).startswith(f"config: {message}")
