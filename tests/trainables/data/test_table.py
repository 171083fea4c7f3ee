"""Tables of images: what a row may say, and which error names which cell."""

import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import torch
from PIL import Image

from trainables.config import ConfigError, ExperimentConfig, Table, experiment_from_tree
from trainables.data import Batch, DataBundle, Draw, ImageError, ImageSet, build_data
from trainables.data.table import shared_stems

ROWS = (
    "path,label,split",
    "images/a.png,cat,train",
    "images/b.png,dog,train",
    "images/c.png,cat,train",
    "images/d.png,dog,val",
    "images/e.png,cat,test",
)
PATHS = [row.partition(",")[0] for row in ROWS[1:]]
Make = Callable[..., Table]


def draw(path: Path, mask: Sequence[int] | None = None) -> None:
    """Write an image of 32 pixels a side, or a mask of equal columns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = [[seed for seed in mask or (10, 200) for _ in range(32 // len(mask or (10, 200)))]] * 32
    image = Image.fromarray(np.array(values, dtype=np.uint8))
    (image if mask else image.convert("RGB")).save(path)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Writes a table, draws its images, and returns the config that reads it."""

    def table(*rows: str, name: str = "mine.csv", text: str | None = None, **fields: Any) -> Table:
        for path in PATHS:
            draw(tmp_path / path)
        if name.endswith(".csv"):
            (tmp_path / name).write_text("\n".join(rows or ROWS) + "\n" if text is None else text, encoding="utf-8")
        tree = {"kind": "table", "root": str(tmp_path), "table": name, "image_size": 32, **fields}
        config = experiment_from_tree({"data": tree}).data
        assert isinstance(config, Table)
        return config

    return table


def with_column(name: str, *cells: str) -> list[str]:
    return [f"{row},{cell}" for row, cell in zip(ROWS, (name, *cells), strict=True)]


def replaced(old: str, new: str) -> list[str]:
    return "\n".join(ROWS).replace(old, new).split("\n")


def fetch(images: ImageSet) -> Batch:
    return images.__getitems__([Draw(index, 0) for index in range(len(images))])


def sets(bundle: DataBundle) -> dict[str, list[str]]:
    return {name: list(fetch(getattr(bundle, name)).ids) for name in ("train_unaugmented", "val", "test")}


EXPECTED = {
    "train_unaugmented": ["images__a", "images__b", "images__c"],
    "val": ["images__d"],
    "test": ["images__e"],
}


