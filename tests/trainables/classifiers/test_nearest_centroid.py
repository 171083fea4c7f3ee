"""The nearest centroid as a linear head against scikit-learn's."""

import logging

import pytest
import torch
from sklearn.neighbors import NearestCentroid
from torch.nn import functional

from trainables.classifiers import nearest_centroid


def test_the_head_by_hand() -> None:
    embeddings = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    weight, bias = nearest_centroid(embeddings, torch.tensor([0, 1, 1]), num_classes=2, temperature=0.5)
    torch.testing.assert_close(weight, torch.tensor([[2.0, 0.0], [0.6, 1.8]], dtype=torch.float64))
    torch.testing.assert_close(bias, torch.tensor([-1.0, -0.9], dtype=torch.float64))


@pytest.mark.parametrize("temperature", [0.07, 1.0])
def test_the_nearest_mean_is_chosen(temperature: float) -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(200) % 6
    embeddings = functional.normalize(
        torch.randn(6, 5, generator=generator)[labels] + torch.randn(200, 5, generator=generator), dim=1
    )
    weight, bias = nearest_centroid(embeddings, labels, num_classes=6, temperature=temperature)
    queries = functional.normalize(torch.randn(300, 5, generator=generator), dim=1)
    logits = functional.linear(queries.double(), weight, bias)
    reference = NearestCentroid().fit(embeddings.double().numpy(), labels.numpy())
    assert logits.argmax(1).tolist() == reference.predict(queries.double().numpy()).tolist()
    centroids = torch.stack([embeddings[labels == label].double().mean(0) for label in range(6)])
    distances = (queries[:, None].double() - centroids).square().sum(2)
    expected = (-distances / (2 * temperature)).softmax(1)
    torch.testing.assert_close(logits.softmax(1), expected)


def test_a_class_without_an_image_is_never_chosen(caplog: pytest.LogCaptureFixture) -> None:
    embeddings = torch.eye(3)[:2]
    with caplog.at_level(logging.WARNING):
        weight, bias = nearest_centroid(embeddings, torch.tensor([0, 2]), num_classes=4, temperature=1.0)
    queries = functional.normalize(torch.randn(500, 3, dtype=torch.float64), dim=1)
    assert set(functional.linear(queries, weight, bias).argmax(1).tolist()) == {0, 2}
    assert "2 of 4 classes have no image to fit the nearest centroid to" in caplog.text
