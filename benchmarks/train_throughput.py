"""Images a second of one Ray Train worker with tracking and checkpoints. The counterpart is a bare PyTorch loop on
the same network, images, batch size and number of threads. "A whole epoch" is the time from one commit to the next:
training, checkpoint, MLflow push and Ray's report. It leaves out the validation, which the bare loop does not have.

The first epoch of a run does not count. Both sides train in a fresh process and take turns. The bare loop indexes
tensors in memory; it has no data loader, no schedule and no row of metrics.
"""

import multiprocessing
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.harness.plain_loop import plain_epochs
from benchmarks.harness.rows import Figure, benchmark
from orchestrator.launch.train import train_one
from orchestrator.tracking import resolve_store
from orchestrator.tracking.store import connect
from trainables.config import ExperimentConfig, SpuriousDigits, experiment_from_tree, override
from trainables.trial_folder import Row

BASE = {"training": {"epochs": 3, "batch_size": 64}, "resources": {"workers": 1, "cpus": 1}}
WORKLOADS: dict[str, dict[str, Any]] = {
    "small_cnn, 48 px": {"data.num_train": 16000, "model.cam_stride": 4},
    "resnet18, 64 px": {"data.num_train": 2048, "data.image_size": 64, "model.kind": "resnet18"},
}
QUICK = {"data.num_train": 128, "data.num_test": 32, "training.epochs": 2}


@dataclass(frozen=True, slots=True)
class Rates:
    """Images a second of every epoch but the first."""

    training: list[float]
    whole_epochs: list[float]


def campaign_rates(config: ExperimentConfig) -> Rates:
    """Train `config` on a Ray Train worker, as `campaign train` does."""
    with tempfile.TemporaryDirectory() as storage:
        store = resolve_store(Path(storage))
        trial_run, folder = train_one(
            config, name="throughput", campaign="benchmark", storage=Path(storage), store=store
        )
        # A row's time in MLflow is that of its commit.
        commits = connect(store).get_metric_history(trial_run.run_id, "epoch")
        rows = folder.rows()[1:]
    seconds = [(end.timestamp - start.timestamp) / 1000 for start, end in pairwise(commits)]
    return Rates(
        training=[row["time/images_per_s"] for row in rows],
        whole_epochs=[num_images(row) / (spent - validation_s(row)) for row, spent in zip(rows, seconds, strict=True)],
    )


def num_images(row: Row) -> float:
    return row["time/images_per_s"] * row["time/train_s"]


def validation_s(row: Row) -> float:
    return row["time/epoch_s"] - row["time/train_s"]


def bare_rates(config: ExperimentConfig) -> list[float]:
    """Train `config`'s network by hand, in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        seconds = pool.submit(bare_seconds, config).result()
    assert isinstance(config.data, SpuriousDigits)
    num = config.data.num_train // config.training.batch_size * config.training.batch_size
    return [num / spent for spent in seconds[1:]]


def bare_seconds(config: ExperimentConfig) -> list[float]:
    return [seconds for seconds, _ in plain_epochs(config)]


def compare(config: ExperimentConfig, name: str, *, repetitions: int) -> Iterator[Figure]:
    """Train on both sides in turn and yield the medians over all epochs."""
    ours, bare = [], []
    for turn in range(repetitions):
        if turn % 2:
            bare += bare_rates(config)
        ours.append(campaign_rates(config))
        if not turn % 2:
            bare += bare_rates(config)
    yield figure(f"{name}: training", [rate for rates in ours for rate in rates.training], bare)
    yield figure(f"{name}: a whole epoch", [rate for rates in ours for rate in rates.whole_epochs], bare)


def figure(name: str, ours: Sequence[float], bare: Sequence[float]) -> Figure:
    return Figure(figure=name, value=median(ours), unit="images/s", against="PyTorch loop", counterpart=median(bare))


def main() -> None:
    run = benchmark(__file__, __doc__)
    figures: list[Figure] = []
    for name, settings in WORKLOADS.items():
        config = experiment_from_tree(override(BASE, settings | (QUICK if run.quick else {})))
        figures += compare(config, name, repetitions=1 if run.quick else 3)
    run.publish(figures)


if __name__ == "__main__":
    main()
