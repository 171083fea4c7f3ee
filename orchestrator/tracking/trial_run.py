"""One trial's folder as one MLflow run: the only way by which new metrics of a trial reach MLflow."""

import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

from orchestrator.files.trial_record import TrialRecord, read_params, read_record
from orchestrator.tracking.open_run import open_run, tag_run
from orchestrator.tracking.run_request import POLL_S, RunRequest
from orchestrator.tracking.run_writer import DrawCurves, RunWriter
from orchestrator.tracking.store import Outage, Store, StoreError, connect, store_errors
from orchestrator.tracking.uninterrupted import uninterrupted
from trainables.json_file import BrokenFileError
from trainables.outcome import Outcome, Status
from trainables.trial_folder import TrialFolder

logger = logging.getLogger(__name__)

EndState = Literal["FINISHED", "FAILED", "KILLED"]
END_STATES: Mapping[Status, EndState] = {"completed": "FINISHED", "stopped": "FINISHED", "failed": "FAILED"}
ERROR_TAG = "campaign.error"
FINISH_ATTEMPTS = 2


@dataclass(frozen=True)
class RunIdentity:
    """The sweep and the trial that a run belongs to, and where it comes from."""

    experiment_id: str
    sweep: str
    trial_id: str
    config_hash: str
    scale: str | None = None
    parent_run_id: str | None = None
    promoted_from: str | None = None
    created: str | None = None
    """When the sweep's folder was made: a new sweep under an old name gets new runs."""
    provenance: Mapping[str, str] = field(default_factory=dict)
    """Tags that say by what code, on what machine and by what command the run was made."""
    diff: str = ""
    """The uncommitted changes to that code, for a run without a parent; a sweep's are on its parent run."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Tags that say what the trial is within its sweep, such as an arm of a study."""

    @property
    def key(self) -> dict[str, str]:
        """The tags that find this trial's run in the experiment."""
        created = {"campaign.created": self.created} if self.created else {}
        return {
            "campaign.sweep": self.sweep,
            "campaign.trial_id": self.trial_id,
            "campaign.config_hash": self.config_hash,
            **created,
        }

    def tags(self, folder: Path) -> dict[str, str]:
        """Return every tag of the run except its provenance, which only a new run gets."""
        optional = {
            "campaign.scale": self.scale,
            "campaign.promoted_from": self.promoted_from,
            "mlflow.parentRunId": self.parent_run_id,
        }
        return {
            **self.key,
            **{key: value for key, value in optional.items() if value is not None},
            **self.labels,
            "campaign.kind": "trial",
            "campaign.directory": str(folder.absolute()),
            "mlflow.runName": self.trial_id,
        }


