"""One pass of a network over a data set: what every evaluation on clean images needs.

N samples, K classes, B batch, F features, H W map.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from itertools import chain
from typing import NamedTuple

import torch
from torch import Tensor

from trainables.cams import class_influence, contrastive_cams, hirescam, influence, reduce_background, reduce_classes
from trainables.data import Batch, ImageError
from trainables.models import Classifier, in_eval_mode

Gather = Callable[["Predictions"], list["Predictions"]]


class ByClass(NamedTuple):
    """What images of several labels have for each class, on the CPU."""

    targets_NK: Tensor
    """1 where the crop shows the class, else 0."""
    foreground_NK: Tensor
    """`sum_ij |HiResCAM_k|` on class k's own object; nan where the crop does not show it."""
    background_NK: Tensor
    """The same on everything else that is known."""


@dataclass(frozen=True, slots=True)
class Predictions:
    """Per-sample results on the CPU, in an order that depends on the number of workers."""

    ids: tuple[str, ...]
    """N of them."""
    logits_NK: Tensor
    labels_N: Tensor
    has_mask_N: Tensor
    foreground_N: Tensor
    """Influence `sum_k sum_ij |CC_(c,k)|` on the object; nan without a mask."""
    background_N: Tensor
    """The same on the background."""
    logit_error_N: Tensor
    """`max_k |s_k - (sum_ij HiResCAM_k + b_k)|`."""
    by_class: ByClass | None = None
    """None where every image has one label."""

    @property
    def correct(self) -> Tensor:
        """Whether the highest logit is the label's, bool N."""
        return self.logits_NK.argmax(1) == self.labels_N


class NoImageError(ImageError):
    """A data set of which not one image could be read."""


def predict(
    model: Classifier, batches: Iterable[Batch], *, device: torch.device, gather: Gather = lambda value: [value]
) -> Predictions:
    """Run `model` in eval mode, in float32, over this worker's batches and join all workers' results.

    Raises:
        NoImageError: No worker has an image.
    """
    with in_eval_mode(model), torch.inference_mode():
        predicted = [_predict_batch(model, batch.to(device)) for batch in batches]
    joined = _join(gather(_join(predicted) if predicted else _nothing(model.num_classes)))
    if not len(joined.labels_N):
        raise NoImageError("no image to predict: the set is empty, or none could be read and the log names them")
    return joined


def _nothing(num_classes: int) -> Predictions:
    return Predictions(
        ids=(),
        logits_NK=torch.empty(0, num_classes),
        labels_N=torch.empty(0, dtype=torch.int64),
        has_mask_N=torch.empty(0, dtype=torch.bool),
        foreground_N=torch.empty(0),
        background_N=torch.empty(0),
        logit_error_N=torch.empty(0),
    )


def _predict_batch(model: Classifier, batch: Batch) -> Predictions:
    output = model(batch.images_BCHW)
    logits_BK, features_BFHW = output.logits.float(), output.features.float()
    cams_BKHW = hirescam(features_BFHW, model.head.weight)
    bias_K = 0 if model.head.bias is None else model.head.bias
    background_BHW = reduce_background(batch.background_BHW, features_BFHW.shape[-2:])
    foreground_B, background_B = influence(contrastive_cams(cams_BKHW, batch.labels_B), background_BHW)
    nan_B = torch.full_like(foreground_B, torch.nan)
    return Predictions(
        ids=batch.ids,
        logits_NK=logits_BK.cpu(),
        labels_N=batch.labels_B.cpu(),
        has_mask_N=batch.has_mask_B.cpu(),
        foreground_N=torch.where(batch.has_mask_B, foreground_B, nan_B).cpu(),
        background_N=torch.where(batch.has_mask_B, background_B, nan_B).cpu(),
        logit_error_N=(logits_BK - cams_BKHW.sum((-2, -1)) - bias_K).abs().amax(1).cpu(),
        by_class=_by_class(cams_BKHW, batch),
    )


def _by_class(cams_BKHW: Tensor, batch: Batch) -> ByClass | None:
    if batch.targets_BK is None or batch.classes_BHW is None:
        return None
    shares = reduce_classes(batch.classes_BHW, cams_BKHW.shape[1], cams_BKHW.shape[-2:])
    foreground_BK, background_BK = class_influence(cams_BKHW, *shares)
    is_there_BK = batch.targets_BK > 0
    return ByClass(
        targets_NK=batch.targets_BK.cpu(),
        foreground_NK=torch.where(is_there_BK, foreground_BK, torch.nan).cpu(),
        background_NK=torch.where(is_there_BK, background_BK, torch.nan).cpu(),
    )


def _join(chunks: list[Predictions]) -> Predictions:
    tensors = [field.name for field in fields(Predictions) if field.name not in ("ids", "by_class")]
    by_class = [chunk.by_class for chunk in chunks if chunk.by_class is not None]  # A worker without an image has none.
    return Predictions(
        ids=tuple(chain.from_iterable(chunk.ids for chunk in chunks)),
        **{name: torch.cat([getattr(chunk, name) for chunk in chunks]) for name in tensors},
        by_class=ByClass(*map(torch.cat, zip(*by_class, strict=True))) if by_class else None,
    )
