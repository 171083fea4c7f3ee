"""Objectives on a network's output and a batch."""

import pickle

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from trainables.cams import contrastive_cams, hirescam, influence, reduce_background
from trainables.config import Contrastive, CrossEntropy, ObjectiveConfig, SmallCnn
from trainables.data import Batch
from trainables.losses import build_objective, contrastive_cross_entropy, reduce_terms
from trainables.models import Classifier, build_model

CONFIGS: list[ObjectiveConfig] = [CrossEntropy(), Contrastive(), Contrastive(background_weight=0.0)]


def batch_of(*, background: Tensor | None = None, size: int = 48) -> Batch:
    generator = torch.Generator().manual_seed(0)
    if background is None:
        background = (torch.rand(4, size, size, generator=generator) < 0.5).float()
    return Batch(
        images_BCHW=torch.rand(4, 3, size, size, generator=generator),
        labels_B=torch.tensor([0, 2, 1, 2]),
        background_BHW=background,
        has_mask_B=background.flatten(1).any(1),
        ids=("a", "b", "c", "d"),
    )


def network(*, head_bias: bool = False) -> Classifier:
    torch.manual_seed(0)
    return build_model(SmallCnn(width=8, head_bias=head_bias), num_classes=3).model


@pytest.mark.parametrize("config", CONFIGS, ids=repr)
def test_terms_are_unreduced_and_every_parameter_gets_a_gradient(config: ObjectiveConfig) -> None:
    model, batch = network(head_bias=True), batch_of()
    terms = build_objective(config)(model(batch.images_BCHW), model.head, batch)
    assert [term.shape for term in terms.values()] == [(4,)]
    reduce_terms(terms).backward()
    assert [name for name, parameter in model.named_parameters() if parameter.grad is None] == []


def test_cross_entropy_is_that_of_the_logits() -> None:
    model, batch = network(), batch_of()
    output = model(batch.images_BCHW)
    terms = build_objective(CrossEntropy())(output, model.head, batch)
    expected = functional.cross_entropy(output.logits, batch.labels_B, reduction="none")
    torch.testing.assert_close(terms, {"cross_entropy": expected})


@pytest.mark.parametrize("head_bias", [False, True])
def test_contrastive_reduces_the_background_to_the_grid_of_the_maps(head_bias: bool) -> None:
    model, batch = network(head_bias=head_bias), batch_of()
    output = model(batch.images_BCHW)
    terms = build_objective(Contrastive(background_weight=0.5))(output, model.head, batch)
    expected = contrastive_cross_entropy(
        output.features,
        model.head.weight,
        batch.labels_B,
        reduce_background(batch.background_BHW, (6, 6)),
        background_weight=0.5,
        bias_K=model.head.bias,
    )
    torch.testing.assert_close(terms, {"contrastive_cross_entropy": expected})


@pytest.mark.parametrize("head_bias", [False, True])
def test_without_masks_the_objectives_agree(head_bias: bool) -> None:
    model, batch = network(head_bias=head_bias), batch_of(background=torch.zeros(4, 48, 48))
    output = model(batch.images_BCHW)
    losses = [reduce_terms(build_objective(config)(output, model.head, batch)) for config in CONFIGS]
    torch.testing.assert_close(losses[1], losses[0], rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(losses[2], losses[0], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("config", CONFIGS, ids=repr)
def test_bf16_stays_finite_and_close(config: ObjectiveConfig) -> None:
    model, batch = network(), batch_of()
    expected = reduce_terms(build_objective(config)(model(batch.images_BCHW), model.head, batch))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = model(batch.images_BCHW)
    loss = reduce_terms(build_objective(config)(output, model.head, batch))
    loss.backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in model.parameters())
    torch.testing.assert_close(loss, expected, rtol=0.02, atol=0.02)


@pytest.mark.parametrize("config", CONFIGS, ids=repr)
def test_an_objective_can_be_sent_to_another_process(config: ObjectiveConfig) -> None:
    model, batch = network(), batch_of()
    output = model(batch.images_BCHW)
    objective = build_objective(config)
    torch.testing.assert_close(
        pickle.loads(pickle.dumps(objective))(output, model.head, batch), objective(output, model.head, batch)
    )


def test_reduce_terms_sums_the_means() -> None:
    terms = {"a": torch.tensor([1.0, 3.0]), "b": torch.tensor([10.0, 20.0])}
    assert reduce_terms(terms).item() == 17.0


def shortcut() -> Batch:
    """Two classes that differ in the object's first channel, and as clearly in the background's last."""
    labels = torch.tensor([0, 1]).repeat(8)
    background = torch.zeros(16, 8, 8)
    background[:, :, 3:] = 1
    images = torch.full((16, 3, 8, 8), 0.45)
    images[:, 0, :, :3] += 0.3 * (labels.float() * 2 - 1).view(-1, 1, 1)
    images[:, 2, :, 3:] += 0.3 * (labels.float() * 2 - 1).view(-1, 1, 1)
    return Batch(images, labels, background, torch.ones(16, dtype=torch.bool), tuple(map(str, range(16))))


def background_share_after_training(config: ObjectiveConfig) -> float:
    torch.manual_seed(0)
    model, batch, objective = (
        Classifier(nn.Conv2d(3, 4, 1), nn.Linear(4, 2, bias=False)),
        shortcut(),
        build_objective(config),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(150):
        optimizer.zero_grad()
        reduce_terms(objective(model(batch.images_BCHW), model.head, batch)).backward()
        optimizer.step()
    with torch.no_grad():
        output = model(batch.images_BCHW)
        maps_BKHW = contrastive_cams(hirescam(output.features, model.head.weight), batch.labels_B)
    assert torch.equal(output.logits.argmax(1), batch.labels_B)
    foreground_B, background_B = influence(maps_BKHW, batch.background_BHW)
    return float(background_B.sum() / (foreground_B + background_B).sum())


def test_the_contrastive_objective_gives_up_a_shortcut_that_cross_entropy_takes() -> None:
    assert background_share_after_training(CrossEntropy()) > 0.5
    assert background_share_after_training(Contrastive()) < 0.1