class TestRows:
    def test_rows_are_the_images_of_their_splits(self, make: Make) -> None:
        bundle = build_data(make())
        assert sets(bundle) == EXPECTED
        assert bundle.class_names == ("cat", "dog")
        assert fetch(bundle.train_unaugmented).labels_B.tolist() == [0, 1, 0]
        assert not fetch(bundle.train).has_mask_B.any()

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("\ufeff" + "\n".join(ROWS), id="byte order mark, no newline at the end"),
            pytest.param("\r\n".join(ROWS) + "\r\n\r\n", id="Windows"),
            pytest.param("\n".join(row.replace(",", " , ") for row in ROWS), id="spaces"),
            pytest.param("\n".join(f'"{row}"'.replace(",", '","') for row in ROWS), id="quotes"),
            pytest.param("\n".join(f"{row},," for row in ROWS), id="empty columns at the end"),
            pytest.param("\n".join(f"{index},{row}" for index, row in enumerate(ROWS)), id="another column"),
        ],
    )
    def test_csv_is_read_as_people_write_it(self, make: Make, text: str) -> None:
        assert sets(build_data(make(text=text))) == EXPECTED

    def test_parquet_is_read_like_csv(self, make: Make, tmp_path: Path) -> None:
        columns = zip(*(row.split(",") for row in ROWS), strict=True)
        table = pa.table({name: pa.array(values).dictionary_encode() for name, *values in columns})
        pa.parquet.write_table(table, tmp_path / "mine.parquet")
        bundle = build_data(make(name="mine.parquet"))
        assert sets(bundle) == EXPECTED
        assert bundle.train.digest() == build_data(make()).train.digest()

    def test_numbers_are_labels_in_their_order(self, make: Make, tmp_path: Path) -> None:
        rows = {"path": PATHS, "label": [10.0, 9.0, 2.0, 2.0, 9.0], "split": ["train"] * 3 + ["val", "test"]}
        pa.parquet.write_table(pa.table(rows), tmp_path / "mine.parquet")
        bundle = build_data(make(name="mine.parquet"))
        assert bundle.class_names == ("2", "9", "10")
        assert fetch(bundle.train_unaugmented).labels_B.tolist() == [2, 1, 0]

    def test_a_label_in_two_unicode_forms_is_one_class(self, make: Make) -> None:
        rows = [row.replace("a.png,cat", "a.png,caf\u00e9").replace("c.png,cat", "c.png,cafe\u0301") for row in ROWS]
        rows = [row.replace("e.png,cat", "e.png,dog") for row in rows]
        assert build_data(make(*rows)).class_names == ("caf\u00e9", "dog")

    def test_columns_and_splits_may_have_other_names(self, make: Make) -> None:
        """Those of Waterbirds and of WILDS, whose splits are numbers."""
        rows = ["img_id,img_filename,y,split,place,place_filename"]
        values = [(0, 0, 0), (1, 0, 1), (1, 0, 0), (0, 1, 1), (1, 2, 1)]
        rows += [
            f"{index},{path},{y},{split},{place},/l/lake/0.jpg"
            for index, (path, (y, split, place)) in enumerate(zip(PATHS, values, strict=True))
        ]
        bundle = build_data(
            make(
                *rows,
                columns={"path": "img_filename", "label": "y"},
                splits={"train": 0, "val": 1, "test": 2},
                groups=["y", "place"],
            )
        )
        assert sets(bundle) == EXPECTED
        assert bundle.class_names == ("0", "1")
        train: Any = bundle.train
        assert train.group_names == ("y=0, place=0", "y=0, place=1", "y=1, place=0", "y=1, place=1")
        assert train.groups().tolist() == [0, 3, 2]
        test: Any = bundle.test
        assert test.groups().tolist() == [3]

    def test_groups_are_the_combinations_that_occur(self, make: Make) -> None:
        train: Any = build_data(make(*with_column("size", "10", "9", "9", "9", "10"), groups=["size", "label"])).train
        assert train.group_names == ("size=9, label=cat", "size=9, label=dog", "size=10, label=cat")
        assert train.groups().tolist() == [2, 1, 0]

    def test_what_is_uncommon_in_a_group_follows_from_the_training_images(self, make: Make) -> None:
        """Cats are trained twice on 9, dogs once on 9; the test cat on 10 is uncommon, and of size and label only size.

        A group of several classes has nothing that is uncommon for its class.
        """
        rows = with_column("size", "9", "9", "9", "9", "10")
        train: Any = build_data(make(*rows, groups=["size", "label"])).train
        assert train.group_names == ("size=9, label=cat", "size=9, label=dog", "size=10, label=cat")
        assert train.group_uncommon == ((), (), ("size",))
        alone: Any = build_data(make(*rows, groups=["size"])).train
        assert alone.group_uncommon == ()

    def test_equally_frequent_values_are_all_common(self, make: Make) -> None:
        train: Any = build_data(make(*with_column("size", "10", "9", "9", "9", "9"), groups=["label", "size"])).train
        assert train.group_names == ("label=cat, size=9", "label=cat, size=10", "label=dog, size=9")
        assert train.group_uncommon == ((), (), ())

    def test_paths_may_be_below_a_folder(self, make: Make) -> None:
        bundle = build_data(make(*[row.replace("images/", "") for row in ROWS], images="images"))
        assert sets(bundle)["val"] == ["d"]

    def test_images_that_differ_in_their_ending_have_two_ids(self, make: Make, tmp_path: Path) -> None:
        draw(tmp_path / "images" / "a.jpg")
        first, second = fetch(build_data(make(*replaced("images/b.png", "images/a.jpg"))).train_unaugmented).ids[:2]
        assert first != second
        assert first.startswith("images__a-")
        assert second.startswith("images__a-")

    def test_a_missing_image_is_left_out_if_asked_for(self, make: Make, tmp_path: Path) -> None:
        config = make(on_error="skip")
        (tmp_path / "images" / "b.png").unlink()
        bundle = build_data(config)
        assert fetch(bundle.train).ids == ("images__a", "images__c")
        assert bundle.train.num_skipped == 1

    def test_images_can_be_sent_to_loader_processes(self, make: Make) -> None:
        rows = with_column("boxes", "0 0 8 8", "", "", "", "")
        images = cast("Any", build_data(make(*rows, masks={"kind": "boxes"})).train).entries
        assert list(pickle.loads(pickle.dumps(images))) == list(images)

    @pytest.mark.parametrize(
        "rows",
        [
            pytest.param(replaced("a.png,cat", "a.png,dog"), id="label"),
            pytest.param(replaced("c.png,cat,train", "c.png,cat,val"), id="split"),
            pytest.param(ROWS[:3] + ROWS[4:], id="fewer"),
        ],
    )
    def test_another_table_has_another_digest(self, make: Make, rows: list[str]) -> None:
        assert build_data(make(*rows)).train.digest() != build_data(make()).train.digest()


