"""Scores that tell images in distribution from others, by pytorch-ood.

Every score here is a confidence, high = in distribution, as the papers have it. pytorch-ood's are larger out of
distribution: each is its negative.
N images, C channels, F features, K classes, H W image.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainables.config import ScoreName
from trainables.evaluations.ood.encoded import Encoded
from trainables.evaluations.result import NotPossibleError
from trainables.models import Classifier

if TYPE_CHECKING:
    from pytorch_ood.detector import ViM

Setting = Mapping[str, float]
"""Hyper-parameters by name."""
Score = Callable[[Encoded], Tensor]
"""From N images to N confidences in float64, high = in distribution."""


@dataclass(frozen=True)
class Trained:
    """A network, and its features of a sample of its training images."""

    model: Classifier
    device: torch.device
    batch_size: int
    features_NF: Tensor
    labels_N: Tensor


@dataclass(frozen=True)
class Method:
    """How a score is fitted."""

    fit: Callable[[Trained, Setting], Score]
    """Raises NotPossibleError where the network leaves the score undefined."""
    candidates: Callable[[Trained], Sequence[Setting]]
    """The published hyper-parameters, then the others that a validation set of images may choose."""


def softmax(_: Trained, __: Setting) -> Score:
    """Return `max_k softmax(s)_k` (Hendrycks & Gimpel 2017), high = in distribution."""
    from pytorch_ood.detector import MaxSoftmax

    return lambda encoded: _confidence(MaxSoftmax.score(encoded.logits_NK))


def energy(_: Trained, setting: Setting) -> Score:
    """Return the negative energy `T log sum_k exp(s_k / T)` (Liu et al. 2020, eq. 4), high = in distribution."""
    from pytorch_ood.detector import EnergyBased

    return lambda encoded: _confidence(EnergyBased.score(encoded.logits_NK, setting["temperature"]))


def odin(trained: Trained, setting: Setting) -> Score:
    """Return `max_k softmax(s / T)_k` of `x - eps sign(grad)` (Liang et al. 2018, eq. 1 and 2), high = in distribution.

    `grad` is that of the cross-entropy of `s / T` with the predicted class. The paper divides it by the standard
    deviations of the normalisation since its network takes normalised images: `eps` is a step of pixels in [0, 1].
    This network normalises inside and takes those pixels, so nothing is left to divide by.
    """
    from pytorch_ood.detector import ODIN

    detector = ODIN(_Logits(trained.model), eps=setting["eps"], temperature=setting["temperature"])

    def score(encoded: Encoded) -> Tensor:
        chunks = torch.split(encoded.images_NCHW, trained.batch_size)
        return _confidence(torch.cat([detector.predict(chunk.to(trained.device)).cpu() for chunk in chunks]))

    return score


def knn(trained: Trained, setting: Setting) -> Score:
    """Return minus the distance to the k-th nearest training image (Sun et al. 2022), high = in distribution.

    Distances are Euclidean between pooled features of length 1.
    """
    from pytorch_ood.detector import KNN

    detector = KNN(None, k=int(setting["k"])).fit_features(trained.features_NF, trained.labels_N)
    return lambda encoded: _confidence(detector.predict_features(encoded.features_NF))


def mahalanobis(trained: Trained, _: Setting) -> Score:
    """Return `max_k -1/2 (z - mu_k)' P (z - mu_k)` (Lee et al. 2018, eq. 2), high = in distribution.

    `mu_k` is the mean of class k's pooled features, P the pseudo-inverse of the covariance that all classes share.
    """
    from pytorch_ood.detector import Mahalanobis

    detector: Any = Mahalanobis(None)
    # Its own fit inverts in float32, and returns noise where the features span less than their number of dimensions.
    detector.mu, detector.precision = class_means_and_precision(trained.features_NF, trained.labels_N)
    return lambda encoded: _confidence(detector.predict_features(encoded.features_NF.double()))


def vim(trained: Trained, setting: Setting) -> Score:
    """Return `log sum_k exp(s_k) - alpha |residual|` (Wang et al. 2022, eq. 7 to 9), high = in distribution.

    The residual is what the d principal directions of the training features leave of a feature; `alpha` makes its mean
    length over the training sample the mean of the largest logit there.
    """
    detector = _vim_detector(trained.model.head, int(setting["d"]))
    detector.fit_features(trained.features_NF, trained.labels_N)
    if not math.isfinite(detector.alpha):
        raise NotPossibleError("the training images have no residual to scale the virtual logit by")
    return lambda encoded: _confidence(detector.predict_features(encoded.features_NF))


def gen(_: Trained, setting: Setting) -> Score:
    """Return `-sum_j (p_j (1 - p_j))^gamma` over the M largest probabilities (Liu et al. 2023), high = in distribution.

    pytorch-ood's own bounds probabilities to [1e-7, 1 - 1e-7], where those of a sure network all tie.
    """

    def score(encoded: Encoded) -> Tensor:
        num = min(int(setting["M"]), encoded.logits_NK.shape[1])
        log_p_NM = encoded.logits_NK.double().log_softmax(1).topk(num, dim=1).values
        return -(log_p_NM.exp() * -log_p_NM.expm1()).pow(setting["gamma"]).sum(1)

    return score


def react(trained: Trained, setting: Setting) -> Score:
    """Return the negative energy of pooled features cut off at c (Sun et al. 2021, eq. 1), high = in distribution.

    c is the percentile of the training sample's features, all of them together.
    """
    from pytorch_ood.detector import ReAct

    detector = ReAct(_no_backbone, _head(trained), percentile=setting["percentile"] / 100)
    detector.fit_feature_maps(trained.features_NF.double(), trained.labels_N)
    return lambda encoded: _confidence(detector.predict_feature_maps(encoded.features_NF.double()))


def scale(trained: Trained, setting: Setting) -> Score:
    """Return the negative energy of pooled features times `exp(s_1 / s_2)` (Xu et al. 2024), high = in distribution.

    `s_1` is the sum of an image's features, and `s_2` that of those above the percentile of the image. An image whose
    features are all 0 has the energy of the bias.
    """
    from pytorch_ood.detector import SCALE

    if trained.features_NF.min() < 0:
        raise NotPossibleError("the network has features below 0, whose sums may be 0")
    num, percentile = trained.features_NF.shape[1], setting["percentile"]
    if num == round(num * (percentile / 100)):  # As pytorch-ood counts those that are cut off.
        raise NotPossibleError(f"of {num} features none lies above the percentile {percentile:g}")
    detector = SCALE(_no_backbone, _head(trained), percentile=percentile / 100)

    def score(encoded: Encoded) -> Tensor:
        # A sum of 0 would leave 0 / 0; nothing else is changed by so small a number.
        features_NF = encoded.features_NF.double().clamp(min=torch.finfo(torch.float32).tiny)
        return _confidence(detector.predict_feature_maps(features_NF[:, :, None, None]))

    return score


def class_means_and_precision(features_NF: Tensor, labels_N: Tensor) -> tuple[Tensor, Tensor]:
    """Return the means of the classes that occur, KF, and the pseudo-inverse of their shared covariance, FF; float64.

    The covariance is `1/N sum_i (z_i - mu_(c_i)) (z_i - mu_(c_i))'` (Lee et al. 2018, eq. 1).
    """
    features_NF = features_NF.double()
    classes_N = torch.unique(labels_N, return_inverse=True)[1]
    means_KF = torch.stack([features_NF[classes_N == label].mean(0) for label in range(int(classes_N.max()) + 1)])
    centred_NF = features_NF - means_KF[classes_N]
    return means_KF, torch.linalg.pinv(centred_NF.T @ centred_NF / len(centred_NF), hermitian=True)


def principal_dimensions(trained: Trained) -> list[Setting]:
    """Return ViM's d: 1000 of 2048 features and more, 512 of 768 and more, else half of them (the authors' code).

    It lies below the rank of the training features about ViM's origin, so that these leave a residual.
    """
    num_features = trained.features_NF.shape[1]
    published = 1000 if num_features >= 2048 else 512 if num_features >= 768 else num_features // 2
    origin_F = _vim_detector(trained.model.head, d=0).u
    rank = int(torch.linalg.matrix_rank(trained.features_NF - origin_F))
    return [{"d": min(published, max(rank - 1, 0))}]


def neighbours(trained: Trained) -> list[Setting]:
    """Return KNN's k: 50, then the others of OpenOOD's grid, as far as there are training images."""
    from pytorch_ood.detector import KNN

    num = len(trained.features_NF)
    possible = [min(50, num), *(k for k in KNN.hyperparameter_space["k"] if k <= num)]
    return [{"k": k} for k in dict.fromkeys(possible)]


SCORES: dict[ScoreName, Method] = {
    "softmax": Method(softmax, lambda _: [{}]),
    "energy": Method(energy, lambda _: [{"temperature": 1}]),
    "odin": Method(odin, lambda _: [{"temperature": 1000, "eps": 0.0014}]),
    "knn": Method(knn, neighbours),
    "mahalanobis": Method(mahalanobis, lambda _: [{}]),
    "vim": Method(vim, principal_dimensions),
    "gen": Method(gen, lambda _: [{"gamma": 0.1, "M": 100}]),
    "react": Method(react, lambda _: [{"percentile": 90}]),
    "scale": Method(scale, lambda _: [{"percentile": 85}]),
}
"""By the name in `ood/<set>/<name>/auroc`."""


class _Logits(nn.Module):
    """The network as pytorch-ood wants it; in float64, since at T = 1000 probabilities differ in their eighth digit."""

    def __init__(self, model: Classifier) -> None:
        super().__init__()
        self.model = model

    def forward(self, images_NCHW: Tensor) -> Tensor:
        logits_NK: Tensor = self.model(images_NCHW).logits
        return logits_NK.double()


def _head(trained: Trained) -> Callable[[Tensor], Tensor]:
    """Return the head on the CPU in float64, for features NF and NF11 alike."""
    weight_KF = trained.model.head.weight.detach().double().cpu()
    bias_K = None if trained.model.head.bias is None else trained.model.head.bias.detach().double().cpu()
    return lambda features: functional.linear(features.flatten(1), weight_KF, bias_K)


def _no_backbone(_: Tensor) -> Tensor:
    raise AssertionError("features are at hand")


def _vim_detector(head: nn.Linear, d: int) -> "ViM":
    from pytorch_ood.detector import ViM

    bias_K = torch.zeros(head.out_features) if head.bias is None else head.bias.cpu()
    return ViM(None, d=d, w=head.weight.cpu(), b=bias_K)


def _confidence(outlier_N: Tensor) -> Tensor:
    return -outlier_N.double()
