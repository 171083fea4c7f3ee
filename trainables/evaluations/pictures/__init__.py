"""Pictures to look at: what a network gets right and wrong, and where its influence lies."""

from trainables.evaluations.pictures.gallery import GALLERY
from trainables.evaluations.pictures.mean_map import MEAN_INFLUENCE

__all__ = ["GALLERY", "MEAN_INFLUENCE"]
