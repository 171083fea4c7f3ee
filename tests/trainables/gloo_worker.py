"""A process of `test_worker.py`: trains every given folder as one worker of Ray Train's local mode under gloo.

torch.distributed's environment variables say which worker it is. Ray Train then runs without a Ray cluster.
"""

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


def train_all(task: dict[str, Any]) -> None:
    for folder in task["folders"]:
        train_worker({"folder": folder, "on_report": Append(Path(folder) / "reports.txt")})


if __name__ == "__main__":
    TorchTrainer(
        train_all,
        train_loop_config={"folders": sys.argv[1:]},
        scaling_config=ray.train.ScalingConfig(num_workers=0),
    ).fit()
