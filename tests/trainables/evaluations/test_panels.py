import math
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from tests.trainables.evaluations.conftest import (
    RED_GREEN_OR_BLUE,
    Images,
    four_images,
    linear_classifier,
    several_labels,
)
from trainables.evaluations import draw_panels, panels_of
from trainables.evaluations import panels as panels_module
from trainables.evaluations.panels import panel_title
from trainables.models import Classifier

CPU = torch.device("cpu")
NAMES = ("red", "green")


@pytest.mark.parametrize(
    ("num_images", "expected"), [(0, []), (1, [0]), (2, [0, 3]), (3, [0, 1, 3]), (4, [0, 1, 2, 3]), (9, [0, 1, 2, 3])]
)
def test_images_are_spread_over_the_set(
    red_or_green: Classifier, tmp_path: Path, num_images: int, expected: list[int]
) -> None:
    folder = tmp_path / "epoch-1"
    draw_panels(red_or_green, four_images(), num_images=num_images, num_rivals=1, folder=folder, device=CPU)
    drawn = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    assert drawn == [f"image-{index}.png" for index in expected]
    for name in drawn:
        with Image.open(folder / name) as panel:
            assert panel.mode == "RGB"


@pytest.mark.parametrize("num_pictures", [1, 2, 4])
@pytest.mark.parametrize("training", [True, False])
def test_any_number_of_images_is_drawn_in_eval_mode(
    red_or_green: Classifier, num_pictures: int, training: bool
) -> None:
    red_or_green.train(training)
    panels = panels_of(red_or_green, four_images()[0:num_pictures], NAMES, num_rivals=1, device=CPU)
    assert len(panels) == num_pictures
    assert red_or_green.training == training
    assert red_or_green.head.weight.grad is None


def test_there_are_as_many_maps_as_rivals_or_other_classes(red_or_green: Classifier) -> None:
    wide, narrow = (
        panels_of(red_or_green, four_images()[0:1], NAMES, num_rivals=num_rivals, device=CPU)[0]
        for num_rivals in (5, 1)
    )
    assert wide.size == narrow.size


def test_the_map_is_red_where_the_image_speaks_for_its_class(red_or_green: Classifier) -> None:
    """Image 1 is all red with the label red; image 2 is the same with the label green."""
    for_own, for_rival = panels_of(red_or_green, four_images()[1:3], NAMES, num_rivals=1, device=CPU)
    # The third of the cells, which have 160 pixels, 12 between them and a margin of 20.
    centre = (20 + 2 * 172 + 80, for_own.height - 20 - 80)
    (red, _, blue), (other_red, _, other_blue) = (panel.getpixel(centre) for panel in (for_own, for_rival))
    assert red > blue + 50
    assert other_blue > other_red + 50


def test_title_has_a_label_only_where_one_is_known() -> None:
    batch = four_images()[1:2]
    logits_K = torch.tensor([0.0, math.log(3.0)])
    own, other = NAMES[int(batch.labels_B[0])], NAMES[1]
    assert panel_title(batch, 0, logits_K, NAMES) == f"{own}, predicted {other} (75%)"
    assert panel_title(batch, 0, logits_K, NAMES, labelled=False) == f"predicted {other} (75%)"


def test_the_same_network_draws_the_same_bytes(red_or_green: Classifier, tmp_path: Path) -> None:
    contents = []
    for name in ("one", "two"):
        folder = tmp_path / name
        draw_panels(red_or_green, four_images(), num_images=2, num_rivals=1, folder=folder, device=CPU)
        contents.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert contents[0] == contents[1]


def titles(monkeypatch: pytest.MonkeyPatch, model: Classifier, images: Images) -> list[str]:
    drawn: list[str] = []
    original = panels_module.draw_panel

    def listening(*arguments: Any, title: str, **options: Any) -> Image.Image:
        drawn.append(title)
        return original(*arguments, title=title, **options)

    monkeypatch.setattr(panels_module, "draw_panel", listening)
    panels_of(model, images.batch, images.class_names, num_rivals=1, device=CPU)
    return drawn


def test_a_title_names_the_label_and_the_likeliest_class(
    monkeypatch: pytest.MonkeyPatch, red_or_green: Classifier
) -> None:
    assert titles(monkeypatch, red_or_green, four_images()) == [
        "red, predicted red (50%)",
        "red, predicted red (73%)",
        "green, predicted red (73%)",
        "green, predicted green (56%)",
    ]


def test_a_title_names_all_labels_and_all_classes_predicted(monkeypatch: pytest.MonkeyPatch) -> None:
    images = several_labels()
    result = titles(monkeypatch, linear_classifier(RED_GREEN_OR_BLUE), images)
    assert [title.split(", predicted ")[0] for title in result] == ["red + green", "red", "blue + red", "green"]
    assert [sorted(title.split(", predicted ")[1].split(", ")) for title in result] == [
        ["green (73%)", "red (73%)"],
        ["blue (88%)", "red (88%)"],
        ["blue (73%)"],
        ["green (73%)", "red (98%)"],
    ]


def test_a_title_names_the_likeliest_class_where_none_is_predicted(monkeypatch: pytest.MonkeyPatch) -> None:
    model = linear_classifier([[-1.0, 0, 0], [0, -1.0, 0], [0, 0, -2.0], [0, 0, -1.0]])
    assert titles(monkeypatch, model, several_labels())[0].endswith("predicted blue (88%), none (73%)")
    assert titles(monkeypatch, linear_classifier([[0.0, 0, 0]] * 3 + [[0.0, 0, 1.0]]), several_labels())[0].endswith(
        "(50%)"
    )
