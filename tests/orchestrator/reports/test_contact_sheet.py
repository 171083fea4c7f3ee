"""The panels of several trials in one image."""

from pathlib import Path

from PIL import Image

from orchestrator.reports.contact_sheet import draw_contact_sheet


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
