"""The kinds of maps, and the class that each explains.

B batch, K classes, C channels, F features, H W image or map, P = H*W cells.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from trainables.cams import class_reconstructed_cams, contrastive_cams, hirescam
from trainables.config.suite import AttributionSuite, MapName
from trainables.evaluations.plain_logits import PlainLogits
from trainables.evaluations.rivals import strongest_rivals
from trainables.models import Classifier

MapFunction = Callable[[Classifier, Tensor, Tensor, AttributionSuite], Tensor]
"""From a frozen network, images_BCHW in [0, 1], targets_B and settings to map_BHW, on the map's own grid."""

BLACK = 0.0
"""The pixel from which integrated gradients start."""
EMPTY = 1e-7
"""The sum of absolute values below which a map counts as empty."""
FLAT = 1e-6
"""The span of values, as a share of the largest absolute one, below which a map counts as flat."""


def at_image_resolution(map_BHW: Tensor, size: Sequence[int]) -> Tensor:
    """Return maps interpolated bilinearly between the centres of their cells; maps of that size as they are."""
    if map_BHW.shape[1:] == tuple(size):
        return map_BHW
    return nn.functional.interpolate(map_BHW.unsqueeze(1), tuple(size), mode="bilinear").squeeze(1)


def is_empty(map_BHW: Tensor) -> Tensor:
    """Return which maps are zero all over, bool B."""
    return map_BHW.abs().sum((1, 2)) < EMPTY


def is_flat(map_BHW: Tensor) -> Tensor:
    """Return which maps are empty or have one value all over, and so prefer no pixel, bool B.

    Interpolation leaves rounding errors in such a map, which are no preference.
    """
    span_B = map_BHW.amax((1, 2)) - map_BHW.amin((1, 2))
    return is_empty(map_BHW) | (span_B <= FLAT * map_BHW.abs().amax((1, 2)))


def of_class(tensor_BK: Tensor, classes_B: Tensor) -> Tensor:
    """Pick one class of each image; dimensions after K stay."""
    return tensor_BK[torch.arange(len(classes_B), device=classes_B.device), classes_B]


def eigencam(features_BFHW: Tensor) -> Tensor:
    """Return the features' projection on their first principal component, `A v_1` with `A = U S V^T` of shape P,F.

    The features are not centred. An SVD leaves the sign open: here the map's inner product with the mean activation
    over F is not negative, so that features that are nowhere negative have a map that is nowhere negative.
    Source: Muhammad & Yeasin 2020, eq. 4.

    Returns:
        map_BHW in the features' dtype.
    """
    cells_BPF = features_BFHW.flatten(2).mT.double()
    # `A v_1 = s_1 u_1`, of which A A^T has the square and the vector.
    values_BP, vectors_BPP = torch.linalg.eigh(cells_BPF @ cells_BPF.mT)
    map_BP = values_BP[:, -1:].clamp(min=0).sqrt() * vectors_BPP[:, :, -1]
    is_opposed_B1 = (map_BP * cells_BPF.mean(2)).sum(1, keepdim=True) < 0
    return torch.where(is_opposed_B1, -map_BP, map_BP).view_as(features_BFHW[:, 0]).to(features_BFHW.dtype)


def _hirescam(model: Classifier, images_BCHW: Tensor, targets_B: Tensor, _settings: AttributionSuite) -> Tensor:
    cams_BKHW, _ = _hirescams(model, images_BCHW)
    return of_class(cams_BKHW, targets_B)


def _contrastive(model: Classifier, images_BCHW: Tensor, targets_B: Tensor, _settings: AttributionSuite) -> Tensor:
    cams_BKHW, logits_BK = _hirescams(model, images_BCHW)
    return of_class(contrastive_cams(cams_BKHW, targets_B), strongest_rivals(logits_BK, targets_B))


def _class_reconstructed(
    model: Classifier, images_BCHW: Tensor, targets_B: Tensor, _settings: AttributionSuite
) -> Tensor:
    cams_BKHW, _ = _hirescams(model, images_BCHW)
    return of_class(class_reconstructed_cams(cams_BKHW), targets_B)


def _gradcam(model: Classifier, images_BCHW: Tensor, targets_B: Tensor, _settings: AttributionSuite) -> Tensor:
    from captum.attr import LayerGradCam

    # Without the ReLU it would be HiResCAM: after mean pooling all cells of a feature have one gradient.
    map_B1HW: Tensor = LayerGradCam(PlainLogits(model), model.trunk).attribute(
        images_BCHW, target=targets_B, relu_attributions=True
    )
    return map_B1HW.detach().float().squeeze(1)


def _eigencam(model: Classifier, images_BCHW: Tensor, _targets_B: Tensor, _settings: AttributionSuite) -> Tensor:
    with torch.no_grad():
        return eigencam(model(images_BCHW).features.float())


def _integrated_gradients(
    model: Classifier, images_BCHW: Tensor, targets_B: Tensor, settings: AttributionSuite
) -> Tensor:
    from captum.attr import IntegratedGradients

    by_channel_BCHW: Tensor = IntegratedGradients(PlainLogits(model)).attribute(
        images_BCHW,
        baselines=BLACK,
        target=targets_B,
        n_steps=settings.integration_steps,
        internal_batch_size=len(images_BCHW),
    )
    return by_channel_BCHW.detach().sum(1)


MAPS: dict[MapName, MapFunction] = {
    "hirescam": _hirescam,
    "contrastive": _contrastive,
    "class_reconstructed": _class_reconstructed,
    "gradcam": _gradcam,
    "eigencam": _eigencam,
    "integrated_gradients": _integrated_gradients,
}
"""All but Eigen-CAM explain a logit; `contrastive` explains its lead over the highest other logit of that image."""

COSTLY: frozenset[MapName] = frozenset({"integrated_gradients"})
"""Maps that take many passes through the network."""


def _hirescams(model: Classifier, images_BCHW: Tensor) -> tuple[Tensor, Tensor]:
    with torch.no_grad():
        output = model(images_BCHW)
        return hirescam(output.features.float(), model.head.weight), output.logits.float()
