"""Backbones, the edits made to them, and the classifier that holds them."""

from trainables.models.build import BuiltModel, build_model
from trainables.models.classifier import Classifier
from trainables.models.output import Output

__all__ = ["BuiltModel", "Classifier", "Output", "build_model"]
