import hashlib
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.datasets import OxfordIIITPet

from trainables.config import ConfigError, DogsVsCats, OxfordPet
from trainables.data import (
    Batch,
    DataBundle,
    Draw,
    ImageError,
    ImageSet,
    build_data,
    evaluation_batches,
    training_batches,
)
from trainables.data.oxford_pet import BREEDS, trimap_background

HELD_OUT = {"source": "held_out"}
"""The lists of the publisher as they are."""


def bundle(root: Path, **fields: object) -> DataBundle:
    return build_data(OxfordPet.model_validate({"root": str(root), "image_size": 48, "validation": HELD_OUT, **fields}))


def fetch(dataset: ImageSet) -> Batch:
    return dataset.__getitems__([Draw(index, 0) for index in range(len(dataset))])


def test_breeds_are_the_37_official_ones_in_order_of_class_id() -> None:
    assert len(set(BREEDS)) == 37
    assert list(BREEDS) == sorted(BREEDS, key=str.lower)
    assert (BREEDS[0], BREEDS[5], BREEDS[32], BREEDS[36]) == ("Abyssinian", "Bengal", "Siamese", "yorkshire_terrier")


@pytest.mark.parametrize(
    ("labels", "class_names", "train", "val"),
    [
        ("breed", BREEDS, [0, 0, 4, 25], [0, 4, 29]),
        ("species", ("cat", "dog"), [0, 0, 1, 1], [0, 1, 1]),
        ("present_breed", ("Abyssinian", "beagle", "pug", "samoyed"), [0, 0, 1, 2], [0, 1, 3]),
    ],
)
def test_labels(pet_root: Path, labels: str, class_names: tuple[str, ...], train: list[int], val: list[int]) -> None:
    pets = bundle(pet_root, labels=labels)
    assert pets.class_names == pets.train.class_names == pets.val.class_names == class_names
    assert fetch(pets.train).labels_B.tolist() == train
    assert fetch(pets.val).labels_B.tolist() == val
    assert fetch(pets.val).ids == ("Abyssinian_3", "beagle_2", "samoyed_7")


def test_only_the_images_of_the_named_breeds_are_read(pet_root: Path) -> None:
    pets = bundle(pet_root, labels="present_breed", breeds=["beagle", "Abyssinian"])
    assert pets.class_names == ("Abyssinian", "beagle")
    assert fetch(pets.train).labels_B.tolist() == [0, 0, 1]
    assert fetch(pets.val).ids == ("Abyssinian_3", "beagle_2")


def test_a_breed_that_a_list_lacks_is_named_with_those_that_it_has(pet_root: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.breeds: .*test\.txt has no pug; it has Abyssinian, beagle, samoyed$"):
        bundle(pet_root, breeds=["Abyssinian", "pug"])


def test_trimap_boundary_is_background() -> None:
    assert trimap_background(torch.tensor([1, 2, 3]), None).tolist() == [0, 1, 1]


def test_background_is_what_the_trimap_says(pet_root: Path) -> None:
    # The 60 x 48 images are cropped to their central 48 columns: the object's columns 16 to 43 become 10 to 37.
    expected_HW = torch.ones(48, 48)
    expected_HW[12:36, 10:38] = 0
    assert torch.equal(fetch(bundle(pet_root).val).background_BHW, expected_HW.expand(3, 48, 48))


def test_missing_folder_tells_the_layout_and_the_download(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"trainval\.txt cannot be read .*looked for .*/oxford-iiit-pet/images/\*\.jpg"
    ) as error:
        bundle(tmp_path)
    assert "data.download=true" in str(error.value)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("Abyssinian_9 1 1", "expected a breed's <name>_<number>"),
        ("Abyssinian_9 one 1 1", "expected a breed's <name>_<number>"),
        ("Abyssinian_9 38 1 1", "class id from 1 to 37"),
        ("Abyssinian_9 1 3 1", "species 1 or 2"),
        ("beagle_9 1 1 1", "beagle_9 has class id 1, which is Abyssinian"),
        ("beagle_9 5 1 4", "beagle_9 has species 1, and a dog has species 2"),
        ("Abyssinian_9 1 2 1", "Abyssinian_9 has species 2, and a cat has species 1"),
        ("Abyssinian_1 1 1 1", "lists more than once: Abyssinian_1"),
    ],
)
def test_a_wrong_line_is_named(pet_root: Path, line: str, message: str) -> None:
    path = pet_root / "oxford-iiit-pet" / "annotations" / "trainval.txt"
    path.write_text(f"# a comment\nAbyssinian_1 1 1 1\n\n{line}\n")
    with pytest.raises(ConfigError, match=message) as error:
        bundle(pet_root)
    assert str(path) in str(error.value)
    assert "line 4" in str(error.value) or "more than once" in message


