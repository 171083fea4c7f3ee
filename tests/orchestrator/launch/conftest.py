"""Sweeps that MLflow has."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.files.provenance import record_provenance
from tests.harness.sweep_on_disk import SweepOnDisk


@pytest.fixture
def sent_sweep(make_sweep: Callable[..., SweepOnDisk], cli: Callable[..., Any], tmp_path: Path) -> SweepOnDisk:
    """A sweep of one trial, which has ended after one epoch, and is in MLflow."""
    sweep = make_sweep(num_trials=1)
    record_provenance(sweep.folder.path)
    sweep.start("0000", epochs=1)
    sweep.folder.trial("0000").finish()
    assert cli("sync", "first", "--storage", tmp_path).code == 0
    return sweep
