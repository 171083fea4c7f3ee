"""One run to evaluate: which images, by which evaluations, and where their results are kept."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from orchestrator.data.index import file_index_in
from orchestrator.files.evaluation_files import EvaluationFiles
from trainables.config import ConfigError, ExperimentConfig, config_hash, experiment_from_tree, override
from trainables.data import NO_INDEX, DataBundle, build_trial_data
from trainables.evaluations import QUICK, EvaluationsFailedError, Metrics, ProgressListener, reports
from trainables.json_file import read_json, write_json
from trainables.metric_names import Split, with_current_metrics
from trainables.outcome import KEPT_EPOCH, result_row
from trainables.training import LocalContext
from trainables.trial import evaluate, load_model
from trainables.trial_folder import TrialFolder


@dataclass(frozen=True, slots=True)
class EvaluationRequest:
    """What to evaluate of a run, and on which data."""

    folder: TrialFolder
    overrides: Mapping[str, Any]
    """Config field -> value, for example another `data.root` or `evaluation.suite.sample`."""
    evaluations: Sequence[str] = QUICK
    again: bool = False
    """Run finished evaluations once more."""
    storage: Path | None = None
    """The storage folder, which holds lists of data sets' files; None lists the files anew."""
    split: Split | None = None
    """Whose images to evaluate; None is the test split, or the validation split where one held-out set serves both."""
    by: str = "campaign evaluate"
    """What asks for it; the trial's folder notes it."""

    def config(self) -> ExperimentConfig:
        """Return the run's config with the overrides; ConfigError where they do not fit."""
        tree = self.folder.config().model_dump(mode="json")
        return experiment_from_tree(override(tree, self.overrides), source=str(self.folder.path))

    def on_all_cores(self) -> "EvaluationRequest":
        """Return the request for a machine that runs nothing else; a number of cores that it names stays."""
        return replace(self, overrides={"resources.cpus": float(torch.get_num_threads()), **self.overrides})

    @property
    def results_path(self) -> Path:
        """The folder of the evaluations' results; a split other than the usual one has a folder of its own."""
        usual = usual_split(self.config())
        suffix = "" if self.split in (None, usual) else f"-{self.split}"
        return self.summary_path.with_name(f"{self.summary_path.stem}{suffix}")

    @property
    def summary_path(self) -> Path:
        """The file with the metrics of all evaluations; data other than the run's own have one of their own."""
        suffix = "" if self.is_of_own_data else f"-{config_hash(self.config())}"
        return self.folder.path / f"evaluation{suffix}.json"

    @property
    def is_of_own_data(self) -> bool:
        """Whether nothing that decides the numbers was overridden."""
        return config_hash(self.config()) == config_hash(self.folder.config())


def usual_split(config: ExperimentConfig) -> Split:
    """Return the split that is evaluated where none is named."""
    return "val" if config.data.validation.source == "held_out" else "test"


def evaluate_run(request: EvaluationRequest, listener: ProgressListener | None = None) -> Metrics:
    """Evaluate the run's network, keep each result as it ends, and return the metrics of the chosen evaluations.

    Raises:
        ConfigError: The overrides or the data do not fit the network.
        FileNotFoundError: The run has no checkpoint yet.
        EvaluationsFailedError: Some evaluations failed; the results of the others are stored.
    """
    config, folder = request.config(), request.folder
    context = LocalContext(folder)
    model = load_model(folder, context.device)
    kept = {key: value for key, value in result_row(folder.rows()).items() if key == KEPT_EPOCH}
    data = build_trial_data(config, file_index_in(request.storage) if request.storage else NO_INDEX)
    if len(data.class_names) != model.num_classes:
        raise ConfigError(
            f"{folder.path} has a network of {model.num_classes} classes, and the data have "
            f"{len(data.class_names)}: {', '.join(data.class_names)}"
        )
    split = request.split or usual_split(config)
    files = EvaluationFiles(request.results_path, _source(folder, data, split), config.evaluation.suite, split)
    if request.again:
        files.forget(request.evaluations)
    measure = partial(evaluate, config, context, model, data, request.evaluations, split=split, by=request.by)
    failed = None
    try:
        metrics = measure(listener=listener, store=files)
    except EvaluationsFailedError as error:
        metrics, failed = error.metrics, error
    # Metrics that an evaluation reported under other settings must not stay next to its new ones.
    before = with_current_metrics(read_json(request.summary_path) or {})
    others = {name: value for name, value in before.items() if not reports(request.evaluations, name, split)}
    write_json(request.summary_path, others | metrics | kept)
    if failed:
        raise failed
    return metrics


def _source(folder: TrialFolder, data: DataBundle, split: Split) -> str:
    """Return a digest of the network, the data and the code that evaluates."""
    shift = data.val_shift if split == "val" and data.val is not data.test else data.shift
    sets = [data.train, data.test if split == "test" else data.val, *shift.values()]
    sha, best_path = hashlib.sha256(folder.state_path.read_bytes()), folder.checkpoints.best_path
    if best_path.exists():
        sha.update(best_path.read_bytes())
    sha.update(",".join([version("campaign"), *shift, *(images.digest() for images in sets)]).encode())
    return sha.hexdigest()


def is_tested(folder: TrialFolder) -> bool:
    """Return whether the quick suite has measured the trial on the images that are reported."""
    config, metrics = folder.config(), folder.evaluation() or {}
    return any(reports(QUICK, name, usual_split(config)) for name in metrics)
