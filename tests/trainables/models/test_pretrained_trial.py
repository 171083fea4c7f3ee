"""A trial that begins with pretrained weights says what it loaded, and needs their file once."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torchvision.models import get_model

from tests.trainables.conftest import CPU, MakeConfig, Train
from trainables.config import ConfigError
from trainables.json_file import read_json
from trainables.trial import load_model
from trainables.trial_folder import Row


@pytest.fixture
def overrides(tmp_path: Path) -> dict[str, Any]:
    """A ResNet-18 that begins with a file of weights, one epoch of 16 images."""
    torch.manual_seed(7)
    torch.save(get_model("resnet18", weights=None).state_dict(), tmp_path / "weights.pth")
    return {
        "model.kind": "resnet18",
        "model.cam_stride": 16,
        "model.norm": "frozen",
        "model.weights": "IMAGENET1K_V1",
        "model.weights_file": str(tmp_path / "weights.pth"),
        "data.num_train": 16,
        "data.num_test": 10,
        "optim.learning_rate": 1e-6,
        "training.epochs": 2,
    }


def stop_after_first_epoch(row: Row) -> None:
    if row["epoch"] == 1:
        raise SystemExit


def test_resuming_and_loading_need_no_file(
    make_config: MakeConfig, train: Train, overrides: dict[str, Any], tmp_path: Path
) -> None:
    config = make_config(overrides)
    with pytest.raises(SystemExit):
        train(config, on_report=stop_after_first_epoch)
    description = read_json(tmp_path / "trial" / "model.json")
    file = Path(overrides["model.weights_file"])
    weight = torch.load(file)["conv1.weight"]
    file.unlink()
    folder = train(config)
    assert len(folder.rows()) == 2
    assert read_json(folder.path / "model.json") == description
    loaded = load_model(folder, CPU).trunk.state_dict()["conv1.weight"]
    torch.testing.assert_close(loaded, weight, rtol=0, atol=1e-4)
    assert description["edits"] == ["layer4.0: stride 2 -> 1", "norms: batch -> frozen", "head: no bias"]
    assert description["weights"]["name"] == "ResNet18_Weights.IMAGENET1K_V1"
    assert len(description["weights"]["loaded"]) == 120
    assert description["weights"]["not_loaded"] == ["fc.weight", "fc.bias"]
    assert description["weights"]["fresh"] == []
    with pytest.raises(ConfigError, match=r"weights\.pth cannot be read: No such file"):
        train(config, "another")
