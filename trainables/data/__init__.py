"""Data sets with background maps, and the loaders that make them reproducible."""

from trainables.data.batch import Batch
from trainables.data.build import build_data, build_trial_data
from trainables.data.class_weights import class_weights
from trainables.data.dataset import NO_CLASS, DataBundle, Draw, Grouped, ImageSet, Labelled, Masked, sources_of
from trainables.data.file_index import NO_INDEX, FileIndex
from trainables.data.image_file import ImageError
from trainables.data.image_files import left_out_of, read_image
from trainables.data.image_subset import ImageSubset, class_and_group
from trainables.data.loader import Batches, evaluation_batches, training_batches
from trainables.data.ood_sets import build_ood_set, default_ood_sets
from trainables.data.sampling import draw_of_each, strata_of
from trainables.data.validation_cut import half_of

__all__ = [
    "NO_CLASS",
    "NO_INDEX",
    "Batch",
    "Batches",
    "DataBundle",
    "Draw",
    "FileIndex",
    "Grouped",
    "ImageError",
    "ImageSet",
    "ImageSubset",
    "Labelled",
    "Masked",
    "build_data",
    "build_ood_set",
    "build_trial_data",
    "class_and_group",
    "class_weights",
    "default_ood_sets",
    "draw_of_each",
    "evaluation_batches",
    "half_of",
    "left_out_of",
    "read_image",
    "sources_of",
    "strata_of",
    "training_batches",
]
