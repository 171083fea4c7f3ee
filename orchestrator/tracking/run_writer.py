"""Writes one MLflow run: adds what it does not have yet.

Each `send_*` compares with what MLflow held when the run was opened: what is sent twice arrives once.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.files.evaluation_files import EvaluationRecord
from orchestrator.files.trial_record import EvaluationSummary, Panel
from trainables.trial_folder import ENDED, Row

METRICS_PER_BATCH = 1000
PARAMS_PER_BATCH = 100
MAX_VALUE = 6000
LAST_OF_ROW = "epoch"
"""The metric that closes a row. A batch is one transaction, so where this is, the whole row is."""

SUMMARY_TAG = "campaign.evaluation"
EVALUATIONS_TAG = "campaign.evaluation_parts"
EVALUATIONS_FOLDER = "evaluation"

DrawCurves = Callable[[Sequence[EvaluationRecord]], str | None]
"""Returns a page with the curves of evaluations, or None where they have none."""


@dataclass
class RunWriter:
    """A run by its id, with what it is known to hold."""

    client: Any
    run_id: str
    status: str
    is_new: bool = False
    """Whether it was created when it was opened."""
    tags: dict[str, str] = field(default_factory=dict)
    params: set[str] = field(default_factory=set)
    epochs: set[int] = field(default_factory=set)
    data_digests: set[str] = field(default_factory=set)
    images: set[tuple[str, int]] | None = None
    """Panel keys with their steps; None before MLflow has been asked for them."""

    def send_tags(self, tags: Mapping[str, str]) -> None:
        """Set the tags that differ."""
        from mlflow.entities import RunTag

        news = {key: value[:MAX_VALUE] for key, value in tags.items()}
        news = {key: value for key, value in news.items() if self.tags.get(key) != value}
        for chunk in _chunks(list(news.items()), PARAMS_PER_BATCH):
            self.client.log_batch(self.run_id, tags=[RunTag(key, value) for key, value in chunk], synchronous=True)
        self.tags |= news

    def drop_tag(self, key: str) -> None:
        """Remove a tag that is there."""
        if key in self.tags:
            self.client.delete_tag(self.run_id, key)
            del self.tags[key]

    def send_params(self, params: Mapping[str, str]) -> None:
        """Log the params that are missing; one that is there never changes."""
        from mlflow.entities import Param

        news = [Param(key, value[:MAX_VALUE]) for key, value in params.items() if key not in self.params]
        for chunk in _chunks(news, PARAMS_PER_BATCH):
            self.client.log_batch(self.run_id, params=chunk, synchronous=True)
        self.params |= params.keys()

    def send_rows(self, rows: Sequence[Row], *, time_ms: int) -> None:
        """Log the rows whose epoch is missing, each whole in one transaction.

        Each has the time at which its epoch ended, so that a row sent twice is there once: MLflow keeps a metric of
        the same step, time and value once.

        Args:
            time_ms: The time of rows that have none, since an earlier version wrote them.
        """
        news = {int(row["epoch"]): _timed(row, time_ms) for row in rows if int(row["epoch"]) not in self.epochs}
        for batch in _packed([row for row in news.values() if len(row) <= METRICS_PER_BATCH]):
            self.client.log_batch(self.run_id, metrics=batch, synchronous=True)
        for epoch, row in news.items():
            if len(row) > METRICS_PER_BATCH:
                self._send_large_row(row, epoch)
        self.epochs |= news.keys()

    def _send_large_row(self, metrics: list[Any], step: int) -> None:
        for batch in _chunks(metrics, METRICS_PER_BATCH):
            if step not in steps(self.client, self.run_id, batch[0].key):
                self.client.log_batch(self.run_id, metrics=batch, synchronous=True)

    def send_summary(self, summary: EvaluationSummary, *, step: int, row: Row) -> None:
        """Log the evaluations' metrics at `step` and their file, unless this very result is there.

        A metric that `row`, the row of that step, has with the same value is left out: it is in MLflow already.
        """
        if self.tags.get(SUMMARY_TAG) == summary.digest:
            return
        self.send_file(summary.file)
        metrics = {key: value for key, value in summary.metrics.items() if row.get(key) != value}
        for batch in _chunks(_metrics(metrics, step, summary.time_ms), METRICS_PER_BATCH):
            self.client.log_batch(self.run_id, metrics=batch, synchronous=True)
        self.send_tags({SUMMARY_TAG: summary.digest})

    def send_evaluations(self, evaluations: Sequence[EvaluationRecord], *, step: int, draw_curves: DrawCurves) -> None:
        """Log each new or changed evaluation: file, documents, images as image series, and the page with all curves."""
        sent = json.loads(self.tags.get(EVALUATIONS_TAG, "{}"))
        news = [evaluation for evaluation in evaluations if sent.get(evaluation.name) != evaluation.digest]
        if not news:
            return
        for evaluation in news:
            self.send_file(evaluation.file, EVALUATIONS_FOLDER)
            for file in evaluation.documents:
                self.send_file(file, f"{EVALUATIONS_FOLDER}/{evaluation.name}")
            for file in evaluation.images:
                self._send_image(file, f"{EVALUATIONS_FOLDER}/{evaluation.name}/{file.stem}", step)
        page = draw_curves(evaluations)
        if page is not None:
            self.client.log_text(self.run_id, page, f"{EVALUATIONS_FOLDER}/charts.html")
        digests = {evaluation.name: evaluation.digest for evaluation in evaluations}
        self.send_tags({EVALUATIONS_TAG: json.dumps(digests)})

    def send_panels(self, panels: Sequence[Panel]) -> None:
        """Log the images that are missing, as image series `panels/<image>` over epochs."""
        if not panels:
            return
        if self.images is None:
            self.images = _logged_images(self.client, self.run_id)
        for panel in panels:
            key = f"panels/{safe_name(panel.image)}"
            if (key, panel.epoch) not in self.images:
                self._send_image(panel.file, key, panel.epoch)
                self.images.add((key, panel.epoch))

    def _send_image(self, file: Path, key: str, step: int) -> None:
        from PIL import Image

        with Image.open(file) as image:
            self.client.log_image(self.run_id, image, key=safe_name(key), step=step, synchronous=True)

    def send_data(self, data: Mapping[str, Any]) -> None:
        """Log the training set as the run's input, by its digest."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        if not data or str(data["digest"])[:36] in self.data_digests:
            return
        profile = {key: value for key, value in data.items() if key.startswith("num_")}
        dataset = Dataset(
            name=str(data["name"]),
            digest=str(data["digest"])[:36],
            source_type="local",
            source=json.dumps({"name": data["name"]}),
            profile=json.dumps(profile),
        )
        inputs = [DatasetInput(dataset, tags=[InputTag("mlflow.data.context", "training")])]
        self.client.log_inputs(self.run_id, datasets=inputs)
        self.data_digests.add(dataset.digest)

    def send_file(self, file: Path, folder: str | None = None) -> None:
        """Copy a file to the run's artifacts, over one of the same name."""
        self.client.log_artifact(self.run_id, str(file), folder)

    def send_diff(self, diff: str) -> None:
        """Log the uncommitted changes, if there are any, as `provenance/diff.patch`."""
        if diff:
            self.client.log_text(self.run_id, diff, "provenance/diff.patch")

    def set_status(self, status: str, time_ms: int | None = None) -> None:
        """Set the run's state; an end state also sets its end time."""
        if status == self.status:
            return
        if status == "RUNNING":
            self.client.update_run(self.run_id, status=status)
        else:
            self.client.set_terminated(self.run_id, status, time_ms)
        self.status = status


