"""Backbones, the edits made to them, and the classifier that holds them."""

from trainables.models.build import BuiltModel, build_model, check_weights
from trainables.models.classifier import Classifier
from trainables.models.embedder import Embedder, projection_head
from trainables.models.output import Output

__all__ = ["BuiltModel", "Classifier", "Embedder", "Output", "build_model", "check_weights", "projection_head"]
