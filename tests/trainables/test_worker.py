"""Data-parallel workers train the network that one process trains."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.trainables.conftest import CPU, TINY
from trainables.config import ExperimentConfig, experiment_from_tree, override
from trainables.data import build_trial_data
from trainables.evaluations import FINAL_SUITE
from trainables.training import LocalContext
from trainables.training.epoch_choice import epoch_suite
from trainables.trial import evaluate, load_model, run_trial
from trainables.trial_folder import Row, TrialFolder

pytestmark = pytest.mark.slow
SCRIPT = Path(__file__).with_name("gloo_worker.py")
REPOSITORY = Path(__file__).parents[2]
BASE = {"resources.workers": 2, "training.epochs": 2}
CASES: dict[str, dict[str, Any]] = {
    "cross_entropy": {},
    "contrastive": {"objective.kind": "contrastive"},
    "several_terms": {"objective.kind": "binary_contrastive", "objective.divergence.weight": 0.1},
    "sgd": {"optim.kind": "sgd", "optim.learning_rate": 0.1},
    "everything": {
        "objective.kind": "contrastive",
        "optim.kind": "sgd",
        "training.accumulate": 2,
        "training.clip_norm": 0.05,
        "training.ema_decay": 0.8,
        "data.validation.source": "held_out",
        "evaluation.shift_every_epoch": True,
        "evaluation.panel_images": 1,
    },
    "batch_norm": {"model.norm": "batch"},
    "batch_norm_average": {"model.norm": "batch", "training.ema_decay": 0.8},
    "resumed": {"optim.kind": "sgd"},
    "supcon": {
        "objective.kind": "supcon",
        # At temperature 1 a centroid's weights are no larger than the features, and as exact.
        "objective.classifier": {"kind": "nearest_centroid", "temperature": 1.0},
        "optim.kind": "sgd",
        "training.ema_decay": 0.8,
    },
    "triplet": {
        "objective.kind": "triplet",
        "objective.margin": 1.0,
        "objective.classifier.kind": "nearest_neighbours",
        "objective.fit_every_epochs": 1,
        "optim.kind": "sgd",
    },
    "best_and_early": {
        "training.epochs": 3,
        "training.keep": "best",
        "training.keep_metric": "val/accuracy",
        "training.early_stopping": {"metric": "val/accuracy", "patience": 1, "min_delta": 1.0},
        "optim.kind": "sgd",
    },
    "last_layer": {"objective.dfr.num_subsets": 2, "data.num_test": 400, "optim.kind": "sgd"},
    "group_dro": {
        "objective.kind": "contrastive",
        "objective.group_dro": {"step_size": 0.5},
        "data.correlation": 0.5,
        "optim.kind": "sgd",
    },
    "jtt": {"training.jtt": {"epochs": 1, "upweight": 3}, "optim.kind": "sgd"},
    "supcon_batch_norm": {"objective.kind": "supcon", "objective.fit_sample": 30, "model.norm": "batch"},
}
SAME_AS_ONE_PROCESS = [
    "cross_entropy",
    "contrastive",
    "several_terms",
    "sgd",
    "everything",
    "resumed",
    "supcon",
    "triplet",
    "best_and_early",
    "last_layer",
    "group_dro",
    "jtt",
]


def config_of(case: str) -> ExperimentConfig:
    return experiment_from_tree(override(TINY, {**BASE, **CASES[case]}))


def stop_after_first_epoch(_: Row) -> None:
    raise SystemExit


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folders of all cases, trained by two processes."""
    root = tmp_path_factory.mktemp("two_workers")
    for case in CASES:
        TrialFolder(root / case).claim(config_of(case))
    with pytest.raises(SystemExit):
        run_trial(config_of("resumed"), LocalContext(TrialFolder(root / "resumed"), stop_after_first_epoch, device=CPU))
    workers = [start_worker(root, rank, port) for port in [free_port()] for rank in range(2)]
    try:
        outputs = [worker.communicate(timeout=240)[0] for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    assert [worker.returncode for worker in workers] == [0, 0], "\n".join(outputs)
    return root


def start_worker(root: Path, rank: int, port: int) -> subprocess.Popen[str]:
    place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2}
    environment = {name: str(value) for name, value in place.items()} | {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "CUDA_VISIBLE_DEVICES": "",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(REPOSITORY),
    }
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), *(str(root / case) for case in CASES)],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def metrics_of(row: Row) -> Row:
    return {name: value for name, value in row.items() if not name.startswith("time/")}


def assert_same_training(found: TrialFolder, expected: TrialFolder, rtol: float = 0) -> None:
    found_state, expected_state = found.load_state(CPU), expected.load_state(CPU)
    assert found_state is not None
    assert expected_state is not None
    for network in ("model", "evaluated"):
        torch.testing.assert_close(found_state[network], expected_state[network], rtol=rtol, atol=1e-6)
    for one, other in zip(found.rows(), expected.rows(), strict=True):
        assert metrics_of(one) == pytest.approx(metrics_of(other), rel=1e-4, abs=1e-6)
    assert found.evaluation() == pytest.approx(expected.evaluation(), rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("case", SAME_AS_ONE_PROCESS)
def test_two_workers_train_as_one_process_at_the_same_global_batch(
    two_workers: Path, tmp_path: Path, case: str
) -> None:
    alone = TrialFolder(tmp_path)
    alone.claim(config_of(case))
    run_trial(config_of(case), LocalContext(alone, device=CPU))
    # The smaller the features are, the larger are the weights of a head on standardised ones.
    assert_same_training(TrialFolder(two_workers / case), alone, rtol=1e-4 if case == "last_layer" else 0)


def test_the_comparison_fails_for_another_training(two_workers: Path) -> None:
    with pytest.raises(AssertionError):
        assert_same_training(TrialFolder(two_workers / "sgd"), TrialFolder(two_workers / "contrastive"))


@pytest.mark.parametrize("case", CASES)
def test_rank_0_alone_writes_and_reports_every_epoch_once(two_workers: Path, case: str) -> None:
    folder = TrialFolder(two_workers / case)
    assert [row["epoch"] for row in folder.rows()] == [1, 2]
    first = 2 if case == "resumed" else 1
    assert (folder.path / "reports.txt").read_text().split() == [str(epoch) for epoch in [*range(first, 3), 2]]


@pytest.mark.parametrize("case", CASES)
def test_all_workers_validate_the_network_that_is_kept(two_workers: Path, case: str) -> None:
    """With batch norm each worker has statistics of its own, until it takes those of rank 0."""
    folder = TrialFolder(two_workers / case)
    config, evaluation = folder.config(), folder.evaluation()
    assert evaluation is not None
    context = LocalContext(folder, device=CPU)
    names = [*dict.fromkeys([*epoch_suite(config), *FINAL_SUITE])]
    found = evaluate(config, context, load_model(folder, CPU), build_trial_data(config), names)
    kept = evaluation.pop("kept_epoch", None)
    assert found == pytest.approx(evaluation, rel=1e-5, abs=1e-6)
    accuracies = [row["val/accuracy"] for row in folder.rows() if "kept_epoch" in row]
    assert kept == (1 + accuracies.index(max(accuracies)) if accuracies else None)


def test_panels_are_drawn_once(two_workers: Path) -> None:
    panels = two_workers / "everything" / "panels"
    assert [path.relative_to(panels).as_posix() for path in panels.rglob("*.png")] == ["epoch-2/val-00000.png"]