def _timed(row: Row, time_ms: int) -> list[Any]:
    """Return the row as MLflow's metrics, at the time at which its epoch ended."""
    ended_ms = int(row[ENDED] * 1000) if ENDED in row else time_ms
    return _metrics({key: value for key, value in row.items() if key != ENDED}, int(row["epoch"]), ended_ms)


def _metrics(values: Row, step: int, time_ms: int) -> list[Any]:
    """Return `values` as MLflow's metrics, the closing one last."""
    from mlflow.entities import Metric

    keys = sorted(values, key=lambda key: key == LAST_OF_ROW)
    return [Metric(safe_name(key), values[key], time_ms, step) for key in keys]


def steps(client: Any, run_id: str, key: str) -> set[int]:
    return {metric.step for metric in client.get_metric_history(run_id, key)}


def _logged_images(client: Any, run_id: str) -> set[tuple[str, int]]:
    """Return (key, step) of every image series entry; the compressed copy is the one MLflow writes last."""
    files = [Path(file.path).name for file in client.list_artifacts(run_id, "images")]
    names = [name.split("+") for name in files if "+compressed" in name]
    return {(key.replace("~", "/"), int(step)) for key, _, step, *_ in names}


def _packed(rows: Sequence[list[Any]]) -> Iterator[list[Any]]:
    """Join whole rows to batches within MLflow's limit."""
    batch: list[Any] = []
    for row in rows:
        if len(batch) + len(row) > METRICS_PER_BATCH:
            yield batch
            batch = []
        batch = batch + row
    if batch:
        yield batch


def _chunks(items: list[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def safe_name(name: str) -> str:
    """Replace what MLflow refuses in the name of a metric or an image series.

    A hash of the whole name then tells it from others that would look the same.
    """
    safe = re.sub(r"[^A-Za-z0-9_\-./ ]", "_", name)
    return safe if safe == name else f"{safe}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"
