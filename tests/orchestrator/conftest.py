"""Sweeps on disk, written as a driver and its trials write them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.harness.sweep_builder import SweepBuilder
from tests.harness.sweep_on_disk import SweepOnDisk


@pytest.fixture
def make_sweep(tmp_path: Path) -> Callable[..., SweepOnDisk]:
    """Return a maker of sweeps in the test's storage folder; its arguments are fields of the sweep's config."""

    def make(**fields: Any) -> SweepOnDisk:
        return SweepOnDisk(tmp_path, **fields)

    return make


@pytest.fixture
def sweep(tmp_path: Path) -> SweepBuilder:
    return SweepBuilder(tmp_path)