def test_other_boxes_and_groups_have_another_digest(make: Make) -> None:
    def digest(box: str, place: str) -> str:
        rows = [f"{row},{cell}" for row, cell in zip(with_column("boxes", *[box] * 5), ("place", *place), strict=True)]
        return build_data(make(*rows, masks={"kind": "boxes"}, groups=["place"])).train.digest()

    digests = [digest("0 0 8 8", "11111"), digest("0 0 8 9", "11111"), digest("0 0 8 8", "12111")]
    assert len(set(digests)) == 3
    assert digest("0 0 8 8", "11111") == digests[0]


class TestValidation:
    """Without rows of its own, a fifth of the training images is cut, of each class, group and presence of a mask."""

    ROWS = ("path,label,split,place,boxes", *(
        f"images/{index}.png,{'dog' if index % 2 else 'cat'},{'test' if index > 19 else 'train'},{index // 10},"
        f"{'0 0 9 9' if index % 10 < 4 else ''}"
        for index in range(24)
    ))  # fmt: skip

    def bundle(self, make: Make, tmp_path: Path, **fields: Any) -> DataBundle:
        for index in range(24):
            draw(tmp_path / f"images/{index}.png")
        return build_data(make(*self.ROWS, masks={"kind": "boxes"}, groups=["place"], **fields))

    def test_it_is_cut_evenly(self, make: Make, tmp_path: Path) -> None:
        """Strata of 2 with boxes and 3 without, for each class and place."""
        bundle = self.bundle(make, tmp_path, validation={"share": 0.5})
        val, val_set = fetch(bundle.val), cast("Any", bundle.val)
        assert (len(bundle.train), len(val), len(bundle.test)) == (10, 10, 4)
        assert not set(val.ids) & set(fetch(bundle.train).ids)
        assert sorted(zip(val_set.groups().tolist(), val.labels_B.tolist(), strict=True)).count((0, 0)) in (2, 3)
        assert val.has_mask_B.sum() == 4
        assert fetch(bundle.train).has_mask_B.sum() == 4

    def test_its_seed_chooses_it(self, make: Make, tmp_path: Path) -> None:
        ids = [fetch(self.bundle(make, tmp_path, validation={"seed": seed}).val).ids for seed in (0, 0, 1)]
        assert len(ids[0]) == 4
        assert ids[0] == ids[1] != ids[2]

    @pytest.mark.parametrize("validation", [{"share": 0.3}, {"seed": 1}, {"source": "held_out"}])
    def test_rows_of_its_own_leave_nothing_to_cut(self, make: Make, validation: dict[str, Any]) -> None:
        with pytest.raises(ConfigError, match=r"data\.validation has no effect, since .* has rows of the split val"):
            build_data(make(validation=validation))

    def test_its_own_rows_may_be_asked_for(self, make: Make) -> None:
        assert sets(build_data(make(validation={"source": "own"}))) == EXPECTED
        with pytest.raises(ConfigError, match=r"no row has val; expected some to choose by, as data\.validation"):
            build_data(make(*replaced("val", "test"), validation={"source": "own"}))


