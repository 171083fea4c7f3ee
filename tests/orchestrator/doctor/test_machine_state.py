"""Checks of this machine, and of a broken one."""

import os
from pathlib import Path
from typing import Any

import pytest

from orchestrator.doctor import machine_state
from orchestrator.doctor.machine_state import State
from tests.orchestrator.doctor.states import only


def test_old_library_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    real = machine_state.importlib.metadata.version
    old = {"ray": "2.40.0"}
    monkeypatch.setattr(machine_state.importlib.metadata, "version", lambda name: old.get(name) or real(name))
    states = {state.name: state for state in machine_state.libraries()}
    assert (states["ray"].status, states["ray"].found) == ("error", "2.40.0")
    assert states["ray"].advice.startswith("CAMpaign needs ray<2.61,>=2.60")
    assert states["torch"].status == "ok"


def test_missing_library_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_state, "LIBRARIES", ("no-such-library",))
    assert only(machine_state.libraries()) == State(
        "no-such-library", "error", "not installed", "make setup installs it"
    )


def test_torchvision_without_its_operators_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    import torchvision

    def missing(*_: Any) -> None:
        raise RuntimeError("operator torchvision::nms does not exist\nmore")

    monkeypatch.setattr(torchvision.ops, "nms", missing)
    state = only(machine_state.operators())
    assert (state.status, state.found) == ("error", "torchvision.ops.nms: operator torchvision::nms does not exist")


def test_more_threads_than_cores_is_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import torch

    quota = tmp_path / "cpu.max"
    monkeypatch.setattr(machine_state, "QUOTA", quota)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    quota.write_text("100000 100000\n", encoding="ascii")
    state = only(machine_state.cores())
    assert state.status == "warning"
    assert "export OMP_NUM_THREADS=1" in state.advice
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    quota.write_text("max 100000\n", encoding="ascii")
    assert only(machine_state.cores()).status == "ok"


def test_small_shared_memory_is_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine_state, "MIN_SHM_GIB", 1e9)
    assert "--shm-size=" in only(machine_state.shared_memory()).advice
    monkeypatch.setattr(machine_state, "SHM", tmp_path / "none")
    assert only(machine_state.shared_memory()).status == "warning"


@pytest.mark.parametrize(("minimum", "low", "status"), [(1e9, 1e9, "error"), (0, 1e9, "warning"), (0, 0, "ok")])
def test_full_disk_is_a_warning_or_an_error(
    minimum: float, low: float, status: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(machine_state, "MIN_DISK_GIB", minimum)
    monkeypatch.setattr(machine_state, "LOW_DISK_GIB", low)
    assert only(machine_state.storage(tmp_path)).status == status


def test_storage_below_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    state = only(machine_state.storage(tmp_path / "file" / "storage"))
    assert (state.status, "Not a directory" in state.found) == ("error", True)


def test_storage_without_working_locks_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_state.fcntl, "flock", lambda *_: None)
    state = only(machine_state.storage(tmp_path))
    assert (state.status, "two processes can lock the same file" in state.found) == ("error", True)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")
def test_storage_and_data_without_permission_are_errors(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    assert only(machine_state.storage(closed)).status == "error"
    assert only(machine_state.data_root(closed)).status == "error"


def test_empty_data_folder_is_an_error(tmp_path: Path) -> None:
    assert "contains no file" in only(machine_state.data_root(tmp_path)).found
