"""Trials on images of several labels: what they report, draw and evaluate."""

import logging
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from tests.trainables.conftest import CPU, EPOCH_ROW, MakeConfig, Train
from tests.trainables.voc_tree import CAT, CAT_MAP, DOG, DOG_MAP, write_voc
from trainables.config import ConfigError, ExperimentConfig
from trainables.data import build_data, training_batches
from trainables.evaluations import EVALUATIONS, ProgressListener
from trainables.models import build_model
from trainables.training import LocalContext
from trainables.training.build import build_task
from trainables.training.learner import Learner
from trainables.trial import evaluate, load_model
from trainables.trial_folder import TrialFolder

MEASURED = {
    "val/loss",
    "val/accuracy",
    "val/mean_average_precision",
    "val/f1",
    "val/faithfulness/max_logit_error",
    "val/background/influence_share",
    "val/background/foreground_influence",
    "val/background/background_influence",
    "val/background/class_influence_share",
}


@pytest.fixture
def voc(tmp_path: Path) -> dict[str, Any]:
    """The settings of a tiny trial on PASCAL VOC."""
    write_voc(tmp_path / "voc")
    return {
        "data": {
            "kind": "pascal_voc",
            "root": str(tmp_path / "voc"),
            "image_size": 32,
            "validation": {"source": "held_out"},
        },
        "objective.kind": "binary_contrastive",
        "training.batch_size": 4,
        "training.epochs": 2,
    }


def test_every_epoch_reports_the_figures_of_several_labels(
    make_config: MakeConfig, train: Train, voc: dict[str, Any]
) -> None:
    folder = train(make_config({**voc, "evaluation.panel_images": 2}))
    rows, evaluation = folder.rows(), folder.evaluation()
    assert [set(row) for row in rows] == [EPOCH_ROW | MEASURED] * 2
    assert evaluation is not None
    assert evaluation == {name: rows[-1][name] for name in MEASURED}
    assert all(math.isfinite(value) for row in rows for value in row.values())
    assert all(row["val/faithfulness/max_logit_error"] < 1e-5 for row in rows)
    panels = sorted((folder.path / "panels" / "epoch-2").iterdir())
    assert [path.stem for path in panels] == ["2007_000005", "2011_000007"]
    for path in panels:
        with Image.open(path) as panel:
            assert panel.mode == "RGB"


def test_the_row_s_loss_is_that_of_all_labels(make_config: MakeConfig, train: Train, voc: dict[str, Any]) -> None:
    """At a rate of nearly nothing the weights stay, so that one pass over the images gives the same figures."""
    still = {"optim.learning_rate": 1e-30, "optim.weight_decay": 0, "objective.kind": "binary_cross_entropy"}
    folder = train(make_config({**voc, **still}))
    model = load_model(folder, CPU)
    data = build_data(folder.config().data)
    (batch,) = training_batches(data.train, batch_size=4, seed=0, epoch=2)
    with torch.no_grad():
        logits = model(batch.images_BCHW).logits.double()
    assert batch.targets_BK is not None
    assert batch.targets_BK.sum() > 4
    targets = batch.targets_BK.double()
    losses = -(targets * logits.sigmoid().log() + (1 - targets) * (1 - logits.sigmoid()).log()).sum(1)
    row = folder.rows()[-1]
    assert row["train/loss"] == pytest.approx(losses.mean().item(), abs=1e-5)
    assert row["train/accuracy"] == (logits.argmax(1) == batch.labels_B).double().mean()


def test_a_network_learns_all_labels_of_an_image(
    make_config: MakeConfig, train: Train, voc: dict[str, Any], tmp_path: Path
) -> None:
    """Cats and dogs alone or together: each image's classes have colours of their own."""
    alone = {f"c{i}": {CAT: CAT_MAP} for i in range(4)} | {f"d{i}": {DOG: DOG_MAP} for i in range(4)}
    both = {f"b{i}": {CAT: CAT_MAP, DOG: DOG_MAP} for i in range(4)}
    write_voc(tmp_path / "voc", train=alone | both, val={f"v{name}": parts for name, parts in (alone | both).items()})
    folder = train(make_config({**voc, "training.epochs": 15, "model.norm": "batch"}))
    first, *_, last = folder.rows()
    assert last["val/mean_average_precision"] > 0.95
    assert last["val/loss"] < first["val/loss"] / 2


def test_parts_of_a_batch_make_the_step_of_the_whole(
    make_config: MakeConfig, voc: dict[str, Any], tmp_path: Path
) -> None:
    def weights(config: ExperimentConfig) -> dict[str, torch.Tensor]:
        data = build_data(config.data)
        torch.manual_seed(0)
        model = build_model(config.model, num_classes=len(data.class_names)).model
        context = LocalContext(TrialFolder(tmp_path / "step"), device=CPU)
        learner = Learner(config, model, build_task(config), context, steps_per_epoch=4)
        (batch,) = training_batches(data.train, batch_size=4, seed=0, epoch=1)
        learner.step(batch)
        return model.state_dict()

    base = {**voc, "optim.kind": "sgd", "optim.warmup_epochs": 0}
    whole = weights(make_config(base))
    torch.testing.assert_close(weights(make_config({**base, "training.accumulate": 2})), whole, rtol=0, atol=1e-6)


class Skips(ProgressListener):
    def __init__(self) -> None:
        self.reasons: dict[str, str] = {}

    def on_skip(self, name: str, reason: str) -> None:
        self.reasons[name] = reason


SUITE = {
    "evaluation.suite.sample": 3,
    "evaluation.suite.background.noise_trials": 1,
    "evaluation.suite.adversarial.steps": 2,
}
PARTS = ("removal", "groups", "localisation", "fgsm")


def test_parts_of_the_suite_look_at_the_main_class(make_config: MakeConfig, train: Train, voc: dict[str, Any]) -> None:
    config = make_config({**voc, **SUITE})
    folder, skips = train(config), Skips()
    data = build_data(config.data)
    metrics = evaluate(config, LocalContext(folder, device=CPU), load_model(folder, CPU), data, PARTS, listener=skips)
    assert skips.reasons == {"groups": "the training set, or every set to measure, has no groups"}
    for name in PARTS:
        if name != "groups":
            patterns = [f"val/{pattern}" for pattern in EVALUATIONS[name].directions]
            assert any(metric.split("/")[:3] == pattern.split("/")[:3] for metric in metrics for pattern in patterns)


def test_trials_of_one_label_say_nothing_of_several(
    make_config: MakeConfig, train: Train, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        folder = train(make_config())
    assert not caplog.records
    assert not [name for name in folder.rows()[-1] if "average_precision" in name or "class_influence" in name]


def test_masks_that_cannot_be_read_are_refused_before_anything_is_written(
    make_config: MakeConfig, train: Train, voc: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "voc" / "VOCdevkit" / "VOC2012" / "SegmentationClass" / "2007_000001.png").unlink()
    with pytest.raises(ConfigError, match=r"1 of the files that .* are missing .*2007_000001\.png"):
        train(make_config(voc))
    assert [path.name for path in (tmp_path / "trial").iterdir()] == ["config.yaml"]
