"""The images of the whole validation set that lend others their background.

C channels, H W image.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Self

import torch
from torch import Tensor

from trainables.data import Draw
from trainables.data.backgrounds import has_background, tiled_backgrounds
from trainables.evaluations.base import EvaluationContext

Kind = Literal["same", "rand", "next"]
"""Another image of the same class, an image of a random class, or one of the next class."""
ByClass = Mapping[int, Sequence[int]]
"""Images by class, as positions in the validation set."""


def candidates(kind: Kind, label: int, own: int, by_class: ByClass, generator: torch.Generator) -> Iterator[int]:
    """Yield all images that may lend the image `own` of class `label` their background, the drawn one first.

    A random class is drawn uniformly from those with another image, the own class included. The next class is that of
    the next higher number, and the first follows the last. Only after all images of a class come those of another.
    """
    for name in _classes(kind, label, own, by_class, generator):
        pool = by_class.get(name, ())
        yield from (pool[place] for place in _shuffled(len(pool), generator) if pool[place] != own)


def _classes(kind: Kind, label: int, own: int, by_class: ByClass, generator: torch.Generator) -> list[int]:
    names = sorted(name for name, pool in by_class.items() if set(pool) - {own})
    match kind:
        case "same":
            return [label]
        case "rand":
            return [names[place] for place in _shuffled(len(names), generator)]
        case "next":
            return [name for name in names if name > label] + [name for name in names if name < label]


def _shuffled(num: int, generator: torch.Generator) -> list[int]:
    return torch.randperm(num, generator=generator).tolist()


@dataclass(frozen=True, eq=False)
class Lenders:
    """The readable images of the validation set with an object."""

    context: EvaluationContext
    positions: Mapping[str, int]
    """By id, each image's place among all that could be read."""
    by_class: ByClass
    not_tiled: set[int] = field(default_factory=set)
    """Those that were drawn and have no background to lend; filled as they are fetched."""

    @classmethod
    def of(cls, context: EvaluationContext) -> Self:
        """Find the images by the predictions on the validation set."""
        found = context.evaluated
        by_class: dict[int, list[int]] = defaultdict(list)
        for position in found.has_mask_N.nonzero().flatten().tolist():
            by_class[int(found.labels_N[position])].append(position)
        return cls(context, {id_: position for position, id_ in enumerate(found.ids)}, by_class)

    def background(self, kind: Kind, id_: str, label: int, generator: torch.Generator) -> Tensor | None:
        """Return an image without its object, CHW, for the image `id_` of class `label`; None where none can lend."""
        for position in candidates(kind, label, self.positions[id_], self.by_class, generator):
            if position not in self.not_tiled:
                background_CHW = self._tiled(position)
                if background_CHW is not None:
                    return background_CHW
                self.not_tiled.add(position)
        return None

    def _tiled(self, position: int) -> Tensor | None:
        images, id_ = self.context.images, self.context.evaluated.ids[position]
        # Images that cannot be read have no prediction, so that an index may be higher than the position.
        for index in range(position, position + len(images) - len(self.positions) + 1):
            batch = images.__getitems__([Draw(index, 0)])
            if batch.ids == (id_,):
                object_BHW = 1 - batch.background_BHW
                return tiled_backgrounds(batch.images_BCHW, object_BHW)[0] if has_background(object_BHW) else None
        return None
