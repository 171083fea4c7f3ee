"""Classifiers of frozen features, each of them a network with one linear head, so that every map stays exact."""

from trainables.classifiers.balanced import check_balance, subset_size
from trainables.classifiers.build import FittedClassifier, fit_classifier, restore_classifier
from trainables.classifiers.embedding import embed_images
from trainables.classifiers.last_layer import LastLayer, fit_last_layer, restore_last_layer, with_last_layer
from trainables.classifiers.linear_probe import Probe, fit_linear_probe
from trainables.classifiers.nearest_centroid import nearest_centroid
from trainables.classifiers.nearest_neighbours import NeighbourEvidence
from trainables.classifiers.unit_features import UnitFeatures

__all__ = [
    "FittedClassifier",
    "LastLayer",
    "NeighbourEvidence",
    "Probe",
    "UnitFeatures",
    "check_balance",
    "embed_images",
    "fit_classifier",
    "fit_last_layer",
    "fit_linear_probe",
    "nearest_centroid",
    "restore_classifier",
    "restore_last_layer",
    "subset_size",
    "with_last_layer",
]
