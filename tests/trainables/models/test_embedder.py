"""The network that embeds images."""

import pytest
import torch
from torch import nn

from trainables.config import SmallCnn
from trainables.models import Embedder, build_model, projection_head


def test_the_embedding_is_the_projected_mean_of_the_features() -> None:
    classifier = build_model(SmallCnn(width=4), num_classes=3).model
    images = torch.rand(2, 3, 32, 32)
    pooled = classifier(images).features.mean((2, 3))
    torch.testing.assert_close(Embedder(classifier, nn.Identity())(images), pooled)
    projection = projection_head(8, 5)
    hidden = (pooled @ projection[0].weight.T + projection[0].bias).relu()
    expected = hidden @ projection[2].weight.T + projection[2].bias
    torch.testing.assert_close(Embedder(classifier, projection)(images), expected)


def test_all_but_the_head_takes_a_gradient() -> None:
    embedder = Embedder(build_model(SmallCnn(width=4), num_classes=3).model, projection_head(8, 5))
    embedder(torch.rand(4, 3, 32, 32)).square().sum().backward()
    without = [name for name, parameter in embedder.named_parameters() if parameter.grad is None]
    assert without == ["classifier.head.weight"]
    assert not embedder.classifier.head.weight.requires_grad


@pytest.mark.parametrize("size", [None, 5])
def test_embeddings_are_float32_under_autocast(size: int | None) -> None:
    projection = nn.Identity() if size is None else projection_head(8, size)
    embedder = Embedder(build_model(SmallCnn(width=4), num_classes=3).model, projection)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert embedder(torch.rand(2, 3, 32, 32)).dtype == torch.float32
