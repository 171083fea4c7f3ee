"""Trials of an embedding: what they report and when, and that every evaluation works on their classifiers."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from tests.trainables.conftest import CPU, TINY, MakeConfig, Train
from trainables.config import ConfigError, ExperimentConfig, experiment_from_tree, override
from trainables.data import build_data
from trainables.evaluations import EPOCH_SUITE, EvaluationResult, Metrics, ProgressListener
from trainables.evaluations.base import EvalSpec
from trainables.json_file import write_json
from trainables.training import LocalContext
from trainables.trial import check_data, evaluate, load_model, run_trial
from trainables.trial_folder import Row, TrialFolder

SUPCON: dict[str, Any] = {"objective.kind": "supcon"}
TRIPLET: dict[str, Any] = {"objective.kind": "triplet"}
CLASSIFIERS: dict[str, dict[str, Any]] = {
    "linear_probe": {},
    "nearest_centroid": {"objective.classifier.kind": "nearest_centroid"},
    "nearest_neighbours": {"objective.classifier": {"kind": "nearest_neighbours", "num_neighbours": 5}},
}
HELD_OUT = {"data.validation.source": "held_out"}
UNFITTED_ROW = {
    "epoch",
    "train/loss",
    "train/samples_without_mask",
    "optim/learning_rate",
    "time/train_s",
    "time/images_per_s",
    "time/epoch_s",
    "time/ended_s",
}
ONE_LABEL = tuple(part for part in EPOCH_SUITE if part != "multilabel")
PARTS = (*ONE_LABEL, "gallery", "attribution-hirescam", "attribution-contrastive", "ood", "fgsm")
SUITE = {
    "evaluation.suite.sample": 12,
    "evaluation.suite.ood.fit_sample": 40,
    "evaluation.suite.attribution.flip_steps": 4,
    "evaluation.suite.attribution.costly_sample": 2,
    "evaluation.suite.attribution.sensitivity_samples": 1,
}


@pytest.mark.parametrize("objective", [SUPCON, TRIPLET], ids=["supcon", "triplet"])
def test_epochs_without_a_fit_have_training_figures_alone(
    make_config: MakeConfig, train: Train, objective: dict[str, Any]
) -> None:
    reported: list[Row] = []
    folder = train(make_config({**objective, "evaluation.panel_images": 1}), on_report=reported.append)
    *unfitted, last = folder.rows()
    assert [set(row) for row in unfitted] == [UNFITTED_ROW] * 2
    assert set(last) > UNFITTED_ROW | {"val/loss", "val/accuracy", "classifier/fit_accuracy", "classifier/gradient"}
    assert "train/accuracy" not in last
    assert all(math.isfinite(value) for row in folder.rows() for value in row.values())
    evaluation = folder.evaluation()
    assert evaluation is not None
    assert evaluation["val/accuracy"] == last["val/accuracy"]
    assert evaluation["val/faithfulness/max_logit_error"] < 1e-5
    assert reported == [*folder.rows(), {**last, **evaluation}]
    assert [path.name for path in (folder.path / "panels").iterdir()] == ["epoch-3"]


@pytest.mark.parametrize(("every", "fitted"), [(1, [1, 2, 3]), (2, [2, 3])])
def test_a_classifier_is_fitted_when_it_is_due(
    make_config: MakeConfig, train: Train, every: int, fitted: list[int]
) -> None:
    folder = train(make_config({**SUPCON, "objective.fit_every_epochs": every}))
    assert [row["epoch"] for row in folder.rows() if "val/accuracy" in row] == fitted


def test_when_it_is_fitted_leaves_the_training_alone(make_config: MakeConfig, train: Train) -> None:
    often = train(make_config({**SUPCON, "objective.fit_every_epochs": 1}), "often")
    once = train(make_config(SUPCON), "once")
    assert often.evaluation() == once.evaluation()
    assert [row["train/loss"] for row in often.rows()] == [row["train/loss"] for row in once.rows()]


class Unskipped(ProgressListener):
    def on_skip(self, name: str, reason: str) -> None:
        raise AssertionError(f"{name} was skipped: {reason}")


class Findings:
    """Keeps every part."""

    def __init__(self) -> None:
        self.found: dict[str, EvaluationResult] = {}

    def load(self, spec: EvalSpec) -> EvaluationResult | None:  # noqa: ARG002
        return None

    def save(self, spec: EvalSpec, finding: EvaluationResult, seconds: float) -> None:  # noqa: ARG002
        self.found[spec.name] = finding


def config_with(overrides: dict[str, Any]) -> ExperimentConfig:
    base = {"objective.kind": "supcon", "training.epochs": 1, "optim.warmup_epochs": 0, **SUITE}
    return experiment_from_tree(override(TINY, {**base, **overrides}))


@pytest.mark.parametrize("classifier", CLASSIFIERS)
def test_evaluations_and_maps_work_unchanged(classifier: str, tmp_path: Path) -> None:
    config = config_with(CLASSIFIERS[classifier])
    folder = TrialFolder(tmp_path)
    context = LocalContext(folder, device=CPU)
    folder.claim(config)
    row = run_trial(config, context)
    store = Findings()
    data = build_data(config.data)
    metrics: Metrics = evaluate(
        config, context, load_model(folder, CPU), data, PARTS, listener=Unskipped(), store=store
    )
    assert set(store.found) == set(PARTS)
    assert all(math.isfinite(value) for value in metrics.values())
    assert metrics["val/faithfulness/max_logit_error"] < 1e-5
    measured = [name for name in row if name.startswith("val/")]
    assert measured
    assert {name: metrics[name] for name in measured} == {name: row[name] for name in measured}
    assert "val/attribution/hirescam/pixel_flipping" in metrics
    assert "val/ood/near/knn/auroc" in metrics
    assert store.found["gallery"].images


def stop_after(epoch: int) -> Callable[[Row], None]:
    def on_report(row: Row) -> None:
        if row["epoch"] == epoch:
            raise SystemExit

    return on_report


def test_a_trial_that_stopped_before_a_fit_has_no_network(make_config: MakeConfig, train: Train) -> None:
    with pytest.raises(SystemExit):
        train(make_config(SUPCON), "stopped", on_report=stop_after(2))
    folder = train(make_config(SUPCON), "whole").path.with_name("stopped")
    with pytest.raises(
        FileNotFoundError, match=r"no classifier: none was fitted after epoch 2, .* objective\.fit_every_epochs = null"
    ):
        load_model(TrialFolder(folder), CPU)


def test_an_evaluation_of_an_earlier_epoch_is_gone_after_an_epoch_without_a_fit(
    make_config: MakeConfig, train: Train, tmp_path: Path
) -> None:
    config, folder = make_config({**SUPCON, "training.epochs": 4, "objective.fit_every_epochs": 2}), tmp_path / "trial"
    with pytest.raises(SystemExit):
        train(config, on_report=stop_after(2))
    write_json(TrialFolder(folder).evaluation_path, {"val/accuracy": 0.125})
    with pytest.raises(SystemExit):
        train(config, on_report=stop_after(3))
    assert TrialFolder(folder).evaluation() is None


IMAGES = {"data.kind": "image_folder", "data.image_size": 32, "training.batch_size": 4, "training.epochs": 1}


@pytest.fixture
def image_files(tmp_path: Path) -> Path:
    root = tmp_path / "images"
    for split in ("train", "val"):
        for label, name in enumerate(("cat", "dog")):
            (root / split / name).mkdir(parents=True)
            for index in range(4):
                noise = torch.randint(
                    256, (40, 40, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(index)
                )
                noise[:, :, label] = 0
                Image.fromarray(noise.numpy()).save(root / split / name / f"{index}.png")
    return root


def test_a_sample_that_is_larger_than_the_set_is_refused_before_training(
    make_config: MakeConfig, image_files: Path
) -> None:
    base = {**IMAGES, **SUPCON, "data.root": str(image_files), "optim.warmup_epochs": 0, **HELD_OUT}
    neighbours = {"objective.classifier.kind": "nearest_neighbours"}
    check_data(make_config({**base, "objective.fit_sample": 8}))
    with pytest.raises(ConfigError, match=r"has 8 images, fewer than objective\.fit_sample = 9; lower it or add"):
        check_data(make_config({**base, "objective.fit_sample": 9}))
    with pytest.raises(ConfigError, match=r"fewer than objective\.classifier\.num_neighbours = 20"):
        check_data(make_config({**base, **neighbours}))


def test_images_that_cannot_be_read_are_left_out_of_batch_and_fit(
    make_config: MakeConfig, train: Train, image_files: Path
) -> None:
    (image_files / "train" / "cat" / "0.png").write_bytes(b"")
    base = {
        **IMAGES,
        **SUPCON,
        "data.root": str(image_files),
        "optim.warmup_epochs": 0,
        **HELD_OUT,
        "data.on_error": "skip",
    }
    (row,) = train(make_config(base)).rows()
    assert row["train/skipped_samples"] == 1
    assert math.isfinite(row["train/loss"])
    assert row["classifier/fit_accuracy"] * 7 == pytest.approx(round(row["classifier/fit_accuracy"] * 7))


def test_a_batch_of_strangers_teaches_triplets_nothing(
    make_config: MakeConfig, train: Train, image_files: Path
) -> None:
    base = {
        **IMAGES,
        **TRIPLET,
        "data.root": str(image_files),
        "optim.warmup_epochs": 0,
        **HELD_OUT,
        "objective.margin": 1e-12,
    }
    with pytest.raises(ConfigError, match=r"found no semi-hard triplet .*; raise training\.batch_size = 4, .* 1e-12"):
        train(make_config(base))