def test_an_image_in_both_lists_is_named(pet_root: Path) -> None:
    path = pet_root / "oxford-iiit-pet" / "annotations" / "test.txt"
    path.write_text(path.read_text() + "beagle_1 5 2 4\n")
    with pytest.raises(ConfigError, match=r"trainval\.txt and .*test\.txt both list 1 of the images: beagle_1;"):
        bundle(pet_root)


def test_the_twelve_cats_are_those_with_a_capital() -> None:
    assert sum(breed[0].isupper() for breed in BREEDS) == 12


@pytest.mark.parametrize(("encoding", "refused"), [("utf-8-sig", False), ("utf-16", True)])
def test_a_list_may_start_with_a_mark_of_its_encoding(pet_root: Path, encoding: str, refused: bool) -> None:
    path = pet_root / "oxford-iiit-pet" / "annotations" / "test.txt"
    path.write_text(path.read_text(), encoding=encoding)
    if refused:
        with pytest.raises(ConfigError, match=r"test\.txt is not in UTF-8"):
            bundle(pet_root)
    else:
        assert len(bundle(pet_root).val) == 3


def test_a_trimap_of_other_values_is_named(pet_root: Path) -> None:
    path = pet_root / "oxford-iiit-pet" / "annotations" / "trimaps" / "beagle_2.png"
    trimap = np.array(Image.open(path))
    trimap[0, 0], trimap[0, 1] = 0, 255
    Image.fromarray(trimap).save(path)
    with pytest.raises(ImageError, match=r"beagle_2\.png has the values 0, 255; a trimap has only 1 \(object\), 2"):
        fetch(bundle(pet_root).val)


def test_an_empty_list_is_refused(pet_root: Path) -> None:
    (pet_root / "oxford-iiit-pet" / "annotations" / "test.txt").write_text("# nothing\n")
    with pytest.raises(ConfigError, match=r"test\.txt lists no images"):
        bundle(pet_root)


def pack(folder: Path, name: str) -> str:
    """Pack a folder as the archives of the data set's site are packed; return the archive's MD5."""
    path = folder / f"{name}.tar.gz"
    with tarfile.open(path, "w:gz") as packed:
        packed.add(folder / "oxford-iiit-pet" / name, arcname=name)
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


# torchvision unpacks without the filter that Python 3.12 asks for.
@pytest.mark.filterwarnings("ignore:Python 3.14 will, by default, filter:DeprecationWarning")
def test_download_fetches_what_is_missing(
    pet_root: Path,
    serve: Callable[[Path], str],
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    site = serve(pet_root)
    resources = tuple((f"{site}/{name}.tar.gz", pack(pet_root, name)) for name in ("images", "annotations"))
    monkeypatch.setattr(OxfordIIITPet, "_RESOURCES", resources)
    target = tmp_path_factory.mktemp("fetched") / "new"
    fetched = bundle(target, download=True)
    assert fetched.train.digest() == bundle(pet_root).train.digest()
    monkeypatch.setattr(OxfordIIITPet, "_RESOURCES", ())
    assert len(bundle(target, download=True).val) == 3


def test_a_failed_download_says_what_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OxfordIIITPet, "_RESOURCES", (((tmp_path / "gone.tar.gz").as_uri(), "0"),))
    with pytest.raises(ConfigError, match=r"data\.download: Oxford-IIIT Pet could not be fetched into .*gone"):
        bundle(tmp_path / "target", download=True)


@pytest.mark.data
def test_real_images(real_images_root: str) -> None:
    config = OxfordPet(root=real_images_root, image_size=64, labels="species", shift={"asirra": DogsVsCats()})
    pets = build_data(config)
    assert [len(images) for images in (pets.train, pets.val, pets.test, pets.shift["asirra"])] == [328, 82, 178, 1007]
    batch = next(iter(training_batches(pets.train, batch_size=16, seed=0, epoch=0)))
    assert batch.images_BCHW.shape == (16, 3, 64, 64)
    assert 0.2 < batch.images_BCHW.mean() < 0.8
    val = list(evaluation_batches(pets.test, batch_size=64))
    assert all(bool(part.has_mask_B.all()) for part in val)
    assert 0.4 < torch.cat([part.background_BHW for part in val]).mean() < 0.7


@pytest.mark.data
def test_real_trimaps_against_pixels_counted_here(real_images_root: str) -> None:
    present = build_data(OxfordPet(root=real_images_root, image_size=64, labels="present_breed"))
    assert present.class_names == BREEDS[:6]
    batch = present.val.__getitems__([Draw(0, 0)])
    trimap = np.array(Image.open(f"{real_images_root}/oxford-iiit-pet/annotations/trimaps/{batch.ids[0]}.png"))
    height, width = trimap.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    share = (trimap[top : top + side, left : left + side] != 1).mean()
    assert batch.background_BHW.mean().item() == pytest.approx(share, abs=0.02)
