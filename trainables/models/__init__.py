"""Backbones, the edits made to them, and the classifier that holds them."""

from trainables.models.build import BuiltModel, build_model, check_batch_norms, check_model, count_cells
from trainables.models.classifier import Classifier
from trainables.models.embedder import Embedder, projection_head
from trainables.models.eval_mode import in_eval_mode
from trainables.models.norms import with_sync_batchnorm
from trainables.models.output import Output
from trainables.models.own_network import own_modules
from trainables.models.recomputed import recompute_stages, recomputed_modules
from trainables.models.stages import Stage, stages_of

__all__ = [
    "BuiltModel",
    "Classifier",
    "Embedder",
    "Output",
    "Stage",
    "build_model",
    "check_batch_norms",
    "check_model",
    "count_cells",
    "in_eval_mode",
    "own_modules",
    "projection_head",
    "recompute_stages",
    "recomputed_modules",
    "stages_of",
    "with_sync_batchnorm",
]
