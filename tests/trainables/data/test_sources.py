"""Images of one source, such as a patient, are trained on together or validated on together."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from trainables.config import ConfigError, experiment_from_tree
from trainables.data import Draw, ImageSet, build_trial_data
from trainables.data.validation_cut import together


def build(root: Path, rows: Sequence[str], **settings: Mapping[str, Any]) -> Any:
    """Write a table `path,label,split,place,patient` with its images, and return the data of a trial."""
    for row in rows:
        Image.new("RGB", (32, 32)).save(root / row.split(",")[0])
    (root / "t.csv").write_text("\n".join(["path,label,split,place,patient", *rows]) + "\n", encoding="utf-8")
    data = {"kind": "table", "root": str(root), "table": "t.csv", "columns": {"source": "patient"}, "image_size": 32}
    section = settings.pop("data", {})
    return build_trial_data(experiment_from_tree({"data": {**data, **section}, **settings}))


def ids(images: ImageSet) -> list[str]:
    return list(images.__getitems__([Draw(index, 0) for index in range(len(images))]).ids)


def test_a_source_is_chosen_by_the_stratum_of_its_first_image() -> None:
    """Sources 5, 7 and 9 begin with strata 1, 0 and 1."""
    asked: list[list[int]] = []

    def first_stratum(strata_N: Any) -> Any:
        asked.append(strata_N.tolist())
        return strata_N == 1

    chosen_N = together(first_stratum, np.array([0, 1, 1, 0, 0]), np.array([7, 5, 9, 5, 7]))
    assert asked == [[1, 0, 1]]
    assert chosen_N.tolist() == [False, True, True, True, False]


def test_without_sources_images_are_chosen() -> None:
    assert together(lambda strata_N: strata_N == 1, np.array([0, 1, 1]), None).tolist() == [False, True, True]


@pytest.mark.parametrize("seed", range(5))
def test_a_cut_takes_whole_patients(tmp_path: Path, seed: int) -> None:
    """Of five patients with two images each, one fifth is one patient; without sources it is two images of any."""
    rows = [f"{number}.png,a,train,x,p{number // 2}" for number in range(10)]
    rows += ["10.png,b,train,x,q", "11.png,b,train,x,r", "12.png,a,test,x,t"]
    data = build(tmp_path, rows, data={"validation": {"seed": seed}})
    numbers = [int(name) for name in ids(data.val)]
    patients = {number // 2 for number in numbers if number < 10}
    assert sorted(number for number in numbers if number < 10) == [
        number for patient in sorted(patients) for number in (2 * patient, 2 * patient + 1)
    ]
    assert len(numbers) + len(data.train) == 12


def test_validation_images_of_one_object_are_in_one_half(tmp_path: Path) -> None:
    """Composed data show each validation object before every kind of scene."""
    rows = [
        f"{label}{number}{place}.png,{label},val,{place},{label}{number}"
        for label in "ab"
        for number in range(4)
        for place in "xy"
    ]
    rows += ["1.png,a,train,x,m", "2.png,b,train,y,n", "3.png,a,test,x,t"]
    tree: dict[str, Any] = {"objective": {"dfr": {"fit_on": "validation"}}}
    data = build(tmp_path, rows, data={"groups": ["label", "place"]}, **tree)
    fit, val = ([name[:2] for name in ids(images)] for images in (data.fit, data.val))
    assert not set(fit) & set(val)
    assert [sum(name.startswith(label) for name in fit) for label in "ab"] == [4, 4]
    assert len(val) == 8


def test_a_source_in_two_splits_is_refused(tmp_path: Path) -> None:
    rows = ["1.png,a,train,x,p", "2.png,a,test,x,q", "3.png,b,train,x,q", "4.png,b,test,x,s"]
    expected = "t.csv, column patient: q has rows of both train and test (1 of 3 do); give all of one to one split"
    with pytest.raises(ConfigError, match=f"{re.escape(expected)}$"):
        build(tmp_path, rows)


def test_a_column_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.columns\.source"):
        build(tmp_path, ["1.png,a,train,x,p", "2.png,a,test,x,q"], data={"columns": {"source": "object"}})
