"""The maps that are judged.

B batch, K classes, C channels, F features, H W image or map.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from trainables.cams import class_reconstructed_cams, contrastive_cams, hirescam
from trainables.config.suite import AttributionSuite, MapName
from trainables.evaluations.attribution.eigencam import eigencam
from trainables.evaluations.attribution.plain_logits import PlainLogits
from trainables.evaluations.attribution.targets import of_class, strongest_rivals
from trainables.models import Classifier

MapFunction = Callable[[Classifier, Tensor, Tensor, AttributionSuite], Tensor]
"""From a frozen network, images_BCHW in [0, 1], targets_B and settings to map_BHW, on the map's own grid."""

BLACK = 0.0
"""The pixel from which integrated gradients start."""


def at_image_resolution(map_BHW: Tensor, size: Sequence[int]) -> Tensor:
    """Return maps interpolated bilinearly between the centres of their cells; maps of that size as they are."""
    if map_BHW.shape[1:] == tuple(size):
        return map_BHW
    return nn.functional.interpolate(map_BHW.unsqueeze(1), tuple(size), mode="bilinear").squeeze(1)


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

    # Without the ReLU it were HiResCAM: behind mean pooling all cells of a feature have one gradient.
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
