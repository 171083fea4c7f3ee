"""Spawrious: which breed is in which place."""

from pathlib import Path
from typing import Any

import pytest

from tests.trainables.data.sets.conftest import Read, groups
from tests.trainables.set_trees import write_spawrious
from trainables.config import ConfigError
from trainables.data import ImageSet
from trainables.data.sets.spawrious import NUM_IMAGES, NUM_IN_OWN_PLACE


def found(images: ImageSet) -> list[str]:
    """Return `0 bulldog jungle` for each image, sorted."""
    entries: Any = images
    parts = [image_file.path.parts[-4:-1] for image_file in entries.entries]
    return sorted(f"{half} {breed} {place}" for half, place, breed in parts)


def test_one_to_one(tmp_path: Path, read: Read) -> None:
    data = read(**write_spawrious(tmp_path), split="o2o_hard", validation={"source": "held_out"})
    assert data.class_names == ("bulldog", "corgi", "dachshund", "labrador")
    own = ["bulldog jungle", "corgi desert", "dachshund mountain", "labrador snow"]
    beach = [f"{breed} beach" for breed in data.class_names]
    assert found(data.train) == sorted(f"{half} {each}" for half in (0, 1) for each in (*own, *beach))
    elsewhere = ["bulldog mountain", "corgi jungle", "dachshund snow", "labrador desert"]
    assert found(data.test) == sorted(f"{half} {each}" for half in (0, 1) for each in elsewhere)
    assert sorted(set(groups(data.test))) == [f"label={each.replace(' ', ', place=')}" for each in elsewhere]


def test_many_to_many(tmp_path: Path, read: Read) -> None:
    """Of the first half alone: two breeds share two places, which change in the test."""
    data = read(**write_spawrious(tmp_path), split="m2m_medium", validation={"source": "held_out"})
    first, second = ("bulldog", "dachshund"), ("corgi", "labrador")

    def pairs(breeds: tuple[str, str], *places: str) -> list[str]:
        return [f"0 {breed} {place}" for breed in breeds for place in places]

    assert found(data.train) == sorted(pairs(first, "beach", "snow") + pairs(second, "desert", "mountain"))
    assert found(data.test) == sorted(pairs(first, "desert", "mountain") + pairs(second, "beach", "snow"))


def test_one_to_one_takes_the_publishers_shares(tmp_path: Path, read: Read) -> None:
    """97 % of a breed's images in its own place and 3 % elsewhere, then 87 % and 13 %: the rest is left out."""
    assert NUM_IN_OWN_PLACE == (3072, 2756)
    settings = write_spawrious(tmp_path)
    for breed in ("bulldog", "corgi", "dachshund", "labrador"):
        for number in range(98):
            (tmp_path / "spawrious224" / "0" / "beach" / breed / f"a{number:03d}.png").touch()
    data = read(**settings, validation={"source": "held_out"})
    assert found(data.train).count("0 bulldog beach") == NUM_IMAGES - NUM_IN_OWN_PLACE[0] == 96
    assert found(data.train).count("1 bulldog beach") == 1


def test_a_place_that_the_split_needs(tmp_path: Path, read: Read) -> None:
    settings = write_spawrious(tmp_path)
    (tmp_path / "spawrious224" / "1" / "beach").rename(tmp_path / "gone")
    with pytest.raises(ConfigError, match=r"^data\.root: .*1/beach/bulldog cannot be read .*; unpack the archive of"):
        read(**settings)
    assert len(read(**settings, split="m2m_easy", validation={"source": "held_out"}).train) == 8