class TestMasks:
    def test_a_column_names_masks_and_some_are_missing(self, make: Make, tmp_path: Path) -> None:
        draw(tmp_path / "m.png", (0, 255))
        config = make(*with_column("mask", "m.png", "", "m.png", "m.png", ""), masks={"kind": "nonzero"})
        batch = fetch(build_data(config).train_unaugmented)
        assert batch.has_mask_B.tolist() == [True, False, True]
        assert batch.background_BHW[:, 0, 0].tolist() == [1, 0, 1]

    @pytest.mark.parametrize("folder", ["masks", "masks/images"])
    def test_a_parallel_folder_has_masks_of_the_images_names(self, make: Make, tmp_path: Path, folder: str) -> None:
        draw(tmp_path / folder / "a.PNG", (0, 255))
        draw(tmp_path / folder / "c.tif", (255, 0))
        batch = fetch(build_data(make(masks={"kind": "nonzero", "folder": "masks"})).train_unaugmented)
        assert batch.has_mask_B.tolist() == [True, False, True]
        assert batch.background_BHW[:, 0, 0].tolist() == [1, 0, 0]

    def test_masks_may_lie_next_to_images(self, make: Make, tmp_path: Path) -> None:
        draw(tmp_path / "images" / "b_mask.png", (0, 255))
        batch = fetch(build_data(make(masks={"kind": "nonzero", "suffix": "_mask"})).train_unaugmented)
        assert batch.has_mask_B.tolist() == [False, True, False]

    def test_a_folder_without_masks_is_named(self, make: Make, tmp_path: Path) -> None:
        message = rf"none of the 5 images of .* has a mask; looked for {tmp_path}/m/images/a\.\* and {tmp_path}/m/a\.\*"
        with pytest.raises(ConfigError, match=message):
            build_data(make(masks={"kind": "nonzero", "folder": "m"}))

    def test_two_masks_of_an_image_are_named(self, make: Make, tmp_path: Path) -> None:
        for name in ("b.png", "b.bmp"):
            draw(tmp_path / "masks" / name, (0, 255))
        with pytest.raises(ConfigError, match=r"masks has several masks of b\.png: b\.bmp, b\.png; keep one of them"):
            build_data(make(masks={"kind": "nonzero", "folder": "masks"}))

    def test_each_row_may_have_its_own_value(self, make: Make, tmp_path: Path) -> None:
        draw(tmp_path / "m.png", (0, 1, 2, 3))
        rows = [f"{row},{cell}" for row, cell in zip(with_column("mask", *["m.png"] * 5), ROWS_VALUES, strict=True)]
        batch = fetch(build_data(make(*rows, masks={"kind": "equal"})).train_unaugmented)
        assert batch.background_BHW[:, 0, ::8].tolist() == [[1, 0, 1, 1], [1, 1, 0, 1], [1, 1, 1, 0]]

    def test_the_value_may_be_the_label(self, make: Make, tmp_path: Path) -> None:
        draw(tmp_path / "m.png", (0, 7, 9, 255))
        rows = [row.replace("cat", "7").replace("dog", "9") for row in with_column("mask", *["m.png"] * 5)]
        config = make(*rows, masks={"kind": "equal", "value": "label", "ignore": 255})
        batch = fetch(build_data(config).train_unaugmented)
        assert batch.background_BHW[:, 0, ::8].tolist() == [[1, 0, 1, 0], [1, 1, 0, 0], [1, 0, 1, 0]]

    def test_boxes_are_masks(self, make: Make) -> None:
        rows = with_column("boxes", "0 0 8 32; 16 0 24.0 32", "", "8 0 32 32;", "", "")
        batch = fetch(build_data(make(*rows, masks={"kind": "boxes"})).train_unaugmented)
        assert batch.background_BHW[:, 0, ::8].tolist() == [[0, 1, 0, 1], [0, 0, 0, 0], [1, 0, 0, 0]]
        assert batch.has_mask_B.tolist() == [True, False, True]

    def test_soft_masks_are_shares(self, make: Make, tmp_path: Path) -> None:
        draw(tmp_path / "m.png", (51, 255))
        rows = with_column("mask", "m.png", "m.png", "", "", "")
        batch = fetch(build_data(make(*rows, masks={"kind": "soft"})).train_unaugmented)
        assert torch.equal(batch.background_BHW[0, 0, ::16], torch.tensor([0.8, 0]))


