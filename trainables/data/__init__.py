"""Data sets with background maps, and the loaders that make them reproducible."""

from trainables.data.batch import Batch
from trainables.data.build import build_data
from trainables.data.dataset import NO_CLASS, DataBundle, Draw, Grouped, PictureSet
from trainables.data.decoding import PictureError
from trainables.data.file_index import NO_INDEX, FileIndex
from trainables.data.loader import Batches, evaluation_batches, training_batches
from trainables.data.ood_sets import build_ood_set, default_ood_sets
from trainables.data.photos import read_picture

__all__ = [
    "NO_CLASS",
    "NO_INDEX",
    "Batch",
    "Batches",
    "DataBundle",
    "Draw",
    "FileIndex",
    "Grouped",
    "PictureError",
    "PictureSet",
    "build_data",
    "build_ood_set",
    "default_ood_sets",
    "evaluation_batches",
    "read_picture",
    "training_batches",
]
