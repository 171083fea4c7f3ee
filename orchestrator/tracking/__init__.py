"""MLflow as a view of what lies on disk: stores, mirrored trials, the sweep's parent run, the champion."""

from orchestrator.files.provenance import Provenance, collect_provenance, keep_provenance, kept_provenance
from orchestrator.reports.sweep_plots import Objectives, Row
from orchestrator.tracking.registry import crown, log_model
from orchestrator.tracking.runs import SweepIds, find_identity, find_sweep, folder_of_run
from orchestrator.tracking.store import Store, StoreError, connect, ensure_experiment, resolve_store
from orchestrator.tracking.sweep_run import (
    SweepIdentity,
    close_parent,
    leaderboard,
    log_diff,
    open_parent,
    write_study,
    write_summary,
)
from orchestrator.tracking.sync import sync
from orchestrator.tracking.trial_run import EndState, Mirror, RunIdentity

__all__ = [
    "EndState",
    "Mirror",
    "Objectives",
    "Provenance",
    "Row",
    "RunIdentity",
    "Store",
    "StoreError",
    "SweepIdentity",
    "SweepIds",
    "close_parent",
    "collect_provenance",
    "connect",
    "crown",
    "ensure_experiment",
    "find_identity",
    "find_sweep",
    "folder_of_run",
    "keep_provenance",
    "kept_provenance",
    "leaderboard",
    "log_diff",
    "log_model",
    "open_parent",
    "resolve_store",
    "sync",
    "write_study",
    "write_summary",
]
