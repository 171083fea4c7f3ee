"""Terms that may be added to any classification loss, which hold a network to the mask."""

from typing import Literal

from pydantic import Field

from trainables.config.section import Section


class Divergence(Section):
    """The KL divergence between the mask and each ContrastiveCAM, both as distributions over the map's cells."""

    weight: float = Field(gt=0)
    """Weight of the mean over the K-1 rivals; the literature has 50 over the whole map, and 0.001 * (K-1) on the
    foreground: 0.001 of their sum."""
    where: Literal["map", "foreground"] = "map"
    """Count every cell; or those of the object alone, without the mask's own logarithm. Under a mask of zeros and ones
    both have the same gradient."""
    mask_scale: float = Field(default=1000.0, gt=0)
    """Factor on the mask before its softmax; the literature has 1000 with `map` and 50 with `foreground`."""
    map_scale: float = Field(default=10.0, gt=0)
    """Factor on the ContrastiveCAMs before theirs."""


class SlicedWasserstein(Section):
    """The sliced Wasserstein distance between ContrastiveCAMs and a scaled copy of the mask."""

    weight: float = Field(gt=0)
    """Weight of the mean over directions."""
    num_directions: int = Field(default=64, ge=1)
    """Random unit directions, drawn anew at every step."""
    target_probability: float = Field(default=0.95, gt=0, lt=1)
    """Probability of the label that the scaled mask stands for."""


class Guidance(Section):
    """Attribution guidance: the HiResCAM of the label, without its rivals, is to lie on the object."""

    weight: float = Field(gt=0)
    """Weight of the mean over images; the public code sums over 16 images, so that its weight is 16 times as large
    here."""
    loss: Literal["energy", "l1", "ppce", "squares"] = "energy"
    """`energy`: share of the positive attribution off the object. `l1`: mean difference from the mask. `ppce`: binary
    cross-entropy on the object. `squares`: sum of squares off the object (RRR*). All but `energy` scale each map."""


class Rrr(Section):
    """Right for the right reasons: the background's pixels are not to change what the network says of an image."""

    weight: float = Field(gt=0)
    """Weight of the squared gradients of the log-probabilities, summed over the background's pixels, whose values lie
    in [0, 1]."""
