"""A process of `test_worker.py`: trains every case of a file as one worker of Ray Train's local mode under gloo.

torch.distributed's environment variables say which worker it is. Ray Train then runs without a Ray cluster.
"""

import json
import sys
from pathlib import Path
from typing import Any

import ray.train
from ray.train.torch import TorchTrainer

from trainables.trial_folder import Row
from trainables.worker import train_worker


class Append:
    """Appends the epoch of each reported row to a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, row: Row) -> None:
        with self._path.open("a") as file:
            file.write(f"{row['epoch']}\n")


def train_all(cases: dict[str, Any]) -> None:
    for folder, config in cases.items():
        on_report = Append(Path(folder) / "reports.txt")
        train_worker({"config": config, "folder": folder, "on_report": on_report})


if __name__ == "__main__":
    TorchTrainer(
        train_all,
        train_loop_config=json.loads(Path(sys.argv[1]).read_text()),
        scaling_config=ray.train.ScalingConfig(num_workers=0),
    ).fit()
