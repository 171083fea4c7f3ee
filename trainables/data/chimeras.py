"""Digits that are none: the upper half of one joined to the lower half of another class's.

Shape letters: N digits.
"""

from dataclasses import replace

import numpy as np

from trainables.config import SpuriousDigits
from trainables.data.dataset import NO_CLASS
from trainables.data.spurious_digits import DigitSet, draw_digits, held_out_glyphs
from trainables.data.textures import NUM_FAMILIES, Array, Ints, Rng


def draw_chimeras(config: SpuriousDigits, *, num: int, seed: int) -> DigitSet:
    """Draw `num` chimeras of digits that no training image shows, on training textures that go with no class.

    They are digits in everything but their shape: stroke, outline, size, place and hues are those of `config`. Some
    still read as a digit, for the lower halves of a 3 and a 5 agree, so no score can tell all of them.
    """
    rng = np.random.default_rng(seed)
    glyphs_N88, labels_N = held_out_glyphs(config)
    upper_N, lower_N = pairs_of_two_classes(labels_N, num, rng)
    drawn = draw_digits(
        join_halves(glyphs_N88[upper_N], glyphs_N88[lower_N]),
        np.full(num, NO_CLASS, dtype=np.int64),
        rng.integers(NUM_FAMILIES, size=num),
        image_size=config.image_size,
        rng=rng,
        name="chimera",
    )
    return replace(drawn, class_names=())


def pairs_of_two_classes(labels_N: Ints, num: int, rng: Rng) -> tuple[Ints, Ints]:
    """Return the indices of `num` random digits, and of as many partners of another class."""
    first_N = rng.integers(len(labels_N), size=num)
    second_N = [rng.choice(np.flatnonzero(labels_N != labels_N[index])) for index in first_N]
    return first_N, np.array(second_N, dtype=np.int64)


def join_halves(upper_N88: Array, lower_N88: Array) -> Array:
    """Return the upper four rows of the first over the lower four of the second."""
    return np.concatenate([upper_N88[:, :4], lower_N88[:, 4:]], axis=1)
