"""Images to look at: what a network gets right and wrong, and where its influence lies."""

from trainables.evaluations.images.gallery import GALLERY
from trainables.evaluations.images.mean_map import MEAN_INFLUENCE

__all__ = ["GALLERY", "MEAN_INFLUENCE"]
