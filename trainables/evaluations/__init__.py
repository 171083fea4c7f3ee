"""Evaluations of a trained network: one file each, joined in a suite."""

from trainables.evaluations.base import EvalSpec, Subject
from trainables.evaluations.finding import Curve, Finding, Metrics, NotPossibleError
from trainables.evaluations.panels import draw_panels, panels_of
from trainables.evaluations.predictions import Predictions, predict
from trainables.evaluations.suite import (
    EVALUATIONS,
    QUICK,
    Keeper,
    PartsFailedError,
    Watch,
    direction,
    evaluation,
    is_evaluated,
    reports,
    run_suite,
    select,
)

__all__ = [
    "EVALUATIONS",
    "QUICK",
    "Curve",
    "EvalSpec",
    "Finding",
    "Keeper",
    "Metrics",
    "NotPossibleError",
    "PartsFailedError",
    "Predictions",
    "Subject",
    "Watch",
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
