"""Images of several trials next to each other, on a page and on one sheet."""

import base64
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from orchestrator.reports.images import draw_contact_sheet, images, last_panels
from trainables.json_file import write_json

Builder = Any
"""The `SweepBuilder` of conftest.py."""
CROSS_ENTROPY = {"objective.kind": "cross_entropy"}


@pytest.fixture
def pair(sweep: Builder) -> Builder:
    for trial in "ab":
        sweep.trial(trial, CROSS_ENTROPY, {"val/accuracy": 0.5})
    return sweep


def test_sheet_shows_the_last_panels_of_each_trial(tmp_path: Path) -> None:
    for trial_id, colour in (("t1", (255, 0, 0)), ("t2", (0, 0, 255))):
        for epoch, shade in ((2, (0, 0, 0)), (10, colour)):
            folder = tmp_path / trial_id / "panels" / f"epoch-{epoch}"
            folder.mkdir(parents=True)
            Image.new("RGB", (40, 10), shade).save(folder / "a.png")
    sheet = draw_contact_sheet({trial_id: tmp_path / trial_id for trial_id in ("t2", "t1", "without panels")})
    assert sheet is not None
    colours = [sheet.getpixel((12, y)) for y in range(sheet.height)]
    blocks = [colour for colour in ((0, 0, 255), (255, 0, 0)) if colours.count(colour) == 10]
    assert blocks == [(0, 0, 255), (255, 0, 0)]
    assert colours.index((0, 0, 255)) < colours.index((255, 0, 0))


def test_no_panels_make_no_sheet(tmp_path: Path) -> None:
    assert draw_contact_sheet({"t1": tmp_path}) is None


def test_images_of_one_name_stand_next_to_each_other(pair: Builder) -> None:
    pair.evaluation("a", "gallery", images={"cat": "red", "own": "green"})
    pair.evaluation("b", "gallery", images={"cat": "blue"})
    ((shown,),) = images([pair.run("a"), pair.run("b")]).values()
    (row,) = shown.rows
    expected = [pair.folder.trial(trial).path / "evaluation/gallery/cat.png" for trial in "ab"]
    assert row.image == "cat"
    assert row.uris == tuple(map(uri, expected))
    assert shown.num_left_out == 1


def test_images_that_no_two_share_are_all_shown(pair: Builder) -> None:
    pair.evaluation("a", "gallery", images={"cat": "red"})
    pair.evaluation("b", "gallery", images={"dog": "blue"})
    ((shown,),) = images([pair.run("a"), pair.run("b")]).values()
    assert [(row.image, [found is None for found in row.uris]) for row in shown.rows] == [
        ("cat", [False, True]),
        ("dog", [True, False]),
    ]


def test_the_most_images_of_an_evaluation(pair: Builder) -> None:
    pair.evaluation("a", "gallery", images={f"{number:02d}": "red" for number in range(11)})
    ((shown,),) = images([pair.run("a"), pair.run("b")]).values()
    assert (len(shown.rows), shown.num_left_out) == (8, 3)


def uri(path: Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"


def test_panels_are_those_of_the_epoch_that_is_kept(tmp_path: Path) -> None:
    for epoch in (7, 10, 20):
        folder = tmp_path / "panels" / f"epoch-{epoch}"
        folder.mkdir(parents=True)
        Image.new("RGB", (40, 10)).save(folder / "a.png")
    assert last_panels(tmp_path) == {"a": tmp_path / "panels/epoch-20/a.png"}
    write_json(tmp_path / "evaluation.json", {"kept_epoch": 7})
    assert last_panels(tmp_path) == {"a": tmp_path / "panels/epoch-7/a.png"}
