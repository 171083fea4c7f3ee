"""What a builder of feature extractors hands to the classifier's builder."""

from collections.abc import Sequence
from typing import NamedTuple

from torch import nn

from trainables.models.architecture import Stages
from trainables.models.pretrained import Pretrained

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Backbone(NamedTuple):
    """A feature extractor, its number of features, and the edits made to its plain form."""

    trunk: nn.Module
    num_features: int
    edits: tuple[str, ...]
    mean: Sequence[float] = IMAGENET_MEAN
    """Mean of each colour, which is taken from images in [0, 1]."""
    std: Sequence[float] = IMAGENET_STD
    """Standard deviation of each colour, by which the rest is divided."""
    pretrained: Pretrained | None = None
    """What was loaded from a file of weights; None if all are random."""
    stages: Stages = ()
    """Its parts from the input to the output; without them, it is trained as a whole."""
    source_sha256: str | None = None
    """Of the text of the user's file that defines the network."""
