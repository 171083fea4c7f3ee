"""UrbanCars: which figure is of which group."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.trainables.data.sets.conftest import Read, background, groups, rows
from tests.trainables.set_trees import OBJECT, draw, mask, write_urbancars
from trainables.config import ConfigError
from trainables.evaluations.group_gaps import group_gaps
from trainables.evaluations.groups import adjusted_accuracy

EVERY = [f"{car} {bg} {other}" for car in "cu" for bg in "cu" for other in "cu"]
UNCOMMON = ((), ("co_occur_obj",), ("bg",), ("bg", "co_occur_obj"))
"""Of a country car: nothing, the urban object, the urban background, both."""


def short(names: list[str]) -> list[str]:
    """Return `c u c` for `label=country, bg=urban, co_occur_obj=country`."""
    return [" ".join(part.partition("=")[2][0] for part in name.split(", ")) for name in names]


def test_folders_say_car_background_and_second_object(tmp_path: Path, read: Read) -> None:
    data = read(**write_urbancars(tmp_path))
    assert data.class_names == ("country", "urban")
    assert short(groups(data.train)) == ["c c c"] * 3 + EVERY[1:-1] + ["u u u"] * 3
    assert short(groups(data.val)) == short(groups(data.test)) == EVERY
    assert rows(data.val)[1] == (
        "bg-0.5_co_occur_obj-0.5__val__obj-country_bg-country_co_occur_obj-urban__000",
        "country",
    )
    assert [label for _, label in rows(data.test)] == ["country"] * 4 + ["urban"] * 4


def test_the_car_is_the_object_and_the_second_object_is_background(tmp_path: Path, read: Read) -> None:
    settings = write_urbancars(tmp_path)
    folder = tmp_path / "urbancars" / "bg-0.5_co_occur_obj-0.5" / "val" / "obj-country_bg-country_co_occur_obj-country"
    draw(folder / "000_co_occur_obj_mask.png", mask(where=(slice(0, 5), slice(0, 5))))
    background_HW = background(read(**settings).val)
    assert (background_HW[OBJECT] == 0).all()
    assert background_HW.sum() == 48 * 60 - 24 * 28


def test_backgrounds_alone_are_no_training_images(tmp_path: Path, read: Read) -> None:
    """The publisher's urbancars_aug_gen_bg_only.py writes them next to the images."""
    settings = write_urbancars(tmp_path)
    folder = tmp_path / "urbancars" / "bg-0.95_co_occur_obj-0.95" / "train" / "obj-urban_bg-urban_co_occur_obj-urban"
    draw(folder / "000_bg_only.png")
    draw(folder / "001_obj_only.PNG")
    (folder / "002.jpg").rename(folder / "002.JPG")
    train = read(**settings).train
    assert [id_.rpartition("__")[2] for id_, _ in rows(train)][-3:] == ["000", "001", "002"]
    assert len(train) == 12


def test_gaps_are_those_of_the_paper(tmp_path: Path, read: Read) -> None:
    """In training, each car has 3 of 6 images on its own background with its own object, and 1 in each other group."""
    train: Any = read(**write_urbancars(tmp_path)).train
    assert train.group_uncommon == (*UNCOMMON, *reversed(UNCOMMON))
    accuracies_G = torch.tensor([1.0, 0.5, 0.25, 0.0, 0.5, 0.75, 0.5, 1.0]).double()
    proportions_G = train.groups().bincount().double() / 12
    in_distribution = adjusted_accuracy(accuracies_G, proportions_G)
    assert in_distribution == pytest.approx((3 + 0.5 + 0.25 + 0 + 0.5 + 0.75 + 0.5 + 3) / 12)
    assert group_gaps(accuracies_G, train.group_uncommon, in_distribution) == {
        "bg": pytest.approx((0.25 + 0.75) / 2 - in_distribution),
        "co_occur_obj": pytest.approx((0.5 + 0.5) / 2 - in_distribution),
        "bg_and_co_occur_obj": pytest.approx((0.0 + 0.5) / 2 - in_distribution),
    }


def test_another_ratio_is_another_folder(tmp_path: Path, read: Read) -> None:
    settings = write_urbancars(tmp_path)
    (tmp_path / "urbancars" / "bg-0.95_co_occur_obj-0.95").rename(tmp_path / "urbancars" / "bg-0.9_co_occur_obj-0.9")
    assert len(read(**settings, ratio=0.9).train) == 12
    with pytest.raises(ConfigError, match=r"^data\.root: .* holds no urbancars/bg-0\.95_co_occur_obj-0\.95; make the"):
        read(**settings)


def test_a_folder_of_another_name(tmp_path: Path, read: Read) -> None:
    settings = write_urbancars(tmp_path)
    folder = tmp_path / "urbancars" / "bg-0.5_co_occur_obj-0.5" / "test" / "others"
    folder.mkdir()
    with pytest.raises(ConfigError) as error:
        read(**settings)
    assert str(error.value) == f"data.root: found {folder}; expected obj-<X>_bg-<Y>_co_occur_obj-<Z>"
