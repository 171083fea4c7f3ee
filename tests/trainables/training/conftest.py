"""A learner of a new network, with its folder."""

from pathlib import Path

import pytest
import torch

from tests.trainables.conftest import CPU
from trainables.config import ExperimentConfig
from trainables.models import Classifier, build_model
from trainables.training import LocalContext
from trainables.training.build import build_task
from trainables.training.learner import Learner
from trainables.trial_folder import TrialFolder


@pytest.fixture
def folder(tmp_path: Path) -> TrialFolder:
    return TrialFolder(tmp_path)


def learner_of(config: ExperimentConfig, folder: TrialFolder, model: Classifier | None = None) -> Learner:
    """Return a learner with four steps an epoch, of the config's network unless another is given."""
    torch.manual_seed(0)
    model = build_model(config.model, num_classes=10).model if model is None else model
    return Learner(config, model, build_task(config), LocalContext(folder, device=CPU), steps_per_epoch=4)
