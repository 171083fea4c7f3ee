"""Images and their maps of one kind.

B batch, C channels, H W image or map, K classes.
"""

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from trainables.config.suite import MapName
from trainables.data import Batch
from trainables.evaluations.attribution.maps import MAPS, at_image_resolution
from trainables.evaluations.base import EvaluationContext
from trainables.evaluations.rivals import strongest_rivals


@dataclass(frozen=True, eq=False)
class Explained:
    """Images, their logits, and the map of the class that the network predicts; all on the CPU."""

    ids: tuple[str, ...]
    images_BCHW: Tensor
    logits_BK: Tensor
    targets_B: Tensor
    """The predicted class."""
    rivals_B: Tensor
    """The class of the highest other logit."""
    own_grid_BHW: Tensor
    """The map as it comes."""
    map_BHW: Tensor
    """The map at the image's resolution."""

    def pick(self, chosen_B: Tensor) -> "Explained":
        """Return the images for which the bool `chosen` is set."""
        tensors = {field.name: getattr(self, field.name)[chosen_B] for field in fields(Explained)[1:]}
        ids = tuple(image for image, chosen in zip(self.ids, chosen_B.tolist(), strict=True) if chosen)
        return Explained(ids, **tensors)


@dataclass(frozen=True, eq=False)
class Explainer:
    """Draws one kind of map of one network, which has to be frozen meanwhile."""

    name: MapName
    context: EvaluationContext

    def __call__(self, images_BCHW: Tensor, targets_B: Tensor) -> Tensor:
        """Return map_BHW at the images' resolution; all tensors are on the CPU."""
        return at_image_resolution(self.on_own_grid(images_BCHW, targets_B), images_BCHW.shape[-2:])

    def on_own_grid(self, images_BCHW: Tensor, targets_B: Tensor) -> Tensor:
        """Return map_BHW as it comes."""
        device, settings = self.context.device, self.context.settings.attribution
        return MAPS[self.name](self.context.model, images_BCHW.to(device), targets_B.to(device), settings).cpu()

    def explained(self, batch: Batch) -> Explained:
        """Explain the class that the network predicts."""
        logits_BK = self.context.logits(batch.images_BCHW)
        targets_B = logits_BK.argmax(1)
        own_grid_BHW = self.on_own_grid(batch.images_BCHW, targets_B)
        return Explained(
            ids=batch.ids,
            images_BCHW=batch.images_BCHW,
            logits_BK=logits_BK,
            targets_B=targets_B,
            rivals_B=strongest_rivals(logits_BK, targets_B),
            own_grid_BHW=own_grid_BHW,
            map_BHW=at_image_resolution(own_grid_BHW, batch.images_BCHW.shape[-2:]),
        )

    def generators(self, purpose: str, images: Explained) -> list[torch.Generator]:
        """Return a generator for each image, the same for every kind of map and whatever else is in the batch."""
        return [self.context.generator(f"attribution/{purpose}/{image}") for image in images.ids]
