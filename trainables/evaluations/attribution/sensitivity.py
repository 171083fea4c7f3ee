"""How much a map changes under a small change of the image.

B batch, C channels, H W image, P = C*H*W.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Generator, Tensor

from trainables.evaluations.attribution.explained import Explained, Explainer
from trainables.evaluations.attribution.maps import is_empty
from trainables.evaluations.attribution.quantus_scores import NUM_WITNESSES, with_witnesses

Explain = Callable[[Tensor, Tensor], Tensor]
"""From images_BCHW and targets_B to map_BHW at the images' resolution, all on the CPU."""


def max_sensitivity(explainer: Explainer, images: Explained) -> Tensor:
    """Return the max-sensitivity by the suite's settings; nan of an empty map."""
    settings = explainer.context.settings.attribution
    return max_sensitivities(
        explainer,
        images.images_BCHW,
        images.targets_B,
        images.map_BHW,
        radius=settings.sensitivity_radius,
        num_draws=settings.sensitivity_samples,
        generators=explainer.generators("max_sensitivity", images),
    )


def max_sensitivities(
    explain: Explain,
    images_BCHW: Tensor,
    targets_B: Tensor,
    map_BHW: Tensor,
    *,
    radius: float,
    num_draws: int,
    generators: Sequence[Generator],
) -> Tensor:
    """Return `max_d |a(x + n_d) - a(x)| / |a(x)|` over draws of noise uniform in [-radius, radius]; nan of empty maps.

    The target stays, even where the noise makes the network predict another class. Source: Yeh et al. 2019, eq. 3.

    Args:
        map_BHW: The map `a(x)` of each image.
        generators: One for each image, so that its noise does not depend on its batch.
    """
    from quantus import MaxSensitivity

    chosen_B = ~is_empty(map_BHW)
    scores_B = torch.full((len(map_BHW),), torch.nan, dtype=torch.float64)
    if chosen_B.any():
        own = [generator for generator, chosen in zip(generators, chosen_B, strict=True) if chosen]
        metric = MaxSensitivity(
            nr_samples=num_draws,
            lower_bound=radius,
            perturb_func=_noise_of(own),
            return_nan_when_prediction_changes=False,
            disable_warnings=True,
        )
        scores_B[chosen_B] = _measure(metric, explain, images_BCHW[chosen_B], targets_B[chosen_B], map_BHW[chosen_B])
    return scores_B


def _measure(
    metric: Callable[..., Any], explain: Explain, images_BCHW: Tensor, targets_B: Tensor, map_BHW: Tensor
) -> Tensor:
    values = metric(
        model=None,
        x_batch=_with_blanks(images_BCHW).numpy(),
        y_batch=_with_blanks(targets_B).numpy(),
        a_batch=with_witnesses(map_BHW).unsqueeze(1).numpy(),
        explain_func=_as_quantus_calls(explain),
        channel_first=True,
        batch_size=len(map_BHW) + NUM_WITNESSES,
    )
    return torch.tensor([float(value) for value in values[:-NUM_WITNESSES]], dtype=torch.float64)


def _with_blanks(tensor_B: Tensor) -> Tensor:
    """Append zeros, to which the witness maps belong."""
    return torch.cat([tensor_B, torch.zeros_like(tensor_B[:1]).expand(NUM_WITNESSES, *tensor_B.shape[1:])])


def _as_quantus_calls(explain: Explain) -> Callable[..., Any]:
    def explain_func(*, inputs: Any, targets: Any, **_: object) -> Any:
        images_BCHW, targets_B = torch.from_numpy(inputs), torch.from_numpy(targets)
        map_BHW = explain(images_BCHW[:-NUM_WITNESSES], targets_B[:-NUM_WITNESSES])
        return with_witnesses(map_BHW).unsqueeze(1).numpy()

    return explain_func


def _noise_of(generators: Sequence[Generator]) -> Callable[..., Any]:
    """Return a function that adds noise to images of shape B,P; Quantus' own draws from NumPy's global generator."""

    def add_noise(*, arr: Any, lower_bound: float, **_: object) -> Any:
        flat_BP = torch.from_numpy(arr).clone()
        for flat_P, generator in zip(flat_BP[:-NUM_WITNESSES], generators, strict=True):
            flat_P += lower_bound * (2 * torch.rand(flat_P.shape, generator=generator) - 1)
        # Quantus warns of images that stay as they are.
        flat_BP[-NUM_WITNESSES:] += lower_bound
        return flat_BP.numpy()

    return add_noise