class TrialRun:
    """Sends to MLflow what it does not have yet of a trial's folder; the folder is the truth.

    It is cheap to make, can be pickled, and imports MLflow when it first sends.
    """

    def __init__(
        self,
        store: Store,
        identity: RunIdentity,
        folder: TrialFolder,
        *,
        draw_curves: DrawCurves,
        first_wait_s: float = 5.0,
    ) -> None:
        """Args:
        draw_curves: Makes the page of the evaluations' curves; it must be picklable.
        first_wait_s: Pause after a failed push; each further failure doubles it.
        """
        self._store = store
        self._identity = identity
        self._folder = folder
        self._draw_curves = draw_curves
        self._outage = Outage(first_wait_s=first_wait_s)
        self._writer: RunWriter | None = None
        self._params: dict[str, str] = {}
        self._end_state: EndState | None = None

    @property
    def trial_id(self) -> str:
        """The trial whose folder is sent."""
        return self._identity.trial_id

    @property
    def in_outage(self) -> bool:
        """Whether the last push left something unsent."""
        return self._outage.ongoing

    @property
    def is_being_created(self) -> bool:
        """Whether MLflow was asked to create the run and has not answered."""
        return RunRequest(self._folder.path).is_pending

    @property
    def run_id(self) -> str | None:
        """The run's id, found or created where needed; None while MLflow does not answer."""
        if self._writer is None and not self._outage.pausing:
            self._attempt()
        return self._writer.run_id if self._writer else None

    def push(self) -> None:
        """Send what MLflow does not have yet; while it does not answer, leave that to a later push.

        Raises:
            BrokenFileError: A file of the folder is malformed.
        """
        record = self._read()
        if not self._outage.pausing:
            self._attempt(record)

    def finish(self, status: EndState) -> None:
        """Send everything and set the end state: that of outcome.json if there is one, else `status`."""
        self._end_state = status
        record = self._read()
        for _ in range(FINISH_ATTEMPTS):
            if self._attempt(record):
                return

    def _read(self) -> TrialRecord:
        self._params = self._params or read_params(self._folder)
        return read_record(self._folder)

    def _attempt(self, record: TrialRecord | None = None) -> bool:
        return uninterrupted(partial(self._try, record))

    def _try(self, record: TrialRecord | None) -> bool:
        what = f"trial {self._identity.trial_id} ({self._folder.path}; `campaign sync` sends the rest)"
        try:
            with store_errors(self._store):
                self._writer = self._writer or self._open()
                if record is not None:
                    self._send(self._writer, record)
        except StoreError as error:
            self._writer = None  # What has arrived is unknown now: the next attempt asks MLflow.
            self._outage.failed(what, error)
            return False
        self._outage.succeeded(what)
        return True

    def _open(self) -> RunWriter:
        config, client = self._folder.config_path, connect(self._store)
        writer = open_run(
            client,
            self._identity.experiment_id,
            RunRequest(self._folder.path),
            key=self._identity.key,
            tags=self._identity.tags(self._folder.path),
            provenance=self._identity.provenance,
            name=self._identity.trial_id,
            start_ms=int((config.stat().st_mtime if config.exists() else time.time()) * 1000),
        )
        if writer.is_new:
            writer.send_diff(self._identity.diff)
        if self._identity.promoted_from:
            tag_run(client, self._identity.promoted_from, f"campaign.promoted_to.{self._identity.sweep}", writer.run_id)
        return writer

    def _send(self, writer: RunWriter, record: TrialRecord) -> None:
        if self._params.keys() - writer.params:
            writer.send_file(self._folder.config_path)
            writer.send_params(self._params)
        if record.last_epoch not in {0, *writer.epochs} and record.outcome is None:
            writer.set_status("RUNNING")  # A restarted trial goes on.
        writer.send_rows(record.rows, time_ms=record.rows_time_ms)
        writer.send_data(record.data)
        _send_model(writer, record.model)
        writer.send_panels(record.panels)
        if record.evaluation:
            row = next((row for row in record.rows if row["epoch"] == record.last_epoch), {})
            writer.send_summary(record.evaluation, step=record.last_epoch, row=row)
        writer.send_evaluations(record.evaluations, step=record.last_epoch, draw_curves=self._draw_curves)
        self._send_end(writer, record)

    def _send_end(self, writer: RunWriter, record: TrialRecord) -> None:
        outcome = record.outcome
        if outcome is None:
            if self._end_state is not None:
                writer.set_status(self._end_state)
            return
        writer.send_tags(_outcome_tags(outcome))
        if outcome.error is None:
            writer.drop_tag(ERROR_TAG)  # Of an earlier attempt.
        writer.set_status(END_STATES[outcome.status], record.outcome_time_ms)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_writer": None}


def sync(trial_runs: Iterable[TrialRun]) -> list[str]:
    """Push every trial, and return the ids of those that MLflow still does not have in full.

    A run that MLflow may be creating at this moment is waited for, so that it is not created twice. A trial whose
    files cannot be read does not keep the others from being sent.
    """
    return [trial_run.trial_id for trial_run in trial_runs if not _is_sent(trial_run)]


def _is_sent(trial_run: TrialRun) -> bool:
    """Push the trial, and return whether MLflow has all of it."""
    try:
        trial_run.push()
        while trial_run.is_being_created:
            time.sleep(POLL_S)
            trial_run.push()
    except BrokenFileError as error:
        logger.warning("trial %s is not sent: %s", trial_run.trial_id, error)
        return False
    return not trial_run.in_outage


def _send_model(writer: RunWriter, model: Mapping[str, Any]) -> None:
    if "num_parameters" in model:
        writer.send_params({"num_parameters": str(model["num_parameters"])})
    if model.get("edits"):
        writer.send_tags({"campaign.model_edits": "; ".join(model["edits"])})


def _outcome_tags(outcome: Outcome) -> dict[str, str]:
    error = {ERROR_TAG: outcome.error} if outcome.error else {}
    reason = {"campaign.reason": outcome.reason} if outcome.reason else {}
    return {
        "campaign.outcome": outcome.status,
        "campaign.stopped_early": str(outcome.status == "stopped").lower(),
        **reason,
        **error,
    }
