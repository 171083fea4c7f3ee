"""Evaluations of a trained network: one file each, joined in a suite."""

from trainables.evaluations.base import EvalSpec, Metrics, Subject
from trainables.evaluations.panels import draw_panels, panels_of
from trainables.evaluations.predictions import Predictions, predict
from trainables.evaluations.suite import EVALUATIONS, direction, evaluation, run_suite

__all__ = [
    "EVALUATIONS",
    "EvalSpec",
    "Metrics",
    "Predictions",
    "Subject",
    "direction",
    "draw_panels",
    "evaluation",
    "panels_of",
    "predict",
    "run_suite",
]