ROWS_VALUES = ("mask_value", "1", "2", "3", "1", "1")


class TestErrors:
    @pytest.mark.parametrize(
        ("rows", "message"),
        [
            pytest.param(replaced("label", "Labels"), "data.columns.label = label: {} has no such column; did you mean "
                         "Labels? it has path, Labels, split", id="missing column"),
            pytest.param(replaced("label", "x"), "data.columns.label = label: {} has no such column; it has path, x, "
                         "split", id="missing column, nothing like it"),
            pytest.param(replaced("d.png,dog,val", "d.png,dog,dev"), "{}, row 5, column split: found dev; expected "
                         "train, val, test, validation, which data.splits sets", id="unknown split"),
            pytest.param(replaced("b.png,dog", "b.png,"), "{}, row 3, column label: is empty; every row needs a value",
                         id="empty label"),
            pytest.param(replaced("dog", "NaN"), "{}, row 3, column label: is empty; every row needs a value "
                         "(and 1 more of 5 rows)", id="NaN"),
            pytest.param(replaced("images/b.png", "images/x.png"), "{}, row 3, column path: {root}/images/x.png is not "
                         "there (1 of 5 rows); set data.root and data.images", id="missing image"),
            pytest.param(replaced("images/", "images\\"), "{}, row 2, column path: found images\\a.png; write / in "
                         "place of \\ (and 4 more of 5 rows)", id="Windows path"),
            pytest.param(replaced("images/b", "/images/b"), "{}, row 3, column path: found /images/b.png; expected a "
                         "path below {root}", id="absolute path"),
            pytest.param(replaced("images/b", "images/../b"), "{}, row 3, column path: found images/../b.png; expected "
                         "a path below {root}", id="parent folder"),
            pytest.param(replaced("images/b", "./images//b"), "{}, row 3, column path: found ./images//b.png; expected "
                         "a path below {root} without ./", id="path not normal"),
            pytest.param([*ROWS, ROWS[2]], "{}, row 7, column path: images/b.png is already in row 3; an image has one "
                         "row", id="duplicate row"),
            pytest.param([*ROWS, "images/b.png,dog,test"], "{}, row 7, column path: images/b.png is already in row 3",
                         id="image in two splits"),
            pytest.param(replaced(",", ";"), "data.table: the columns of {} are separated by ';'; save it with commas",
                         id="semicolons"),
            pytest.param(replaced(",", "\t"), "data.table: the columns of {} are separated by a tab", id="tabs"),
            pytest.param(replaced("b.png,dog", "b.png,dog,x"), "data.table: {} cannot be read (CSV parse error: Row "
                         "#3: Expected 3 columns, got 4: images/b.png,dog,x,train)", id="row too long"),
            pytest.param(replaced("cat,test", "fox,test"), "{}, column label: fox has no row of the split train; add "
                         "training images", id="class without training images"),
            pytest.param(ROWS[:-1], "{}, column split: no row has test; expected some to report; a part of the "
                         "training images is cut for validation", id="no test"),
            pytest.param([ROWS[0], *ROWS[-2:]], "{}, column split: no row has train; expected some to train on",
                         id="no train"),
            pytest.param([ROWS[0]], "data.table: {} has no rows", id="no rows"),
            pytest.param(["path,label,split,label", *(f"{row},x" for row in ROWS[1:])], "data.table: {} has several "
                         "columns of the name label; rename them", id="column twice"),
            pytest.param(with_column("weight", *"12345"), "data.table: {} has a column weight; set "
                         "data.columns.weight=weight to weigh the loss of images by it, or rename it", id="weights"),
            pytest.param(with_column("mask", *"12345"), "data.table: {} has a column mask; data.masks = null leaves it "
                         "out: set data.masks.kind=nonzero", id="masks without a rule"),
            pytest.param(with_column("boxes", *"12345"), "data.table: {} has a column boxes; data.masks = null leaves "
                         "it out: set data.masks.kind=boxes", id="boxes without a rule"),
        ],
    )  # fmt: skip
    def test_message_names_file_row_and_column(self, make: Make, tmp_path: Path, rows: list[str], message: str) -> None:
        with pytest.raises(ConfigError) as raised:
            build_data(make(*rows))
        assert str(raised.value).startswith(message.format(tmp_path / "mine.csv", root=tmp_path))

    @pytest.mark.parametrize("cell", ["1 2 3", "a b c d", "0 0 8 8 9", "8 0 8 8", "0 9 8 8", "0,0,8,8"])
    def test_boxes_that_do_not_parse(self, make: Make, tmp_path: Path, cell: str) -> None:
        rows = with_column("boxes", "0 0 8 8", "", f'"{cell}"', "0 0 8 8;0 0 9 9", "")
        with pytest.raises(ConfigError) as raised:
            build_data(make(*rows, masks={"kind": "boxes"}))
        assert str(raised.value) == (
            f"{tmp_path / 'mine.csv'}, row 4, column boxes: found '{cell}'; expected x1 y1 x2 y2 in pixels, with "
            "x1 < x2 and y1 < y2, and ; between two boxes"
        )

    def test_a_box_outside_its_image_names_the_row(self, make: Make) -> None:
        data = build_data(make(*with_column("boxes", "", "", "0 0 8 33", "", ""), masks={"kind": "boxes"}))
        with pytest.raises(
            ImageError, match=r"mine\.csv, row 4, column boxes: the box 0 0 8 33 lies outside its image"
        ):
            fetch(data.train)

    def test_a_mask_that_is_not_there(self, make: Make) -> None:
        with pytest.raises(ConfigError, match=r"row 3, column mask: .*/m\.png is not there \(2 of 5 rows\)"):
            build_data(make(*with_column("mask", "", "m.png", "m.png", "", ""), masks={"kind": "nonzero"}))

    def test_a_value_that_is_no_number(self, make: Make, tmp_path: Path) -> None:
        draw(tmp_path / "m.png", (0, 1))
        rows = with_column("mask", *["m.png"] * 5)
        with pytest.raises(ConfigError, match=r"row 2, column label: found cat; expected the value of the object's"):
            build_data(make(*rows, masks={"kind": "equal", "value": "label"}))
        with pytest.raises(ConfigError, match=r"data\.columns\.mask_value = mask_value: .* has no such column"):
            build_data(make(*rows, masks={"kind": "equal"}))

    def test_a_group_column_that_is_not_there(self, make: Make) -> None:
        with pytest.raises(
            ConfigError, match=r"data\.groups = place: .* has no such column; it has path, label, split"
        ):
            build_data(make(groups=["place"]))

    def test_a_file_that_is_no_table(self, make: Make, tmp_path: Path) -> None:
        config = make()
        (tmp_path / "mine.csv").unlink()
        with pytest.raises(ConfigError, match=r"data\.table: .*mine\.csv cannot be read \(No such file or directory\)"):
            build_data(config)
        (tmp_path / "mine.csv").write_text("\n".join(ROWS), encoding="utf-16")
        with pytest.raises(ConfigError, match=r"mine\.csv is not in UTF-8; save it as CSV in UTF-8"):
            build_data(config)
        (tmp_path / "mine.csv").write_bytes(b"")
        with pytest.raises(ConfigError, match=r"mine\.csv is empty; expected a header with the columns path, label"):
            build_data(config)

    def test_a_parquet_file_that_is_none(self, make: Make, tmp_path: Path) -> None:
        (tmp_path / "mine.parquet").write_text("path,label,split")
        with pytest.raises(ConfigError, match=r"data\.table: .*mine\.parquet cannot be read \("):
            build_data(make(name="mine.parquet"))

    def test_values_that_are_no_texts(self, make: Make, tmp_path: Path) -> None:
        rows = {"path": PATHS, "label": [[1]] * 5, "split": ["train"] * 5}
        pa.parquet.write_table(pa.table(rows), tmp_path / "mine.parquet")
        with pytest.raises(ConfigError, match=r"column label has values of type list<.*>, not texts"):
            build_data(make(name="mine.parquet"))

    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({"table": "mine.xlsx"}, "data.table: found 'mine.xlsx'; input should name a .csv or .parquet file below"),
            ({"table": "../mine.csv"}, "data.table: found '../mine.csv'; input should name a .csv or .parquet file"),
            (
                {"splits": {"val": "train"}},
                "data.splits has train = train, val = train and test = test; expected three",
            ),
            ({"groups": ["a", "a"]}, "data.groups = ['a', 'a'] names a column twice"),
            ({"masks": {"kind": "box"}}, "data.masks.kind: found 'box'; valid kinds: nonzero, equal, id_r_plus_256g"),
        ],
    )
    def test_a_config_that_cannot_be(self, fields: dict[str, Any], message: str) -> None:
        tree = {"kind": "table", "root": "/p", "table": "mine.csv", **fields}
        with pytest.raises(ConfigError) as raised:
            experiment_from_tree({"data": tree}, source="x.yaml")
        assert str(raised.value).startswith(f"x.yaml: {message}")


