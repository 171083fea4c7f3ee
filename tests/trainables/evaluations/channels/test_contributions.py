"""Contributions worked out by hand, by a loop over all cells, and on a network of each family."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.trainables.models.networks import NUM_CLASSES, SMALLEST, config_of, fresh_model, images_of
from trainables.cams import contrastive_cams, hirescam
from trainables.classifiers import LastLayer, fit_classifier, with_last_layer
from trainables.config import EmbeddingClassifier, LinearProbe, NearestCentroid, NearestNeighbours, Timm
from trainables.evaluations.channels.contributions import (
    background_share,
    contributions,
    effective_number,
    num_needed,
    pool,
    strongest,
)
from trainables.evaluations.channels.pooled import ablation_error
from trainables.evaluations.rivals import margins, strongest_rivals
from trainables.models import Classifier, build_model

NUM_IMAGES = 3
LABELS = torch.tensor([0, 1, 4])


def doubles(*rows: list[float]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)


@pytest.fixture
def features() -> Tensor:
    return torch.randn(NUM_IMAGES, 6, 4, 5, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def weight() -> Tensor:
    return torch.randn(NUM_CLASSES, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_contributions_are_the_sums_over_cells_of_what_a_channel_adds_to_the_map(
    features: Tensor, weight: Tensor
) -> None:
    background = torch.rand(NUM_IMAGES, 4, 5, generator=torch.Generator().manual_seed(2))
    rivals = torch.tensor([2, 0, 3])
    by_loop = torch.zeros(2, NUM_IMAGES, 6, dtype=torch.float64)
    for image, (own, rival) in enumerate(zip(LABELS.tolist(), rivals.tolist(), strict=True)):
        for channel in range(6):
            for row in range(4):
                for column in range(5):
                    value = features[image, channel, row, column].double()
                    added = (weight[own, channel] - weight[rival, channel]) * value / 20
                    by_loop[0, image, channel] += added
                    by_loop[1, image, channel] += added * background[image, row, column].double()
    found = [contributions(part, weight, LABELS, rivals) for part in pool(features, background)]
    torch.testing.assert_close(torch.stack(found), by_loop, rtol=0, atol=1e-12)
    maps = contrastive_cams(hirescam(features.double(), weight), LABELS)
    sums = maps.sum((2, 3)).gather(1, rivals.unsqueeze(1)).squeeze(1)
    torch.testing.assert_close(found[0].sum(1), sums, rtol=0, atol=1e-12)


def test_the_strongest_channels_have_the_largest_absolute_contributions() -> None:
    assert strongest(doubles([1, -3, 0, 3], [0, 0, 0, 2]), 3).tolist() == [[1, 3, 0], [3, 0, 1]]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ([0.0, 5.0, 0.0, 0.0], 1),
        ([2.0, -2.0, 0.0, 2.0], 3),
        ([0.1, 0.1, 0.1, 0.1], 4),
        ([0.5, 0.25, -0.25, 0.0], 2**1.5),  # The entropy of 1/2, 1/4 and 1/4 is 3/2 bits.
        ([0.0, 0.0, 0.0, 0.0], math.nan),
    ],
)
def test_effective_number(row: list[float], expected: float) -> None:
    assert effective_number(doubles(row)).item() == pytest.approx(expected, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ([4.0, 3.0, 2.0, 1.0], 3),  # 9 of 10 is enough.
        ([0.0, 0.0, 0.0, -7.0], 1),
        ([10.0, -8.0, 1.0, -1.0], 4),  # 10, 2, 3, 2: the third leads away from the margin of 2 again.
        ([10.0, -8.0, 0.1, 0.1], 2),  # 10, 2, 2.1, 2.2.
        ([1.0, -1.0, 0.0, 0.0], 2),
        ([0.0, 0.0, 0.0, 0.0], math.nan),
    ],
)
def test_number_of_channels_for_90_percent_of_the_margin(row: list[float], expected: float) -> None:
    assert num_needed(doubles(row)).item() == pytest.approx(expected, abs=0, nan_ok=True)


def test_the_background_s_share_is_of_absolute_values() -> None:
    object_, background = doubles([1, 0, -1, 0]), doubles([1, 2, 3, 0])
    assert background_share(object_, background)[0, :3].tolist() == [0.5, 1, 0.75]
    assert background_share(object_, background)[0, 3].isnan()
    assert background_share(object_, background, 1).tolist() == [0.75]


def check(model: Classifier, images: Tensor) -> None:
    """Check that contributions sum to the margin, and that the head confirms them when channels are removed."""
    labels = LABELS[: len(images)]
    with torch.no_grad():
        output = model(images)
        rivals = strongest_rivals(output.logits, labels)
        pooled, _ = pool(output.features, torch.zeros(len(images), *output.features.shape[2:]))
        found = contributions(pooled, model.head.weight.double(), labels, rivals)
        bias = torch.zeros(model.num_classes) if model.head.bias is None else model.head.bias.double()
        expected = margins(output.logits, labels, rivals)
        torch.testing.assert_close(found.sum(1) + bias[labels] - bias[rivals], expected, rtol=0, atol=1e-5)
        largest = torch.zeros_like(found, dtype=torch.bool).scatter(1, strongest(found, 3), value=True)
        half = torch.rand(found.shape, generator=torch.Generator().manual_seed(0)) < 0.5
        for removed in (largest, half):
            assert ablation_error(model, output.features, found, removed, labels, rivals).max() < 1e-5


@pytest.mark.parametrize("kind", ["small_cnn", *SMALLEST])
def test_contributions_are_exact_in_every_family(kind: str) -> None:
    check(fresh_model(kind, cam_stride=16, head_bias=True).eval(), images_of(32))


def test_contributions_are_exact_in_a_network_of_timm() -> None:
    config = Timm(kind="timm", name="tf_efficientnet_lite0", cam_stride=8, head_bias=True)
    check(build_model(config, num_classes=NUM_CLASSES).model.eval(), images_of(32))


CLASSIFIERS: dict[str, EmbeddingClassifier] = {
    "linear_probe": LinearProbe(),
    "nearest_centroid": NearestCentroid(),
    "nearest_neighbours": NearestNeighbours(num_neighbours=7),
}


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_contributions_are_exact_in_every_classifier_of_embeddings(name: str) -> None:
    model = fresh_model("small_cnn", head_bias=True).eval()
    embeddings = torch.rand(30, model.head.in_features, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(30) % NUM_CLASSES
    check(fit_classifier(CLASSIFIERS[name], model, functional.normalize(embeddings), labels).model, images_of(48))


def test_contributions_are_exact_with_a_last_layer_fitted_anew(weight: Tensor) -> None:
    model = build_model(config_of("small_cnn", width=8), num_classes=NUM_CLASSES).model.eval()
    head = nn.Linear(model.head.in_features, NUM_CLASSES, dtype=torch.float64)
    layer = LastLayer(head.weight.detach(), weight[:, 0], strength=1.0, worst_accuracy=1.0)
    with torch.no_grad():
        check(with_last_layer(model, layer), images_of(48))


def test_a_head_that_is_not_linear_is_found() -> None:
    class Squared(Classifier):
        def classify(self, features_BFHW: Tensor) -> Tensor:
            return super().classify(features_BFHW.square())

    model = Squared(nn.Identity(), nn.Linear(2, 2, bias=False))
    with torch.no_grad():
        model.head.weight.copy_(torch.eye(2))
        features = torch.tensor([3.0, 1.0]).view(1, 2, 1, 1)
        labels, rivals = torch.tensor([0]), torch.tensor([1])
        removed = torch.tensor([[False, True]])
        # Without the second channel the squares give 9 - 0, and the contributions 3.
        assert ablation_error(model, features, doubles([3, -1]), removed, labels, rivals).tolist() == [6]
