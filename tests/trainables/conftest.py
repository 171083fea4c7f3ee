"""Trials small enough to train in a fraction of a second."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import pytest
import torch

from trainables.config import ExperimentConfig, experiment_from_tree, override
from trainables.training import LocalContext
from trainables.trial import run_trial
from trainables.trial_folder import Row, TrialFolder

TINY: dict[str, Any] = {
    "data": {"kind": "spurious_digits", "num_train": 64, "num_test": 32, "image_size": 32},
    "model": {"kind": "small_cnn", "width": 4, "norm": "group"},
    "optim": {"kind": "adamw", "learning_rate": 0.01, "warmup_epochs": 0.5},
    "training": {"epochs": 3, "batch_size": 16},
    "evaluation": {"panel_images": 0},
}
EPOCH_ROW = {
    "epoch",
    "train/loss",
    "train/accuracy",
    "train/samples_without_mask",
    "optim/learning_rate",
    "time/train_s",
    "time/images_per_s",
    "time/epoch_s",
    "time/ended_s",
}
"""What training itself reports of an epoch."""
CPU = torch.device("cpu")

Overrides = Mapping[str, Any]


class MakeConfig(Protocol):
    """Returns the tiny config with `overrides` by dotted key."""

    def __call__(self, overrides: Overrides = ..., /) -> ExperimentConfig: ...


class Train(Protocol):
    """Trains a config in a folder, in this process on the CPU; returns the folder."""

    def __call__(
        self, config: ExperimentConfig, name: str = ..., *, on_report: Callable[[Row], None] | None = ...
    ) -> TrialFolder: ...


@pytest.fixture
def make_config() -> MakeConfig:
    def make(overrides: Overrides | None = None) -> ExperimentConfig:
        return experiment_from_tree(override(TINY, overrides or {}))

    return make


@pytest.fixture
def train(tmp_path: Path) -> Train:
    def train_in(
        config: ExperimentConfig, name: str = "trial", *, on_report: Callable[[Row], None] | None = None
    ) -> TrialFolder:
        folder = TrialFolder(tmp_path / name)
        folder.claim(config)
        run_trial(config, LocalContext(folder, on_report, device=CPU))
        return folder

    return train_in
