"""Class activation maps: computed in closed form, compared and measured."""

from trainables.cams.background import reduce_background, reduce_classes
from trainables.cams.contrastive import class_reconstructed_cams, contrastive_cams
from trainables.cams.hirescam import hirescam
from trainables.cams.influence import class_influence, influence

__all__ = [
    "class_influence",
    "class_reconstructed_cams",
    "contrastive_cams",
    "hirescam",
    "influence",
    "reduce_background",
    "reduce_classes",
]
