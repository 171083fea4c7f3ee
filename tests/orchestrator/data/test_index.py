"""The file index of a storage folder, built by the nodes of a cluster and read by trials."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from orchestrator.data import index as file_index
from orchestrator.data.index import MIN_FOLDERS, file_index_in, list_folders_on_ray
from orchestrator.launch.preflight import check_fit
from tests.trainables.imagenet_tree import write_imagenet_s
from trainables.config import ConfigError, experiment_from_tree
from trainables.data import build_data
from trainables.data import folders as listing
from trainables.data.folders import list_folders
from trainables.training import LocalContext
from trainables.trial import run_trial
from trainables.trial_folder import TrialFolder


def write_folders(root: Path, num: int) -> list[str]:
    for number in range(num):
        folder = root / f"class{number:03}"
        folder.mkdir()
        for index in range(number % 3):
            (folder / f"{index}.JPEG").write_text("x" * (number + index))
    return [str(path) for path in sorted(root.iterdir())]


def test_few_folders_need_no_cluster(tmp_path: Path) -> None:
    folders = write_folders(tmp_path, MIN_FOLDERS - 1)
    assert [len(listing.names) for listing in list_folders_on_ray(folders)] == [n % 3 for n in range(len(folders))]


@pytest.fixture(scope="module")
def local_ray() -> Iterator[None]:
    import ray

    ray.init("local", num_cpus=1, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.usefixtures("local_ray")
def test_nodes_list_what_this_process_lists(tmp_path: Path) -> None:
    folders = [*write_folders(tmp_path, MIN_FOLDERS + 7), str(tmp_path / "nowhere")]
    listed = list_folders_on_ray(folders)
    expected = list_folders(folders)
    assert [(each.names, each.sizes_N.tolist(), each.mtime_ns, each.error) for each in listed] == [
        (each.names, each.sizes_N.tolist(), each.mtime_ns, each.error) for each in expected
    ]
    assert listed[-1].error == "No such file or directory"


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.usefixtures("local_ray")
def test_a_node_that_does_not_see_the_data_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = write_folders(tmp_path, MIN_FOLDERS)

    def elsewhere(parts: list[str]) -> object:
        return "10.0.0.7", list_folders([f"/nowhere{part}" for part in parts])

    monkeypatch.setattr(file_index, "list_there", elsewhere)
    with pytest.raises(
        ConfigError, match=r"node 10\.0\.0\.7 cannot read .*class000 \(No such file or directory\), but"
    ):
        list_folders_on_ray(folders)


def test_the_index_is_in_the_storage_folder(tmp_path: Path) -> None:
    assert file_index_in(tmp_path).folder == tmp_path / "manifests"
    assert file_index_in(tmp_path).list_folders is list_folders
    assert file_index_in(tmp_path, on_ray=True).list_folders is list_folders_on_ray


def test_a_trial_reads_the_index_that_the_checks_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The digest that a run records is that of files read one by one."""
    root = write_imagenet_s(tmp_path / "data").parent
    for folder in (path for path in root.rglob("*") if path.is_dir()):
        os.utime(folder, (1e9, 1e9))
    tree = {
        "data": {"kind": "imagenet_s", "root": str(root), "folder": "ImageNetS3", "image_size": 32},
        "model": {"kind": "small_cnn", "width": 4},
        "optim": {"warmup_epochs": 0},
        "training": {"epochs": 1, "batch_size": 4},
        "evaluation": {"panel_images": 0},
    }
    config = experiment_from_tree(tree)
    check_fit([config], [{"CPU": 2.0}], file_index=file_index_in(tmp_path))
    assert [path.suffix for path in (tmp_path / "manifests").iterdir()] == [".npz"]
    expected = build_data(config.data)

    def refuse(folder: str) -> None:
        raise AssertionError(f"{folder} was listed")

    monkeypatch.setattr(listing, "list_folder", refuse)
    trial = TrialFolder(tmp_path / "trial")
    trial.claim(config)
    run_trial(config, LocalContext(trial, device=torch.device("cpu")), file_index_in(tmp_path))
    data = json.loads((trial.path / "data.json").read_text())
    assert (data["digest"], data["val_digest"]) == (expected.train.digest(), expected.val.digest())
    assert (data["num_train"], data["num_val"], data["num_test"]) == (11, 1, 6)
