"""Networks whose features are colours."""

from collections.abc import Sequence

import torch
from torch import Tensor

from tests.trainables.evaluations.conftest import linear_classifier
from trainables.evaluations.ood.encoded import Encoded
from trainables.evaluations.ood.scores import Trained
from trainables.models import Classifier


def trained_on(features_NF: Tensor, labels: Sequence[int] | None = None, *, model: Classifier | None = None) -> Trained:
    """Return a training sample with the given features; without labels all are of one class."""
    num, num_features = features_NF.shape
    return Trained(
        model=model or linear_classifier(torch.eye(2, num_features).tolist()),
        device=torch.device("cpu"),
        batch_size=3,
        features_NF=features_NF.float(),
        labels_N=torch.zeros(num, dtype=torch.int64) if labels is None else torch.tensor(labels),
    )


def seen(features_NF: Tensor, *, logits_NK: Tensor | None = None) -> Encoded:
    """Return images of 2 x 2 pixels that have these features under `linear_classifier`, with logits as given."""
    images_NCHW = features_NF.float()[:, :, None, None].expand(-1, -1, 2, 2).contiguous()
    logits_NK = features_NF[:, :2] if logits_NK is None else logits_NK
    return Encoded(images_NCHW, features_NF.float(), logits_NK.double())
