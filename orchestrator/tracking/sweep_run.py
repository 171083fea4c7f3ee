"""A sweep's parent run: opened, summarised, closed."""

import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from orchestrator.files.provenance import Provenance
from orchestrator.tracking.open_run import open_run
from orchestrator.tracking.run_request import POLL_S, RunRequest
from orchestrator.tracking.run_writer import safe_name
from orchestrator.tracking.store import Store, StoreError, connect, store_errors
from orchestrator.tracking.trial_run import EndState, RunIdentity
from trainables.json_file import read_object, time_ms

if TYPE_CHECKING:
    from PIL import Image

logger = logging.getLogger(__name__)

LEADERBOARD = "leaderboard.json"
TABLES_TAG = "mlflow.loggedArtifacts"
"""The tag by which MLflow's page and `load_table` find a run's tables."""

Objectives = Mapping[str, Literal["max", "min"]]
"""Metric name -> direction, the most important first."""
Row = Mapping[str, Any]
"""A trial as `--json` prints it: trial_id, run_id, status, epoch, config (flat) and metrics."""


@dataclass(frozen=True)
class SweepIdentity:
    """A sweep within its experiment."""

    experiment_id: str
    sweep: str
    scale: str | None = None
    parent_run_id: str | None = None
    """The run that `open_sweep_run` returned; trials' runs are nested under it."""
    created: str | None = None
    """When the sweep's folder was made: a new sweep under an old name gets new runs."""
    provenance: Provenance = field(default_factory=Provenance)

    @property
    def key(self) -> dict[str, str]:
        """The tags that find the sweep's parent run."""
        created = {"campaign.created": self.created} if self.created else {}
        return {"campaign.sweep": self.sweep, "campaign.kind": "sweep", **created}

    def trial(
        self,
        trial_id: str,
        config_hash: str,
        *,
        promoted_from: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> RunIdentity:
        """Return the identity of one of the sweep's trials."""
        return RunIdentity(
            experiment_id=self.experiment_id,
            sweep=self.sweep,
            trial_id=trial_id,
            config_hash=config_hash,
            scale=self.scale,
            parent_run_id=self.parent_run_id,
            promoted_from=promoted_from,
            created=self.created,
            provenance=self.provenance.tags,
            labels=labels or {},
        )


def open_sweep_run(store: Store, identity: SweepIdentity, folder: Path) -> str:
    """Find or create the sweep's parent run, set it running, and return its id.

    `sweep.yaml` of the sweep's folder and the uncommitted changes to the code that made it become its artifacts. A run
    that MLflow may be creating at this moment is waited for, so that it is not created twice.

    Raises:
        StoreError: MLflow does not answer; a sweep does not start without its store.
    """
    while True:
        try:
            return _open_sweep_run(store, identity, folder)
        except StoreError:
            if not RunRequest(folder).is_pending:
                raise
            time.sleep(POLL_S)


def _open_sweep_run(store: Store, identity: SweepIdentity, folder: Path) -> str:
    tags = {
        **({"campaign.scale": identity.scale} if identity.scale else {}),
        "campaign.directory": str(folder.absolute()),
        "mlflow.runName": identity.sweep,
    }
    with store_errors(store):
        writer = open_run(
            connect(store),
            identity.experiment_id,
            RunRequest(folder),
            key=identity.key,
            tags=tags,
            provenance=identity.provenance.tags,
            name=identity.sweep,
            start_ms=int(time.time() * 1000),
        )
        writer.set_status("RUNNING")
        writer.send_file(folder / "sweep.yaml")
        if writer.is_new:
            writer.send_diff(identity.provenance.diff)
        return writer.run_id


def close_sweep_run(store: Store, parent_run_id: str, status: EndState) -> bool:
    """Set the parent's end state; False, with a warning, while MLflow does not answer."""
    return _guarded(store, "the sweep's end state", lambda client: client.set_terminated(parent_run_id, status=status))


def write_summary(
    store: Store,
    parent_run_id: str,
    rows: Sequence[Row],
    objectives: Objectives,
    *,
    ranking: Sequence[Row],
    page: str,
    sheet: "Image.Image | None" = None,
    ended_ms: int,
) -> bool:
    """Write the sweep's result to its parent run, over what an earlier call wrote.

    Metrics `best/<objective>` and `trials/<status>`; artifacts `leaderboard.json` (a table, best first), `plots.html`
    and `panels.png`.

    Args:
        rows: The trials as `--json` prints them.
        objectives: Metric name -> direction, the most important first.
        ranking: The trials that can be compared, best first; each has every objective.
        page: The interactive plots, as one HTML page.
        sheet: The CAM panels of the best trials, where there are some.
        ended_ms: When the last trial ended, so that a metric sent twice is there once.

    Returns:
        Whether MLflow accepted it; if not, a warning says so.
    """

    def send(client: Any) -> None:
        _send_metrics(client, parent_run_id, _summary_metrics(rows, ranking, objectives), len(rows), ended_ms)
        _send_table(client, parent_run_id, leaderboard(rows, ranking, objectives))
        client.log_text(parent_run_id, page, "plots.html")
        if sheet is not None:
            client.log_image(parent_run_id, sheet, "panels.png")

    return _guarded(store, "the sweep's summary", send)


def write_study(store: Store, parent_run_id: str, folder: Path, *, step: int) -> bool:
    """Send the result of a study that lies in the sweep's folder to its parent run.

    Artifacts `study.md` and `study.json`, and as metrics `study/<arm>/<metric>` the arms' means over the seeds.

    Args:
        step: How many trials there are.

    Returns:
        Whether MLflow accepted it; if not, a warning says so.
    """
    written_ms = time_ms(folder / "study.json")
    means = {
        safe_name(f"study/{arm['arm']}/{metric}"): float(value["mean"])
        for arm in read_object(folder / "study.json")["arms"]
        for metric, value in arm["figures"].items()
        if value["mean"] is not None
    }

    def send(client: Any) -> None:
        for name in ("study.md", "study.json"):
            client.log_artifact(parent_run_id, str(folder / name))
        _send_metrics(client, parent_run_id, means, step, written_ms)

    return _guarded(store, "the study's result", send)


def leaderboard(rows: Sequence[Row], ranking: Sequence[Row], objectives: Objectives) -> dict[str, list[Any]]:
    """Return the trials as a table, column by column: ranked ones first, objectives before other metrics."""
    ranks = {row["trial_id"]: rank for rank, row in enumerate(ranking, 1)}
    order = [*ranking, *(row for row in rows if row["trial_id"] not in ranks)]
    metrics = dict.fromkeys([*objectives, *(key for row in rows for key in row["metrics"])])
    settings = dict.fromkeys(key for row in rows for key in row["config"])
    table: dict[str, list[Any]] = {
        "rank": [ranks.get(row["trial_id"]) for row in order],
        **{name: [row.get(name) for row in order] for name in ("trial_id", "status", "epoch")},
        **{
            name: [row.get(name) for row in order]
            for name in ("on_front", "violation")
            if any(name in row for row in rows)
        },
        **{name: [row["metrics"].get(name) for row in order] for name in metrics},
        **{name: [row["config"].get(name) for row in order] for name in settings},
    }
    return {**table, "run_id": [row.get("run_id") for row in order]}


def _guarded(store: Store, what: str, send: Callable[[Any], None]) -> bool:
    try:
        with store_errors(store):
            send(connect(store))
    except StoreError as error:
        logger.warning("%s not sent to MLflow (`campaign sync` sends it): %s", what, error)
        return False
    return True


def _summary_metrics(rows: Sequence[Row], ranking: Sequence[Row], objectives: Objectives) -> dict[str, float]:
    counts = Counter(row["status"] for row in rows)
    metrics = {f"trials/{status}": float(counts[status]) for status in ("completed", "stopped", "failed")}
    feasible = [row for row in ranking if not row.get("violation")]
    for metric, direction in objectives.items() if feasible else ():
        values = [float(row["metrics"][metric]) for row in feasible]
        metrics[f"best/{metric}"] = max(values) if direction == "max" else min(values)
    return metrics


def _send_metrics(client: Any, run_id: str, metrics: Mapping[str, float], step: int, at_ms: int) -> None:
    """Log the metrics that differ from the run's latest."""
    from mlflow.entities import Metric

    latest = client.get_run(run_id).data.metrics
    news = [Metric(key, value, at_ms, step) for key, value in metrics.items() if latest.get(key) != value]
    if news:
        client.log_batch(run_id, metrics=news, synchronous=True)


def _send_table(client: Any, run_id: str, table: Mapping[str, list[Any]]) -> None:
    """Write the table as MLflow's `log_table` does, which itself could only append to an earlier one."""
    cells = {"columns": list(table), "data": [list(line) for line in zip(*table.values(), strict=True)]}
    client.log_text(run_id, json.dumps(cells, default=str), LEADERBOARD)
    client.set_tag(run_id, TABLES_TAG, json.dumps([{"path": LEADERBOARD, "type": "table"}]), synchronous=True)
