"""Evaluate a run's network: each part of the suite a file, all of them together the run's `evaluation.json`."""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from orchestrator.data.index import file_index_in
from orchestrator.files.evaluation_store import EvaluationFiles
from orchestrator.launch.trials import draw_curves
from orchestrator.tracking import Store, StoreError, TrialRun, find_identity
from trainables.config import ConfigError, ExperimentConfig, config_hash, experiment_from_tree, override
from trainables.data import NO_INDEX, DataBundle, build_data
from trainables.evaluations import QUICK, EvaluationsFailedError, Metrics, ProgressListener, reports
from trainables.training import LocalContext
from trainables.trial import evaluate, load_model
from trainables.trial_folder import TrialFolder, read_json, write_json

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EvaluationOrder:
    """What to evaluate of a run, and on which data."""

    folder: TrialFolder
    overrides: Mapping[str, Any]
    """Config field -> value, for example another `data.root` or `evaluation.suite.sample`."""
    parts: Sequence[str] = QUICK
    again: bool = False
    """Run finished parts once more."""
    storage: Path | None = None
    """The storage folder, which holds lists of data sets' files; None looks at the files themselves."""

    def config(self) -> ExperimentConfig:
        """Return the run's config with the overrides; ConfigError where they do not fit."""
        tree = self.folder.config().model_dump(mode="json")
        return experiment_from_tree(override(tree, self.overrides), source=str(self.folder.path))

    def on_all_cores(self) -> "EvaluationOrder":
        """Return the order for a machine on which nothing else computes; a number of cores that it names stays."""
        return replace(self, overrides={"resources.cpus": float(torch.get_num_threads()), **self.overrides})

    @property
    def parts_path(self) -> Path:
        """Where the parts lie, beside a file of that name with `.json` for the figures of all of them.

        Other data than the run's own have a place of their own.
        """
        changed = config_hash(self.config()) != config_hash(self.folder.config())
        return self.folder.path / (f"evaluation-{config_hash(self.config())}" if changed else "evaluation")


def evaluate_run(order: EvaluationOrder, listener: ProgressListener | None = None) -> Metrics:
    """Evaluate the run's network, keep every part as it ends, and return the figures of the parts asked for.

    Raises:
        ConfigError: The overrides or the data do not fit the network.
        FileNotFoundError: The run has no checkpoint yet.
        EvaluationsFailedError: Some parts failed; the others are kept.
    """
    config, folder = order.config(), order.folder
    context = LocalContext(folder)
    model = load_model(folder, context.device)
    data = build_data(config.data, file_index_in(order.storage) if order.storage else NO_INDEX)
    if len(data.class_names) != model.num_classes:
        raise ConfigError(
            f"{folder.path} has a network of {model.num_classes} classes, and the data have "
            f"{len(data.class_names)}: {', '.join(data.class_names)}"
        )
    store = EvaluationFiles(order.parts_path, source=_source(folder, data), settings=config.evaluation.suite)
    if order.again:
        store.forget(order.parts)
    failed = None
    try:
        metrics = evaluate(config, context, model, data, order.parts, listener=listener, store=store)
    except EvaluationsFailedError as error:
        metrics, failed = error.metrics, error
    path = order.parts_path.with_name(f"{order.parts_path.name}.json")
    # What a part no longer reports, for it was measured on other settings, must not stay beside what it does.
    others = {name: value for name, value in (read_json(path) or {}).items() if not reports(order.parts, name)}
    write_json(path, others | metrics)
    if failed:
        raise failed
    return metrics


def _source(folder: TrialFolder, data: DataBundle) -> str:
    """Return a digest of the network, the data and the code that evaluates."""
    sets = [data.train, data.val, *data.shift.values()]
    sha = hashlib.sha256(folder.state_path.read_bytes())
    sha.update(",".join([version("campaign"), *data.shift, *(images.digest() for images in sets)]).encode())
    return sha.hexdigest()


def push_evaluation(order: EvaluationOrder, store: Store) -> str | None:
    """Send the run's evaluation to its MLflow run; return the run's id.

    None where MLflow has no such run, with a warning if it does not answer. Figures of other data than the run's own
    stay in their file, and a warning says so.
    """
    folder = order.folder
    if order.parts_path.name != "evaluation":
        logger.warning(
            "these figures are of other data than the run's own: they are in %s.json alone", order.parts_path
        )
    try:
        found = find_identity(store, folder.path)
    except StoreError as error:
        logger.warning("the evaluation of %s is not in MLflow (`campaign sync` sends it): %s", folder.path, error)
        return None
    if found is None:
        return None
    trial_run = TrialRun(store, found, folder.path, draw_curves=draw_curves)
    trial_run.push()
    return trial_run.run_id
