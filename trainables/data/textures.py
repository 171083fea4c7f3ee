"""Mosaics of coloured tiles: one tile says little about an image's family, and all together say which it is.

Every tile's hue is one of a palette of ten; the family's own hue comes with probability `OWN_SHARE`.
Shape letters: N images, K hues of a palette, C channels, H W image height and width, T tiles along a side.
"""

import colorsys

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Rng = np.random.Generator

NUM_FAMILIES = 10
OWN_SHARE = 0.45
LUMINANCE_NOISE = 0.04
_TILE = 4 / 48  # Side, as a share of the image's.


def _palette(first_hue: float) -> Array:
    hues = (first_hue + own / NUM_FAMILIES for own in range(NUM_FAMILIES))
    return np.array([colorsys.hsv_to_rgb(hue, 0.75, 0.65) for hue in hues], dtype=np.float32)


SEEN = _palette(0.0)
"""KC in [0, 1]; family k's own hue is row k, and class k's own family is k."""

UNSEEN = _palette(0.5 / NUM_FAMILIES)
"""KC in [0, 1]; hues half a step between the seen ones, which no training image has."""


def tile_side(image_size: int) -> int:
    """Side of a tile in pixels."""
    return round(_TILE * image_size)


def draw_textures(palette_KC: Array, families_N: Ints, image_size: int, rng: Rng) -> Array:
    """Return a mosaic of each given family, N3HW in [0, 1], each with its grid at a phase of its own."""
    textures_CNHW: Array = palette_KC.T[:, _draw_hues(families_N, image_size, rng)]
    textures_CNHW += LUMINANCE_NOISE * rng.standard_normal(textures_CNHW.shape[1:], dtype=np.float32)
    return textures_CNHW.clip(0, 1, out=textures_CNHW).swapaxes(0, 1)


def _draw_hues(families_N: Ints, image_size: int, rng: Rng) -> Ints:
    """Return each pixel's row in the palette, NHW."""
    num, side = len(families_N), tile_side(image_size)
    shape_NTT = (num, *[(image_size + side - 2) // side + 1] * 2)
    others_NTT = rng.integers(1, NUM_FAMILIES, size=shape_NTT)
    steps_NTT = np.where(rng.random(shape_NTT) < OWN_SHARE, 0, others_NTT)
    hues_NTT: Ints = (families_N[:, None, None] + steps_NTT) % NUM_FAMILIES
    rows_NH, columns_NW = (rng.integers(side, size=(2, num, 1)) + np.arange(image_size)) // side
    hues_NHW: Ints = hues_NTT[np.arange(num)[:, None, None], rows_NH[:, :, None], columns_NW[:, None, :]]
    return hues_NHW
