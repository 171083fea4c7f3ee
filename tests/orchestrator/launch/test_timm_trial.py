"""A ViT and a ConvNeXt of timm: trained, evaluated and explained as any other network."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from orchestrator.launch.explain import explain_images
from trainables.config import experiment_from_tree
from trainables.data import build_data
from trainables.json_file import read_json
from trainables.training import LocalContext
from trainables.trial import evaluate, load_model, run_trial
from trainables.trial_folder import TrialFolder

CPU = torch.device("cpu")


@pytest.mark.parametrize(("name", "layers"), [("test_vit", "map: not local"), ("test_convnext", "head.norm")])
def test_a_trial_is_trained_evaluated_and_explained(name: str, layers: str, tmp_path: Path) -> None:
    config = experiment_from_tree(
        {
            "data": {"kind": "spurious_digits", "num_train": 32, "num_test": 16, "image_size": 64},
            "model": {"kind": "timm", "name": name},
            "objective": {"kind": "contrastive"},
            "training": {"epochs": 1, "batch_size": 16},
            "optim": {"warmup_epochs": 0},
            "evaluation": {"panel_images": 0},
        }
    )
    folder = TrialFolder(tmp_path / "trial")
    folder.claim(config)
    context = LocalContext(folder, device=CPU)
    row = run_trial(config, context)
    assert row["val/faithfulness/max_logit_error"] < 1e-4
    assert any(edit.startswith(layers) for edit in read_json(folder.path / "model.json")["edits"])

    model, data = load_model(folder, CPU), build_data(config.data)
    metrics = evaluate(config, context, model, data, ["accuracy", "influence", "localisation"])
    assert metrics["val/accuracy"] == row["val/accuracy"]

    Image.new("RGB", (64, 64), "white").save(tmp_path / "white.png")
    (explanation,) = explain_images(folder, [tmp_path / "white.png"], output=tmp_path, label="7", num_rivals=1)
    assert sum(explanation.probabilities.values()) == pytest.approx(1, abs=1e-5)
    assert Path(explanation.panel).exists()
