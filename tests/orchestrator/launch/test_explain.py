"""A network explained on images: panels, probabilities and classes."""

from pathlib import Path

import pytest
import torch
from PIL import Image, ImageChops

from orchestrator.launch.explain import explain_images
from trainables.config import ConfigError, ExperimentConfig, SmallCnn
from trainables.json_file import write_json
from trainables.models import build_model
from trainables.trial_folder import TrialFolder


@pytest.fixture
def trained(tmp_path: Path) -> TrialFolder:
    """A folder with a network of two classes, fresh from its initialisation."""
    config = ExperimentConfig(model=SmallCnn(width=4))
    folder = TrialFolder(tmp_path / "trial")
    folder.claim(config)
    torch.manual_seed(0)
    model = build_model(config.model, num_classes=2).model
    folder.commit({"model": model.state_dict(), "evaluated": None}, [{"epoch": 1}])
    write_json(folder.path / "data.json", {"class_names": ["cat", "dog"]})
    return folder


def test_images_of_one_name_have_a_panel_each(trained: TrialFolder, tmp_path: Path) -> None:
    images = [tmp_path / folder / "one.png" for folder in ("a", "b")]
    for shade, image in enumerate(images):
        image.parent.mkdir()
        Image.new("RGB", (64, 64), (250 * shade, 0, 0)).save(image)
    found = explain_images(trained, images, output=tmp_path / "panels", label="dog", num_rivals=3)
    assert [Path(one.panel).name for one in found] == ["one-dog.png", "one-dog-2.png"]
    assert Path(found[0].panel).read_bytes() != Path(found[1].panel).read_bytes()
    assert [one.image for one in found] == list(map(str, images))


def test_probabilities_are_those_of_the_network(trained: TrialFolder, tmp_path: Path) -> None:
    image = tmp_path / "one.png"
    Image.new("RGB", (64, 64), (90, 0, 0)).save(image)
    (one,) = explain_images(trained, [image], output=tmp_path, label=None, num_rivals=1)
    assert list(one.probabilities) == sorted(one.probabilities, key=lambda name: -one.probabilities[name])
    assert one.predicted == next(iter(one.probabilities))
    assert sum(one.probabilities.values()) == pytest.approx(1)


def test_panel_without_a_label_has_another_title_and_the_same_maps(trained: TrialFolder, tmp_path: Path) -> None:
    image = tmp_path / "one.png"
    Image.new("RGB", (64, 64), (90, 0, 0)).save(image)
    (without,) = explain_images(trained, [image], output=tmp_path / "without", label=None, num_rivals=1)
    (given,) = explain_images(trained, [image], output=tmp_path / "given", label=without.predicted, num_rivals=1)
    assert Path(given.panel).name == Path(without.panel).name == f"one-{without.predicted}.png"
    assert given.probabilities == without.probabilities
    panels = [Image.open(one.panel) for one in (without, given)]
    left, top, right, bottom = ImageChops.difference(*panels).getbbox() or (0, 0, 0, 0)
    assert left < right
    assert top < bottom < 60


def test_label_that_is_no_class_is_refused(trained: TrialFolder, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no class 'bird' in .*; valid classes: cat, dog"):
        explain_images(trained, [], output=tmp_path, label="bird", num_rivals=1)
