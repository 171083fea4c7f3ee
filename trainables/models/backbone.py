"""What a builder of feature extractors hands to the classifier's builder."""

from typing import NamedTuple

from torch import nn


class Backbone(NamedTuple):
    """A feature extractor, its number of features, and the edits made to its plain form."""

    trunk: nn.Module
    num_features: int
    edits: tuple[str, ...]