def test_masks_are_needed_by_what_looks_at_them() -> None:
    tree = {"kind": "table", "root": "/p", "table": "mine.csv"}
    objective = {"kind": "contrastive"}
    masked = experiment_from_tree({"data": {**tree, "masks": {"kind": "boxes"}}, "objective": objective})
    assert isinstance(masked, ExperimentConfig)
    with pytest.raises(
        ConfigError, match=r"objective\.kind = contrastive needs masks, and data\.masks = null has none"
    ):
        experiment_from_tree({"data": tree, "objective": objective})


class TestWeights:
    COLUMNS = {"weight": "importance"}  # noqa: RUF012

    def test_a_column_weighs_the_loss_of_images(self, make: Make) -> None:
        rows = with_column("importance", "2", "", "0.25", "1e1", ".5")
        bundle = build_data(make(*rows, columns=self.COLUMNS))
        weights_B = fetch(bundle.train).weights_B
        assert weights_B is not None
        assert weights_B.tolist() == [2, 1, 0.25]
        assert weights_B.dtype == torch.float32

    def test_without_a_column_all_count_alike(self, make: Make) -> None:
        assert fetch(build_data(make(*with_column("importance", *"12345"))).train).weights_B is None

    def test_weights_are_a_part_of_the_digest(self, make: Make) -> None:
        digests = {
            build_data(make(*with_column("importance", *cells), columns=self.COLUMNS)).train.digest()
            for cells in ("11111", "11211")
        }
        assert len({*digests, build_data(make()).train.digest()}) == 3

    @pytest.mark.parametrize("cell", ["-1", "many", "inf", "1,5"])
    def test_a_weight_is_a_number_of_0_or_more(self, make: Make, tmp_path: Path, cell: str) -> None:
        rows = with_column("importance", "1", f'"{cell}"', "1", "1", "1")
        with pytest.raises(ConfigError) as caught:
            build_data(make(*rows, columns=self.COLUMNS))
        where = f"{tmp_path / 'mine.csv'}, row 3, column importance"
        assert str(caught.value) == f"{where}: found {cell}; expected a number of 0 or more"


@pytest.mark.parametrize(
    ("paths", "shared"),
    [
        (["a/1.jpg", "b/1.jpg", "a_b/1.jpg"], set()),
        (["a/1.jpg", "a/1.png"], {"a__1"}),
        (["a/1.jpg", "a__1.jpg"], {"a__1"}),
        (["a_/1.jpg", "a/_1.jpg"], {"a___1"}),
        (["a/1.jpg", "./a/1.jpg", "a//1.jpg"], {"a__1"}),
        (["a/1.jpg", "a/1.jpg", "a/2.jpg"], {"a__1"}),
        (["a/.jpg", "a/.jpg.jpg"], {"a__.jpg"}),
        (["a/1", "a/1.5", "a/2"], {"a__1"}),
    ],
)
def test_stems_that_several_paths_have(paths: list[str], shared: set[str]) -> None:
    assert shared_stems(pa.array(paths)) == shared
