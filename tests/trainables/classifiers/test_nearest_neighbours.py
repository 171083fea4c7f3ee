"""The nearest neighbours as maps of evidence, against scikit-learn's."""

import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor, nn
from torch.nn import functional

from trainables.classifiers import NeighbourEvidence, UnitFeatures


def evidence_of(
    embeddings: Tensor, labels: Tensor, *, num_neighbours: int, num_classes: int, temperature: float = 1.0
) -> NeighbourEvidence:
    """Return the classifier of images that are their own features."""
    return NeighbourEvidence(
        UnitFeatures(nn.Identity()),
        embeddings,
        labels,
        num_classes=num_classes,
        num_neighbours=num_neighbours,
        temperature=temperature,
    )


def test_the_maps_by_hand() -> None:
    """The image's mean (3, 4) / 5 is nearest to (0.6, 0.8) of class 1, then to (0, 1) of class 0."""
    embeddings, labels = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]]), torch.tensor([0, 0, 1])
    image = torch.tensor([[6.0, 0.0], [0.0, 8.0]]).view(1, 2, 1, 2)
    found = evidence_of(embeddings, labels, num_neighbours=2, num_classes=3, temperature=0.5)(image)
    cells = image[0, :, 0] / 5
    expected = torch.stack([cells[1], 0.6 * cells[0] + 0.8 * cells[1], torch.zeros(2)])
    torch.testing.assert_close(found, expected.view(1, 3, 1, 2))
    torch.testing.assert_close(found.mean((2, 3)), torch.tensor([[0.8, 1.0, 0.0]]))


@pytest.mark.parametrize("num_neighbours", [1, 5, 20])
def test_the_scores_are_scikit_learns_weighted_votes(num_neighbours: int) -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(90) % 4
    embeddings = functional.normalize(torch.rand(90, 6, generator=generator), dim=1)
    images = torch.rand(30, 6, 3, 2, generator=generator)
    queries = functional.normalize(images.mean((2, 3)), dim=1)
    found = evidence_of(embeddings, labels, num_neighbours=num_neighbours, num_classes=4)(images).mean((2, 3))
    reference = KNeighborsClassifier(num_neighbours, metric="cosine", weights=lambda distance: 1 - distance)
    reference.fit(embeddings.numpy(), labels.numpy())
    expected = torch.from_numpy(reference.predict_proba(queries.numpy())).float()
    torch.testing.assert_close(found / found.sum(1, keepdim=True), expected, rtol=0, atol=1e-5)


def test_a_batch_is_its_images() -> None:
    generator = torch.Generator().manual_seed(1)
    embeddings = functional.normalize(torch.randn(40, 5, generator=generator), dim=1)
    classifier = evidence_of(embeddings, torch.arange(40) % 3, num_neighbours=7, num_classes=3)
    images = torch.randn(6, 5, 4, 4, generator=generator)
    alone = torch.cat([classifier(image) for image in images.split(1)])
    torch.testing.assert_close(classifier(images), alone)


def test_more_neighbours_than_images_are_refused() -> None:
    with pytest.raises(ValueError, match=r"objective\.classifier\.num_neighbours = 3 is more than the 2 images"):
        evidence_of(torch.eye(2), torch.tensor([0, 1]), num_neighbours=3, num_classes=2)
