"""Class activation maps: computed in closed form, compared, measured and drawn."""

from trainables.cams.background import reduce_background, reduce_classes
from trainables.cams.contrastive import class_reconstructed_cams, contrastive_cams
from trainables.cams.hirescam import hirescam
from trainables.cams.influence import class_influence, influence
from trainables.cams.panel import draw_panel

__all__ = [
    "class_influence",
    "class_reconstructed_cams",
    "contrastive_cams",
    "draw_panel",
    "hirescam",
    "influence",
    "reduce_background",
    "reduce_classes",
]
