"""Data sets with background maps, and the loaders that make them reproducible."""

from trainables.data.batch import Batch
from trainables.data.build import build_data
from trainables.data.dataset import DataBundle, Draw, PictureSet
from trainables.data.loader import Batches, evaluation_batches, training_batches
from trainables.data.photos import PictureError, read_picture

__all__ = [
    "Batch",
    "Batches",
    "DataBundle",
    "Draw",
    "PictureError",
    "PictureSet",
    "build_data",
    "evaluation_batches",
    "read_picture",
    "training_batches",
]
