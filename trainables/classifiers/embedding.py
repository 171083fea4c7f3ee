"""The embeddings of a data set, as a frozen network makes them.

B batch, N images, F features.
"""

from collections.abc import Callable, Iterable
from itertools import chain
from typing import NamedTuple

import torch
from torch import Tensor

from trainables.classifiers.unit_features import UnitFeatures
from trainables.classifiers.with_head import with_head
from trainables.data import Batch, ImageError
from trainables.models import Classifier, in_eval_mode


class Embedded(NamedTuple):
    """Pooled features of images, on the CPU."""

    ids: tuple[str, ...]
    embeddings_NF: Tensor
    """float32."""
    labels_N: Tensor
    indices_N: Tensor
    """The places of the images in their data set."""


Gather = Callable[[list[Embedded]], list[list[Embedded]]]


def embed_images(
    model: Classifier,
    batches: Iterable[Batch],
    *,
    device: torch.device,
    unit_length: bool = True,
    gather: Gather = lambda shares: [shares],
) -> Embedded:
    """Return the pooled features of all workers' images.

    They are sorted by the images' ids, so that the number of workers does not show. All workers call it together.

    Args:
        model: Its trunk makes the features, in eval mode.
        batches: This worker's images.
        device: Where the trunk is.
        unit_length: Whether features are L2-normalised.
        gather: Returns every worker's value.

    Raises:
        ImageError: No image could be read.
        FloatingPointError: A feature is not finite.
    """
    trunk = UnitFeatures(model.trunk) if unit_length else model.trunk
    network = with_head(model, trunk, model.head.weight, None)
    with in_eval_mode(model), torch.no_grad():
        parts = [_embed(network, batch.to(device)) for batch in batches]
    return _joined(list(chain.from_iterable(gather(parts))))


def _joined(shares: list[Embedded]) -> Embedded:
    """Return all shares' images in the order of their ids."""
    if not shares:
        raise ImageError("not one image could be read to fit the classifier to; the log names them")
    ids, *tensors = zip(*shares, strict=True)
    joined, (embeddings_NF, labels_N, indices_N) = tuple(chain.from_iterable(ids)), map(torch.cat, tensors)
    if not embeddings_NF.isfinite().all():
        raise FloatingPointError(
            "the features of the images to fit to are not all finite: lower optim.learning_rate, or set "
            "training.clip_norm"
        )
    order = sorted(range(len(joined)), key=joined.__getitem__)
    return Embedded(tuple(sorted(joined)), embeddings_NF[order], labels_N[order], indices_N[order])


def _embed(network: Classifier, batch: Batch) -> Embedded:
    features_BFHW = network(batch.images_BCHW).features
    assert batch.indices_B is not None, "images of a set know their places"
    pooled_BF = features_BFHW.mean((2, 3), dtype=torch.float32)
    return Embedded(batch.ids, pooled_BF.cpu(), batch.labels_B.cpu(), batch.indices_B.cpu())
