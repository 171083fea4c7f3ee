"""Images of noise and of bare texture, each drawn when it is fetched.

Shape letters: B batch, C channels, H W image height and width.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from trainables.data.batch import Batch
from trainables.data.dataset import NO_CLASS, Draw
from trainables.data.textures import NUM_FAMILIES, SEEN, Array, Rng, draw_textures


@dataclass(frozen=True)
class DrawnSet:
    """An `ImageSet` without classes or masks; image i follows from (seed, i) alone, whatever a draw's own seed."""

    name: str
    """What its ids begin with."""
    num: int
    image_size: int
    seed: int
    draw: Callable[[int, Rng], Array]
    """From a side in pixels to an image, CHW in [0, 1]."""
    class_names: tuple[str, ...] = ()
    num_skipped: int = 0

    def __len__(self) -> int:
        return self.num

    def __getitems__(self, draws: list[Draw]) -> Batch:
        """Draw the images, in the 256 levels of an image file."""
        size = self.image_size
        images_BCHW = torch.empty(len(draws), 3, size, size)
        for place_CHW, draw in zip(images_BCHW, draws, strict=True):
            image_CHW = self.draw(size, np.random.default_rng([self.seed, draw.index]))
            place_CHW.copy_(torch.from_numpy(np.rint(image_CHW * 255) / 255))
        return Batch(
            images_BCHW=images_BCHW,
            labels_B=torch.full((len(draws),), NO_CLASS),
            background_BHW=torch.zeros(len(draws), size, size),
            has_mask_B=torch.zeros(len(draws), dtype=torch.bool),
            ids=tuple(f"{self.name}-{draw.index:05d}" for draw in draws),
        )

    def digest(self) -> str:
        """Hash what the images follow from."""
        identity = (self.name, self.num, self.image_size, self.seed)
        return hashlib.sha256(repr(identity).encode()).hexdigest()[:16]


def normal_noise(image_size: int, rng: Rng) -> Array:
    """Return independent values of mean 0.5 and standard deviation 1, clipped to [0, 1] (Liang et al. 2018, 4.2)."""
    return rng.normal(0.5, 1, (3, image_size, image_size)).clip(0, 1).astype(np.float32)


def uniform_noise(image_size: int, rng: Rng) -> Array:
    """Return independent values that are uniform in [0, 1]."""
    return rng.random((3, image_size, image_size), dtype=np.float32)


def bare_texture(image_size: int, rng: Rng) -> Array:
    """Return a mosaic in the hues of training, of a random family and without a digit."""
    texture_CHW: Array = draw_textures(SEEN, rng.integers(NUM_FAMILIES, size=1), image_size, rng)[0]
    return texture_CHW
