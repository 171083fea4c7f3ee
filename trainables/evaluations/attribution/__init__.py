"""Quality of a network's explanations: kinds of maps, and the metrics of each."""

from trainables.evaluations.attribution.maps import MAPS, at_image_resolution
from trainables.evaluations.attribution.similarity import structural_similarities
from trainables.evaluations.attribution.specs import ATTRIBUTION

__all__ = ["ATTRIBUTION", "MAPS", "at_image_resolution", "structural_similarities"]
