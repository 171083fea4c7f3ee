"""How fast the probability of the predicted class falls as the pixels that a map ranks highest turn black.

B batch, C channels, H W image, K classes, S steps.
"""

import torch
from torch import Tensor, nn

from trainables.evaluations.attribution.maps import is_flat
from trainables.evaluations.plain_logits import PlainLogits
from trainables.models import Classifier


class MaskedImages(nn.Module):
    """Classifies fixed images of which only some pixels are kept, each with all its channels, the rest black."""

    def __init__(self, model: Classifier, images_BCHW: Tensor) -> None:
        super().__init__()
        self.logits = PlainLogits(model)
        # Quantus finds the last module to be a softmax; else it would add one at each call, and log so.
        self.softmax = nn.Softmax(dim=1)
        self.images_BCHW = images_BCHW
        self.train(model.training)

    def forward(self, kept_B1HW: Tensor) -> Tensor:
        """Return probabilities_BK; `kept` is 1 on the pixels that are kept and 0 on the others."""
        probabilities_BK: Tensor = self.softmax(self.logits(self.images_BCHW * kept_B1HW))
        return probabilities_BK


def even_steps(num_pixels: int, target: int) -> int:
    """Return the number of equal steps that is closest to `target` as a ratio, the lower of two.

    Quantus accepts only steps of one size.
    """
    divisors = [steps for steps in range(1, num_pixels + 1) if num_pixels % steps == 0]
    return min(divisors, key=lambda steps: max(steps / target, target / steps))


def flipping_curves(
    model: Classifier, images_BCHW: Tensor, logits_BK: Tensor, map_BHW: Tensor, *, num_steps: int
) -> Tensor:
    """Return the predicted class's probability after 0 to `num_steps` steps, each of which turns as many pixels black.

    Pixels go in the map's order, the highest value first. Source: Bach et al. 2015, with pixels of all channels
    together.

    Args:
        images_BCHW: Images in [0, 1] on the network's device.
        logits_BK: Those of the whole images, on the CPU as all that follows.
        map_BHW: Maps at the images' resolution.
        num_steps: A divisor of H*W.

    Returns:
        curve_BS with S = num_steps + 1, in float64 on the CPU; nan of a flat map, which has no order.
    """
    curve_BS = torch.full((len(map_BHW), num_steps + 1), torch.nan, dtype=torch.float64)
    chosen_B = ~is_flat(map_BHW)
    if chosen_B.any():
        module = MaskedImages(model, images_BCHW[chosen_B.to(images_BCHW.device)])
        whole_B, targets_B = logits_BK[chosen_B].double().softmax(1).max(1)
        curve_BS[chosen_B, 0] = whole_B
        curve_BS[chosen_B, 1:] = _flip(module, targets_B, map_BHW[chosen_B], num_steps)
    return curve_BS


def area_under(curve_BS: Tensor) -> Tensor:
    """Return the area under each curve by the trapezoidal rule, over the share of removed pixels from 0 to 1."""
    return torch.trapezoid(curve_BS, dx=1 / (curve_BS.shape[1] - 1), dim=1)


def _flip(module: MaskedImages, targets_B: Tensor, map_BHW: Tensor, num_steps: int) -> Tensor:
    """Return the curves without their step 0.

    Quantus flips the mask of kept pixels instead of the image: there a pixel is one number for all channels, black is 0
    instead of the image's lowest value, and every flip is a change.
    """
    from quantus import PixelFlipping
    from quantus.helpers.model.pytorch_model import PyTorchModel

    metric = PixelFlipping(
        features_in_step=map_BHW[0].numel() // num_steps,
        normalise=False,
        perturb_baseline=0.0,
        disable_warnings=True,
    )
    # Above their lowest value maps have the same order, and Quantus refuses maps without a positive value.
    above_BHW = map_BHW.double() - map_BHW.double().amin((1, 2), keepdim=True)
    try:
        with torch.inference_mode():
            curves = metric(
                model=module,
                x_batch=torch.ones_like(map_BHW.unsqueeze(1)).numpy(),
                y_batch=targets_B.numpy(),
                a_batch=above_BHW.unsqueeze(1).numpy(),
                channel_first=True,
                softmax=True,
                device=str(module.images_BCHW.device),
                batch_size=len(map_BHW),
            )
    finally:
        # A cache of the library would hold every network and image that it ever saw.
        PyTorchModel._get_last_softmax_layer_index.cache_clear()
    return torch.tensor(curves, dtype=torch.float64)
