"""Images for people: a network's hits and mistakes, and where its influence lies."""

from trainables.evaluations.galleries.gallery import GALLERY
from trainables.evaluations.galleries.mean_influence import MEAN_INFLUENCE

__all__ = ["GALLERY", "MEAN_INFLUENCE"]
