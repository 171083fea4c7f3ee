"""MLflow as a view of the files on disk: stores, runs of trials, the sweep's parent run, the champion."""

from orchestrator.tracking.registry import log_model, set_champion_alias
from orchestrator.tracking.run_page import send_page
from orchestrator.tracking.runs import find_experiment, find_sweep, folder_of_run, ids_in_mlflow, trials_left_open
from orchestrator.tracking.store import Store, StoreError, check_store, connect, ensure_experiment, resolve_store
from orchestrator.tracking.sweep_run import (
    Objectives,
    Row,
    SweepIdentity,
    close_sweep_run,
    leaderboard,
    open_sweep_run,
    write_study,
    write_summary,
)
from orchestrator.tracking.trial_run import EndState, RunIdentity, TrialRun, sync
from orchestrator.tracking.uninterrupted import uninterrupted

__all__ = [
    "EndState",
    "Objectives",
    "Row",
    "RunIdentity",
    "Store",
    "StoreError",
    "SweepIdentity",
    "TrialRun",
    "check_store",
    "close_sweep_run",
    "connect",
    "ensure_experiment",
    "find_experiment",
    "find_sweep",
    "folder_of_run",
    "ids_in_mlflow",
    "leaderboard",
    "log_model",
    "open_sweep_run",
    "resolve_store",
    "send_page",
    "set_champion_alias",
    "sync",
    "trials_left_open",
    "uninterrupted",
    "write_study",
    "write_summary",
]
