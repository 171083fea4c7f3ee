"""From frozen features to the network that is evaluated, and from a checkpoint back to it.

N embeddings, F features, K classes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from trainables.classifiers.linear_probe import fit_linear_probe
from trainables.classifiers.nearest_centroid import nearest_centroid
from trainables.classifiers.nearest_neighbours import NeighbourEvidence
from trainables.classifiers.unit_features import UnitFeatures
from trainables.classifiers.with_head import with_head
from trainables.config import EmbeddingClassifier, LinearProbe, NearestCentroid, NearestNeighbours
from trainables.models import Classifier


@dataclass(frozen=True)
class FittedClassifier:
    """A network to evaluate, and metrics of its fit by name."""

    model: Classifier
    metrics: dict[str, float]


def fit_classifier(
    config: EmbeddingClassifier, model: Classifier, embeddings_NF: Tensor, labels_N: Tensor
) -> FittedClassifier:
    """Fit the classifier of `config` to embeddings; the network returned shares the trunk of `model`.

    The head of `model` says how many classes there are, and whether a linear probe has a bias.
    """
    device = model.head.weight.device
    return _part_of(config).fit(config, model, embeddings_NF.to(device), labels_N.to(device))


def restore_classifier(config: EmbeddingClassifier, model: Classifier, state: Mapping[str, Tensor]) -> Classifier:
    """Return the network with the state dict `state`; all that was fitted has its size from there."""
    restored = _part_of(config).empty(config, model, state)
    restored.load_state_dict(state)
    return restored


def _fit_probe(config: LinearProbe, model: Classifier, embeddings_NF: Tensor, labels_N: Tensor) -> FittedClassifier:
    weight_KF, bias_K, gradient = fit_linear_probe(
        embeddings_NF,
        labels_N,
        num_classes=model.num_classes,
        penalty=config.penalty,
        bias=model.head.bias is not None,
        setting="objective.classifier.penalty",
    )
    network = _linear(model, weight_KF, bias_K)
    return FittedClassifier(
        network, {**_accuracy(network.head, embeddings_NF, labels_N), "classifier/gradient": gradient}
    )


def _fit_centroid(
    config: NearestCentroid, model: Classifier, embeddings_NF: Tensor, labels_N: Tensor
) -> FittedClassifier:
    weight_KF, bias_K = nearest_centroid(
        embeddings_NF, labels_N, num_classes=model.num_classes, temperature=config.temperature
    )
    network = _linear(model, weight_KF, bias_K)
    return FittedClassifier(network, _accuracy(network.head, embeddings_NF, labels_N))


def _fit_neighbours(
    config: NearestNeighbours, model: Classifier, embeddings_NF: Tensor, labels_N: Tensor
) -> FittedClassifier:
    # No accuracy of the fit: every image is its own nearest neighbour.
    return FittedClassifier(_neighbours(config, model, embeddings_NF, labels_N, model.num_classes), {})


def _empty_linear(
    config: LinearProbe | NearestCentroid,  # noqa: ARG001
    model: Classifier,
    state: Mapping[str, Tensor],
) -> Classifier:
    return _linear(model, state["head.weight"], state.get("head.bias"))


def _empty_neighbours(config: NearestNeighbours, model: Classifier, state: Mapping[str, Tensor]) -> Classifier:
    embeddings_NF, labels_N = state["trunk.embeddings_NF"].clone(), state["trunk.labels_N"].clone()
    return _neighbours(config, model, embeddings_NF, labels_N, len(state["head.weight"]))


@dataclass(frozen=True)
class _Part:
    fit: Callable[[Any, Classifier, Tensor, Tensor], FittedClassifier]
    empty: Callable[[Any, Classifier, Mapping[str, Tensor]], Classifier]


CLASSIFIERS: dict[str, _Part] = {
    "linear_probe": _Part(_fit_probe, _empty_linear),
    "nearest_centroid": _Part(_fit_centroid, _empty_linear),
    "nearest_neighbours": _Part(_fit_neighbours, _empty_neighbours),
}
"""By `objective.classifier.kind`."""


def _part_of(config: EmbeddingClassifier) -> _Part:
    if config.kind not in CLASSIFIERS:
        raise ValueError(
            f"objective.classifier.kind = {config.kind!r} has no builder; valid kinds: {', '.join(CLASSIFIERS)}"
        )
    return CLASSIFIERS[config.kind]


def _linear(model: Classifier, weight_KF: Tensor, bias_K: Tensor | None) -> Classifier:
    return with_head(model, UnitFeatures(model.trunk), weight_KF, bias_K)


def _neighbours(
    config: NearestNeighbours, model: Classifier, embeddings_NF: Tensor, labels_N: Tensor, num_classes: int
) -> Classifier:
    evidence = NeighbourEvidence(
        UnitFeatures(model.trunk),
        embeddings_NF,
        labels_N,
        num_classes=num_classes,
        num_neighbours=config.num_neighbours,
        temperature=config.temperature,
    )
    return with_head(model, evidence, torch.eye(num_classes), None)


def _accuracy(head: nn.Linear, embeddings_NF: Tensor, labels_N: Tensor) -> dict[str, float]:
    with torch.no_grad():
        hit_N = head(embeddings_NF).argmax(1) == labels_N
    return {"classifier/fit_accuracy": hit_N.double().mean().item()}
