"""The embeddings of a data set, as a frozen network makes them.

B batch, N images, F features.
"""

from collections.abc import Callable, Iterable
from itertools import chain

import torch
from torch import Tensor

from trainables.classifiers.unit_features import UnitFeatures
from trainables.classifiers.with_head import with_head
from trainables.data import Batch, ImageError
from trainables.models import Classifier

Share = tuple[tuple[str, ...], Tensor, Tensor]
"""The ids of some images, their embeddings and their labels."""
Gather = Callable[[list[Share]], list[list[Share]]]


def embed_images(
    model: Classifier, batches: Iterable[Batch], *, device: torch.device, gather: Gather = lambda shares: [shares]
) -> tuple[Tensor, Tensor]:
    """Return the L2-normalised pooled features of all workers' images, NF in float32, and their labels, on the CPU.

    They are sorted by the images' ids, so that the number of workers does not show. All workers call it together.

    Raises:
        ImageError: No image could be read.
        FloatingPointError: A feature is not finite.
    """
    network = with_head(model, UnitFeatures(model.trunk), model.head.weight, None)
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            parts = [_embed(network, batch.to(device)) for batch in batches]
    finally:
        model.train(was_training)
    shares = list(chain.from_iterable(gather(parts)))
    if not shares:
        raise ImageError("not one training image could be read to fit the classifier to; the log names them")
    ids, embeddings_NF, labels_N = _join(shares)
    if not embeddings_NF.isfinite().all():
        raise FloatingPointError(
            "the features of the training images are not all finite: lower optim.learning_rate, or set "
            "training.clip_norm"
        )
    order = sorted(range(len(ids)), key=ids.__getitem__)
    return embeddings_NF[order], labels_N[order]


def _embed(network: Classifier, batch: Batch) -> Share:
    features_BFHW = network(batch.images_BCHW).features
    return batch.ids, features_BFHW.mean((2, 3)).cpu(), batch.labels_B.cpu()


def _join(shares: list[Share]) -> Share:
    ids, embeddings, labels = zip(*shares, strict=True)
    return tuple(chain.from_iterable(ids)), torch.cat(embeddings), torch.cat(labels)
