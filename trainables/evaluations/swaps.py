"""Objects without their background, backgrounds without their object, and objects on other images' backgrounds.

Source: Xiao et al. 2021, "Noise or Signal: The Role of Image Backgrounds in Object Recognition"; removed pixels are
black, and a background is the other image with its object tiled over (Only-BG-T).
N samples, B batch, C channels, H W image.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from trainables.evaluations.base import EvalSpec, EvaluationContext
from trainables.evaluations.cutouts import blend, can_be_tiled, tiled_background
from trainables.evaluations.masked_sample import Change, MaskedSample, accuracies, masked_sample
from trainables.evaluations.result import EvaluationResult

BLACK = 0.0


@dataclass(frozen=True)
class Partners:
    """The images that lend each image their background; -1 where none can."""

    same_N: Tensor
    """Another image of the same class."""
    rand_N: Tensor
    """Another image of a class drawn uniformly from those that can lend one, the own class included."""
    next_N: Tensor
    """An image of the next class that can lend one; the first follows the last."""

    @property
    def complete(self) -> Tensor:
        """The indices of the images that have all three."""
        return torch.stack([self.same_N, self.rand_N, self.next_N]).ge(0).all(0).nonzero().flatten()


def draw_partners(labels_N: Tensor, lends_N: Tensor, generator: torch.Generator) -> Partners:
    """Draw each image's partners among the images of `lends_N`, never itself."""
    pools: dict[int, list[int]] = defaultdict(list)
    for index in lends_N.nonzero().flatten().tolist():
        pools[int(labels_N[index])].append(index)
    drawn = [_draw(index, label, pools, generator) for index, label in enumerate(labels_N.tolist())]
    same_N, rand_N, next_N = torch.tensor(drawn, dtype=torch.int64).view(-1, 3).unbind(1)
    return Partners(same_N, rand_N, next_N)


def _draw(index: int, label: int, pools: Mapping[int, list[int]], generator: torch.Generator) -> tuple[int, int, int]:
    own = [other for other in pools.get(label, []) if other != index]
    others = {**pools, label: own}
    names = sorted(name for name, pool in others.items() if pool)
    if not names:
        return -1, -1, -1

    def choose(pool: list[int]) -> int:
        return pool[int(torch.randint(len(pool), (), generator=generator))] if pool else -1

    following = next((name for name in names if name > label), names[0])
    return choose(own), choose(others[choose(names)]), choose(others[following] if following != label else [])


def _on_background_of(sample: MaskedSample, partner_N: Tensor) -> Change:
    def change(indices_B: Tensor) -> Tensor:
        backgrounds_BCHW = torch.stack(
            [tiled_background(sample.images_NCHW[other], sample.object_NHW[other]) for other in partner_N[indices_B]]
        )
        return blend(backgrounds_BCHW, sample.images_NCHW[indices_B], sample.object_NHW[indices_B])

    return change


def _run(context: EvaluationContext) -> EvaluationResult:
    sample = masked_sample(context)
    lends_N = torch.tensor([can_be_tiled(object_HW) for object_HW in sample.object_NHW])
    partners = draw_partners(sample.labels_N, lends_N, context.generator("swaps"))
    # The mixed metrics are of the same images, so that the gap is not between two samples.
    everything, complete_N = sample.indices, partners.complete
    result = accuracies(
        context,
        sample,
        {
            "background/only_fg": (_blackened(sample, 1 - sample.object_NHW), everything),
            "background/no_fg": (_blackened(sample, sample.object_NHW), everything),
            "background/mixed_same": (_on_background_of(sample, partners.same_N), complete_N),
            "background/mixed_rand": (_on_background_of(sample, partners.rand_N), complete_N),
            "background/mixed_next": (_on_background_of(sample, partners.next_N), complete_N),
        },
    )
    gap = result.metrics["background/mixed_same"] - result.metrics["background/mixed_rand"]
    return replace(
        result,
        metrics={**result.metrics, "background/gap": gap},
        settings={
            **result.settings,
            "num_mixed": len(complete_N),
            "num_without_partner": len(sample) - len(complete_N),
            "num_not_tiled": int((~lends_N).sum()),
        },
    )


def _blackened(sample: MaskedSample, share_NHW: Tensor) -> Change:
    return lambda indices_B: blend(sample.images_NCHW[indices_B], BLACK, share_NHW[indices_B])


SWAPS = EvalSpec(
    name="swaps",
    category="background",
    directions={
        "background/only_fg": "max",
        "background/no_fg": "min",
        "background/mixed_same": "max",
        "background/mixed_rand": "max",
        "background/mixed_next": "max",
        "background/gap": "min",
    },
    run=_run,
    needs=frozenset({"masks"}),
)
