"""The last layer fitted anew against scikit-learn's pipelines in float64, and a world of two features by hand."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torch.nn import functional

from trainables.cams import hirescam
from trainables.classifiers import (
    LastLayer,
    fit_last_layer,
    fit_linear_probe,
    last_layer,
    restore_last_layer,
    with_last_layer,
)
from trainables.data import draw_of_each, half_of
from trainables.models import Classifier


def features_of(num_classes: int, *, num: int = 120, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Return overlapping clusters of large and small features in float32, labels, and strata of unequal sizes."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(num) % num_classes
    centres = torch.randn(num_classes, 6, generator=generator)
    scales = torch.tensor([100.0, 10, 1, 0.1, 0.01, 0])
    features = 3 + (centres[labels] + torch.randn(num, 6, generator=generator)) * scales
    groups = (torch.arange(num) % 7 == 0).long()
    return features, labels, 2 * labels + groups


def pipeline(num_classes: int, strength: float) -> OneVsRestClassifier | LogisticRegression:
    model = LogisticRegression(l1_ratio=1, C=strength, solver="liblinear", max_iter=1000, random_state=0)
    return model if num_classes == 2 else OneVsRestClassifier(model)


def scores(found: LastLayer, features: Tensor) -> Tensor:
    """Return what scikit-learn calls the decision function: of two classes the difference of their logits."""
    logits = functional.linear(features.double(), found.weight_KF, found.bias_K)
    return logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits


@pytest.mark.parametrize("num_classes", [2, 3])
def test_the_head_is_the_mean_of_the_decision_functions_of_pipelines(num_classes: int) -> None:
    features, labels, strata = features_of(num_classes)
    found = fit_last_layer(features, labels, strata, num_subsets=3, most=None, seed=5)
    every, smallest = features.double().numpy(), int(torch.bincount(strata).min())
    scaler, expected = StandardScaler().fit(every), []
    for number in range(3):
        seed = int(np.random.SeedSequence([5, number]).generate_state(1)[0])
        rows = draw_of_each(strata, smallest, seed=seed)
        assert torch.bincount(strata[rows]).tolist() == [smallest] * 2 * num_classes
        model = pipeline(num_classes, found.strength).fit(scaler.transform(every[rows]), labels[rows].numpy())
        expected.append(model.decision_function(scaler.transform(every)))
    np.testing.assert_allclose(scores(found, features), np.mean(expected, axis=0), rtol=0, atol=1e-10)
    assert found.weight_KF.dtype == torch.float64


@pytest.mark.parametrize("num_classes", [2, 3])
def test_the_strength_is_that_of_the_best_worst_stratum_of_the_other_half(num_classes: int) -> None:
    features, labels, strata = features_of(num_classes, seed=3)
    found = fit_last_layer(features, labels, strata, num_subsets=1, most=4, seed=1)
    is_other = half_of(strata.numpy(), seed=1)
    own = torch.from_numpy(~is_other).nonzero().squeeze(1)
    rows = own[draw_of_each(strata[own], 4, seed=1)]
    every, worst = features.double().numpy(), {}
    for strength in (1.0, 0.7, 0.3, 0.1, 0.07, 0.03, 0.01):
        model = make_pipeline(StandardScaler(), pipeline(num_classes, strength))
        scaler = model.steps[0][1].fit(every[own])
        model.steps[1][1].fit(scaler.transform(every[rows]), labels[rows].numpy())
        hits = model.predict(every[is_other]) == labels.numpy()[is_other]
        worst[strength] = min(hits[strata.numpy()[is_other] == stratum].mean() for stratum in range(2 * num_classes))
    assert len(set(worst.values())) > 1
    assert found.strength == max(worst, key=lambda strength: worst[strength])
    assert found.worst_accuracy == max(worst.values())


def test_in_a_world_of_two_features_the_background_gets_no_weight() -> None:
    """Features (object, background): in training they agree, and the held-out set has all four groups alike."""
    train_labels = torch.arange(40) % 2
    train = torch.stack([2.0 * train_labels, 2.0 * train_labels], dim=1)
    trained = fit_linear_probe(train, train_labels, num_classes=2, penalty=1e-3, bias=True)
    assert trained.weight_KF[:, 1].abs().min() > 1
    torch.testing.assert_close(trained.weight_KF[:, 0], trained.weight_KF[:, 1])
    labels, places = torch.arange(40) % 2, torch.arange(40) // 2 % 2
    held_out = torch.stack([2.0 * labels, 2.0 * places], dim=1)
    found = fit_last_layer(held_out, labels, 2 * labels + places, num_subsets=4, most=None, seed=0)
    assert found.weight_KF[:, 1].tolist() == [0, 0]
    assert found.weight_KF[1, 0] == -found.weight_KF[0, 0] > 0
    assert (found.worst_accuracy, found.strength) == (1, 1)
    logits = functional.linear(held_out.double(), found.weight_KF, found.bias_K)
    assert logits.argmax(1).tolist() == labels.tolist()


def test_features_of_unchanged_images_standardise_those_of_changed_ones() -> None:
    """A feature that the change silences counts by its noise otherwise."""
    features, labels, strata = features_of(2)
    unchanged = features + torch.randn(features.shape, generator=torch.Generator().manual_seed(1)) * 5
    scaler, every = StandardScaler().fit(unchanged.double().numpy()), features.double().numpy()
    found = fit_last_layer(features, labels, strata, num_subsets=1, most=3, seed=0, unchanged_NF=unchanged)
    rows = draw_of_each(strata, 3, seed=int(np.random.SeedSequence([0, 0]).generate_state(1)[0]))
    model = pipeline(2, found.strength).fit(scaler.transform(every[rows]), labels[rows].numpy())
    np.testing.assert_allclose(scores(found, features), model.decision_function(scaler.transform(every)), atol=1e-10)


def test_a_feature_that_is_constant_gets_no_weight_and_a_fit_says_when_it_has_not_converged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    features, labels, strata = features_of(2)
    assert fit_last_layer(features, labels, strata, num_subsets=1, most=None, seed=0).weight_KF[:, 5].tolist() == [0, 0]
    assert caplog.text == ""
    monkeypatch.setattr(last_layer, "_MAX_STEPS", 1)
    fit_last_layer(features, labels, strata, num_subsets=1, most=None, seed=0)
    assert "the last layer has not converged after 1 steps, at strength 1" in caplog.text


def test_halves_and_draws_are_of_each_stratum() -> None:
    strata = torch.tensor([0] * 7 + [2] * 2 + [5])
    half = torch.from_numpy(half_of(strata.numpy(), seed=0))
    assert torch.bincount(strata[half], minlength=6).tolist() == [3, 0, 1, 0, 0, 0]
    assert not torch.equal(half, torch.from_numpy(half_of(strata.numpy(), seed=1)))
    rows = draw_of_each(strata, 2, seed=0)
    assert torch.bincount(strata[rows]).tolist() == [2, 0, 2, 0, 0, 1]
    assert rows.tolist() == sorted(rows.tolist())
    assert len({tuple(draw_of_each(strata, 2, seed=seed).tolist()) for seed in range(5)}) > 1


@pytest.mark.parametrize("num_classes", [2, 3])
def test_the_maps_of_the_fitted_head_sum_to_its_logits(num_classes: int) -> None:
    torch.manual_seed(0)
    model = Classifier(nn.Conv2d(3, 6, 3), nn.Linear(6, num_classes, bias=False))
    layer = fit_last_layer(*features_of(num_classes), num_subsets=2, most=None, seed=0)
    network, images = with_last_layer(model, layer), torch.rand(4, 3, 8, 8)
    assert network.trunk is model.trunk
    with torch.no_grad():
        output = network(images)
        sums = hirescam(output.features, network.head.weight).sum((2, 3))
        expected = functional.linear(output.features.double().mean((2, 3)), layer.weight_KF, layer.bias_K)
    torch.testing.assert_close(output.logits, sums + network.head.bias, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(output.logits.double(), expected, rtol=1e-5, atol=1e-5)
    other = Classifier(nn.Conv2d(3, 6, 3), nn.Linear(6, num_classes, bias=False))
    restored = restore_last_layer(other, network.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(restored(images).logits, output.logits, rtol=0, atol=0)
