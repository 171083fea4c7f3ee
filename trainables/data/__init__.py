"""Data sets with background maps, and the loaders that make them reproducible."""

from trainables.data.batch import Batch
from trainables.data.build import build_data
from trainables.data.dataset import NO_CLASS, DataBundle, Draw, Grouped, PictureSet
from trainables.data.decoding import PictureError
from trainables.data.loader import Batches, evaluation_batches, training_batches
from trainables.data.manifest import NONE_KEPT, Manifests
from trainables.data.outside import build_outside, default_sets
from trainables.data.photos import read_picture

__all__ = [
    "NONE_KEPT",
    "NO_CLASS",
    "Batch",
    "Batches",
    "DataBundle",
    "Draw",
    "Grouped",
    "Manifests",
    "PictureError",
    "PictureSet",
    "build_data",
    "build_outside",
    "default_sets",
    "evaluation_batches",
    "read_picture",
    "training_batches",
]
