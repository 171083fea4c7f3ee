"""Counts the epochs that a fault has cost or doubled, for the table of `make chaos`."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from orchestrator.tracking import Store
    from trainables.trial_folder import TrialFolder

Epochs = Mapping[str, Sequence[int]]
"""Name of a trial -> the epochs that it has, one entry for each time that it has one."""


class CountEpochs(Protocol):
    """Counts what the trials of `found` lack of epochs 1 to `planned`, and fails where that is any."""

    def __call__(self, found: Epochs, planned: int) -> None: ...


def count_epochs(item: Any, found: Epochs, planned: int) -> None:
    """Add to the test's properties how many epochs are missing and how many are there twice; fail if any is.

    A test may count at several places, such as in files and in MLflow; its properties are the worst of them.
    """
    expected = list(range(1, planned + 1))
    _note_worst(item, "epochs_lost", sum(len(set(expected) - set(epochs)) for epochs in found.values()))
    _note_worst(item, "duplicates", sum(len(epochs) - len(set(epochs)) for epochs in found.values()))
    assert found
    assert {name: sorted(epochs) for name, epochs in found.items()} == dict.fromkeys(found, expected)


def epochs_in_files(folders: "Iterable[TrialFolder]") -> dict[str, list[int]]:
    """Return the epochs of each trial's `metrics.jsonl`, as its lines have them."""
    return {
        folder.path.name: [json.loads(line)["epoch"] for line in folder.metrics_path.read_text().splitlines()]
        for folder in folders
    }


def epochs_in_mlflow(store: "Store", sweep: str, metric: str = "train/loss") -> dict[str, list[int]]:
    """Return the steps that the run of each trial has, of a sweep or of a run of `campaign train`.

    Fails where a trial has two runs.
    """
    from orchestrator.tracking import connect

    client = connect(store)
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    found: dict[str, list[int]] = {}
    for run in client.search_runs(experiments, f"tags.`campaign.sweep` = '{sweep}'"):
        if trial_id := run.data.tags.get("campaign.trial_id"):
            assert trial_id not in found
            found[trial_id] = [each.step for each in client.get_metric_history(run.info.run_id, metric)]
    return found


def _note_worst(item: Any, name: str, number: int) -> None:
    properties = dict(item.user_properties)
    properties[name] = max(number, properties.get(name, 0))
    item.user_properties[:] = properties.items()
