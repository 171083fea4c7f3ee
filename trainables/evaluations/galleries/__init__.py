"""Images to look at: what a network gets right and wrong, and where its influence lies."""

from trainables.evaluations.galleries.gallery import GALLERY
from trainables.evaluations.galleries.mean_influence import MEAN_INFLUENCE

__all__ = ["GALLERY", "MEAN_INFLUENCE"]
