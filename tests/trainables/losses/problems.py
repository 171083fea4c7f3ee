"""Small problems for losses on maps: masks of every kind, few and many classes.

B batch, K classes, H W map.
"""

from typing import NamedTuple

import torch
from hypothesis import strategies as st
from torch import Tensor

from trainables.cams import contrastive_cams

MASKS = ("soft", "hard", "no object", "object alone", "mixed")


class MapProblem(NamedTuple):
    """ContrastiveCAMs, labels and background, in the order of the losses' arguments."""

    contrastive_BKHW: Tensor
    labels_B: Tensor
    background_BHW: Tensor


def background_of(kind: str, shape: tuple[int, int, int], generator: torch.Generator) -> Tensor:
    """Return a background of the kind; `mixed` starts with a sample without an object and one without background."""
    background_BHW = torch.rand(shape, generator=generator, dtype=torch.float64)
    match kind:
        case "hard":
            background_BHW = background_BHW.round()
        case "no object":
            background_BHW[:] = 1
        case "object alone":
            background_BHW[:] = 0
        case "mixed":
            background_BHW[0] = 1
            background_BHW[1:2] = 0
    return background_BHW


def map_problem(
    *, batch: int = 3, classes: int = 4, height: int = 3, width: int = 3, mask: str = "soft", seed: int = 0
) -> MapProblem:
    """Return a random problem in float64 in which no sample is of the last class where there are more than two."""
    generator = torch.Generator().manual_seed(seed)
    cams_BKHW = torch.randn(batch, classes, height, width, generator=generator, dtype=torch.float64)
    labels_B = torch.randint(max(2, classes - 1), (batch,), generator=generator)
    background_BHW = background_of(mask, (batch, height, width), generator)
    return MapProblem(contrastive_cams(cams_BKHW, labels_B), labels_B, background_BHW)


@st.composite
def map_problems(draw: st.DrawFn) -> MapProblem:
    return map_problem(
        batch=draw(st.integers(1, 4)),
        classes=draw(st.sampled_from([2, 3, 6, 919])),
        height=draw(st.integers(1, 4)),
        width=draw(st.integers(1, 3)),
        mask=draw(st.sampled_from(MASKS)),
        seed=draw(st.integers(0, 2**31)),
    )
