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


def test_a_source_is_chosen_by_the_rarest_of_its_strata() -> None:
    """Stratum 0 is in sources 5, 7 and 8, stratum 1 in 5 and 9, and stratum 2 in 9 alone."""
    asked: list[list[int]] = []

    def choose(strata_N: Any) -> Any:
        asked.append(strata_N.tolist())
        return strata_N == 1

    chosen_N = together(choose, np.array([0, 0, 1, 2, 1, 0]), np.array([7, 5, 9, 9, 5, 8]))
    assert asked == [[1, 0, 0, 2]]
    assert chosen_N.tolist() == [False, True, False, False, True, False]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("num", [1, 4])
def test_a_rare_class_is_trained_on_and_validated_on(tmp_path: Path, seed: int, num: int) -> None:
    """Ten patients have a healthy image first, and the first ones a tumour after it."""
    rows = [f"{patient}h.png,healthy,train,x,p{patient}" for patient in range(10)]
    rows += [f"{patient}t.png,tumour,train,x,p{patient}" for patient in range(num)]
    rows += ["a.png,healthy,test,x,s", "b.png,tumour,test,x,t"]
    data = build(tmp_path, rows, data={"validation": {"seed": seed, "share": 0.3}})
    train, val = (sum("t" in name for name in ids(images)) for images in (data.train, data.val))
    assert train + val == num
    assert train >= 1
    assert (val >= 1) == (num > 1)


def test_a_class_of_one_source_cannot_be_cut(tmp_path: Path) -> None:
    rows = [f"{label}{number}.png,{label},train,x,{label}" for label in "ab" for number in range(5)]
    with pytest.raises(ConfigError, match=r"each class's training sources \(data\.columns\.source\), and none has two"):
        build(tmp_path, [*rows, "c.png,a,test,x,c", "d.png,b,test,x,d"])


def test_a_cut_that_leaves_a_class_untrained_names_the_seed(tmp_path: Path) -> None:
    """Both patients of class c have images of class a too, at places where one other patient has some."""
    rows = [f"{name}.png,a,train,{name[0]},{name}" for name in ("x1", "x2", "y1", "y2")]
    rows += ["c1.png,c,train,z,x1", "c2.png,c,train,z,y1", "t1.png,a,test,x,s", "t2.png,c,test,x,u"]

    def num_trained(seed: int) -> int:
        settings = {"groups": ["label", "place"], "validation": {"seed": seed, "share": 0.5}}
        return sum(name[0] == "c" for name in ids(build(tmp_path, rows, data=settings).train))

    assert [num_trained(seed) for seed in (2, 7)] == [1, 2]
    expected = "c has no row left to train on, since all its sources validate; set another data.validation.seed"
    with pytest.raises(ConfigError, match=f"column label: {re.escape(expected)}$"):
        num_trained(0)


def test_each_set_knows_the_sources_of_its_images_by_their_ids(tmp_path: Path) -> None:
    """The shifted set has its own; those of a half are among those of the whole set."""
    rows = [f"{label}{number}.png,{label},val,x,{label}{number // 2}" for label in "ab" for number in range(8)]
    rows += ["1.png,a,train,x,m", "2.png,b,train,x,n", "3.png,a,test,x,s", "4.png,b,test,x,s"]
    (tmp_path / "far.csv").write_text("path,label,split,patient\n3.png,a,test,t\n", encoding="utf-8")
    shift = {"far": {"kind": "table", "table": "far.csv", "columns": {"source": "patient"}}}
    tree: dict[str, Any] = {"objective": {"dfr": {"fit_on": "validation"}}}
    groups = {"groups": ["label", "place"]}
    data = build(tmp_path, rows, data={"shift": shift, **groups}, **tree)
    test, far = data.test.sources_by_id(), data.shift["far"].sources_by_id()
    assert (len(set(test.values())), list(test), list(far)) == (1, ["3", "4"], ["3"])
    of_val = data.val.sources_by_id()
    assert len(data.val) == 8
    assert {of_val[name] for name in ids(data.val)} == set(data.val.sources().tolist())
    assert len(set(of_val.values())) == 8
    without = build(tmp_path, rows, data={"columns": {}, **groups}, **tree)
    assert (without.val.sources(), without.val.sources_by_id()) == (None, {})
    assert without.test.digest() != data.test.digest()


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
