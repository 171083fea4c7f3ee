"""Evaluations of a trained network: one file each, joined in a suite."""

from trainables.evaluations.base import EvalSpec, EvaluationContext
from trainables.evaluations.panels import draw_panels, panels_of
from trainables.evaluations.predictions import Predictions, predict
from trainables.evaluations.result import Curve, EvaluationResult, Metrics, NotPossibleError
from trainables.evaluations.suite import (
    EPOCH_SUITE,
    EVALUATIONS,
    FINAL_SUITE,
    QUICK,
    EvaluationsFailedError,
    EvaluationStore,
    ProgressListener,
    direction,
    evaluation,
    is_evaluated,
    reports,
    run_suite,
    select,
)

__all__ = [
    "EPOCH_SUITE",
    "EVALUATIONS",
    "FINAL_SUITE",
    "QUICK",
    "Curve",
    "EvalSpec",
    "EvaluationContext",
    "EvaluationResult",
    "EvaluationStore",
    "EvaluationsFailedError",
    "Metrics",
    "NotPossibleError",
    "Predictions",
    "ProgressListener",
    "direction",
    "draw_panels",
    "evaluation",
    "is_evaluated",
    "panels_of",
    "predict",
    "reports",
    "run_suite",
    "select",
]
