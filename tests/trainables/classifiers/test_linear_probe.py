"""The linear probe against scikit-learn's, and that it is trained to convergence."""

import logging

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.nn import functional

from trainables.classifiers import fit_linear_probe, linear_probe


def embeddings_of(num_classes: int, *, num: int = 150, size: int = 6, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return overlapping clusters on the unit sphere."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(num) % num_classes
    centres = torch.randn(num_classes, size, generator=generator)
    return functional.normalize(centres[labels] + torch.randn(num, size, generator=generator), dim=1), labels


def logistic_regression(embeddings: Tensor, labels: Tensor, *, penalty: float, bias: bool) -> LogisticRegression:
    """Return scikit-learn's; it minimises `C sum CE + 1/2 |W|^2`, of two classes with one vector `w = W_1 - W_0`."""
    num_classes = len(labels.unique())
    strength = (2 if num_classes == 2 else 1) / (penalty * len(labels))
    model = LogisticRegression(C=strength, fit_intercept=bias, tol=1e-10, max_iter=100_000)
    return model.fit(embeddings.double().numpy(), labels.numpy())


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("penalty", [1e-1, 1e-3])
@pytest.mark.parametrize("num_classes", [2, 3, 7])
def test_the_probe_is_multinomial_logistic_regression(num_classes: int, penalty: float, bias: bool) -> None:
    embeddings, labels = embeddings_of(num_classes)
    probe = fit_linear_probe(embeddings, labels, num_classes=num_classes, penalty=penalty, bias=bias)
    found = functional.linear(embeddings.double(), probe.weight_KF, probe.bias_K).softmax(1)
    reference = logistic_regression(embeddings, labels, penalty=penalty, bias=bias)
    np.testing.assert_allclose(found, reference.predict_proba(embeddings.double().numpy()), atol=1e-5)
    if num_classes > 2:
        np.testing.assert_allclose(probe.weight_KF, reference.coef_, atol=1e-3 / penalty * 1e-2)
    assert (probe.bias_K is not None) == bias


@pytest.mark.parametrize("penalty", [1e-2, 1e-4, 1e-6])
def test_the_gradient_is_gone(penalty: float, caplog: pytest.LogCaptureFixture) -> None:
    embeddings, labels = embeddings_of(5)
    probe = fit_linear_probe(embeddings, labels, num_classes=5, penalty=penalty, bias=True)
    weight = probe.weight_KF.clone().requires_grad_()
    logits = functional.linear(embeddings.double(), weight, probe.bias_K)
    (functional.cross_entropy(logits, labels) + penalty / 2 * weight.square().sum()).backward()
    assert weight.grad is not None
    assert float(weight.grad.abs().max()) <= probe.gradient <= linear_probe.TOLERANCE
    assert caplog.text == ""


def test_classes_that_a_line_parts_converge_too() -> None:
    embeddings, labels = torch.eye(4).repeat(5, 1), torch.arange(4).repeat(5)
    probe = fit_linear_probe(embeddings, labels, num_classes=4, penalty=1e-4, bias=False)
    assert probe.gradient <= linear_probe.TOLERANCE
    assert torch.equal((embeddings.double() @ probe.weight_KF.T).argmax(1), labels)


def test_a_probe_that_does_not_converge_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(linear_probe, "MAX_STEPS", 2)
    embeddings, labels = embeddings_of(5)
    with caplog.at_level(logging.WARNING):
        probe = fit_linear_probe(embeddings, labels, num_classes=5, penalty=1e-4, bias=True, setting="a.penalty")
    assert probe.gradient > linear_probe.TOLERANCE
    assert "the linear probe has not converged" in caplog.text
    assert "raise a.penalty = 0.0001" in caplog.text


def test_a_penalty_that_no_one_can_set_is_not_to_be_raised(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(linear_probe, "MAX_STEPS", 2)
    with caplog.at_level(logging.WARNING):
        fit_linear_probe(*embeddings_of(5), num_classes=5, penalty=1e-4, bias=True)
    assert "its fixed penalty is 0.0001" in caplog.text
    assert "raise" not in caplog.text


def test_nothing_is_left_to_chance() -> None:
    embeddings, labels = embeddings_of(4)
    first, second = (fit_linear_probe(embeddings, labels, num_classes=4, penalty=1e-3, bias=True) for _ in range(2))
    assert torch.equal(first.weight_KF, second.weight_KF)


def test_a_class_without_an_image_is_not_predicted() -> None:
    embeddings, labels = embeddings_of(3)
    probe = fit_linear_probe(embeddings, labels, num_classes=4, penalty=1e-3, bias=True)
    assert probe.weight_KF.shape == (4, 6)
    assert 3 not in functional.linear(embeddings.double(), probe.weight_KF, probe.bias_K).argmax(1)
