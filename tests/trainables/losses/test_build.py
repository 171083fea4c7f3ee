"""Objectives on a network's output and a batch."""

import pickle
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from trainables.cams import contrastive_cams, hirescam, influence, reduce_background
from trainables.config import (
    BinaryContrastive,
    BinaryCrossEntropy,
    Contrastive,
    CrossEntropy,
    Divergence,
    Guidance,
    ObjectiveConfig,
    SlicedWasserstein,
    SmallCnn,
)
from trainables.data import Batch
from trainables.losses import (
    binary_contrastive,
    build_objective,
    contrastive_cross_entropy,
    guidance,
    mask_divergence,
    reduce_terms,
    sliced_wasserstein,
    weighted,
)
from trainables.models import Classifier, build_model

SOFTMAX: list[ObjectiveConfig] = [CrossEntropy(), Contrastive(), Contrastive(background_weight=0.0)]
BINARY: list[ObjectiveConfig] = [
    BinaryCrossEntropy(),
    BinaryContrastive(),
    BinaryContrastive(background_weight=0.0),
]
DIVERGENCES = {"map": Divergence(weight=2.0), "foreground": Divergence(weight=3.0, where="foreground", mask_scale=50.0)}
WASSERSTEIN = SlicedWasserstein(weight=5.0, num_directions=8, target_probability=0.9)
WITH_PARTS: list[ObjectiveConfig] = [
    CrossEntropy(divergence=DIVERGENCES["map"]),
    Contrastive(divergence=DIVERGENCES["foreground"], sliced_wasserstein=WASSERSTEIN),
    BinaryContrastive(sliced_wasserstein=WASSERSTEIN),
    BinaryCrossEntropy(divergence=DIVERGENCES["map"]),
    CrossEntropy(guidance=Guidance(weight=2.0)),
    Contrastive(guidance=Guidance(weight=2.0, loss="l1"), divergence=DIVERGENCES["map"]),
    BinaryContrastive(guidance=Guidance(weight=0.02, loss="ppce")),
    BinaryCrossEntropy(guidance=Guidance(weight=0.5, loss="squares")),
]
CONFIGS = SOFTMAX + BINARY + WITH_PARTS


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
    assert {term.shape for term in terms.values()} == {(4,)}
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
def test_binary_contrastive_holds_the_label_against_all_other_classes(head_bias: bool) -> None:
    model, batch = network(head_bias=head_bias), batch_of()
    output = model(batch.images_BCHW)
    terms = build_objective(BinaryContrastive(background_weight=0.5))(output, model.head, batch)
    expected = binary_contrastive(
        output.features,
        model.head.weight,
        torch.tensor([[1, 0, 0], [0, 0, 1], [0, 1, 0], [0, 0, 1]]),
        reduce_background(batch.background_BHW, (6, 6)),
        background_weight=0.5,
        bias_K=model.head.bias,
    )
    torch.testing.assert_close(terms, {"binary_contrastive": expected})


@pytest.mark.parametrize("head_bias", [False, True])
def test_without_masks_the_objectives_agree(head_bias: bool) -> None:
    model, batch = network(head_bias=head_bias), batch_of(background=torch.zeros(4, 48, 48))
    output = model(batch.images_BCHW)
    labels_BK = functional.one_hot(batch.labels_B, 3).float()
    binary = functional.binary_cross_entropy_with_logits(output.logits, labels_BK, reduction="none").sum(1).mean()
    softmax = functional.cross_entropy(output.logits, batch.labels_B)
    for configs, expected in ((SOFTMAX, softmax), (BINARY, binary)):
        for config in configs:
            loss = reduce_terms(build_objective(config)(output, model.head, batch))
            torch.testing.assert_close(loss, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("plain", [CrossEntropy(), Contrastive(), BinaryContrastive()], ids=repr)
@pytest.mark.parametrize("where", DIVERGENCES)
def test_parts_are_added_weighted_to_any_classification_term(plain: ObjectiveConfig, where: str) -> None:
    model, batch = network(), batch_of()
    output = model(batch.images_BCHW)
    divergence = DIVERGENCES[where]
    config = plain.model_copy(update={"divergence": divergence, "sliced_wasserstein": WASSERSTEIN})
    torch.manual_seed(0)
    terms = build_objective(config)(output, model.head, batch)
    maps = contrastive_cams(hirescam(output.features, model.head.weight), batch.labels_B)
    background = reduce_background(batch.background_BHW, (6, 6))
    scales = {"mask_scale": divergence.mask_scale, "map_scale": divergence.map_scale}
    expected = build_objective(plain)(output, model.head, batch)
    expected["divergence"] = divergence.weight * mask_divergence(
        maps, batch.labels_B, background, where=divergence.where, **scales
    )
    torch.manual_seed(0)
    expected["sliced_wasserstein"] = 5 * sliced_wasserstein(
        maps, batch.labels_B, background, num_directions=8, target_probability=0.9
    )
    torch.testing.assert_close(terms, expected)
    assert [*terms][1:] == ["divergence", "sliced_wasserstein"]


def test_guidance_is_on_hirescams_next_to_terms_on_contrastive_cams() -> None:
    model, batch = network(), batch_of()
    output = model(batch.images_BCHW)
    config = CrossEntropy(divergence=DIVERGENCES["map"], guidance=Guidance(weight=3.0, loss="l1"))
    terms = build_objective(config)(output, model.head, batch)
    background = reduce_background(batch.background_BHW, (6, 6))
    cams = hirescam(output.features, model.head.weight)
    torch.testing.assert_close(terms["guidance"], 3 * guidance(cams, batch.labels_B, background, loss="l1"))
    contrastive = contrastive_cams(cams, batch.labels_B)
    torch.testing.assert_close(terms["divergence"], 2 * mask_divergence(contrastive, batch.labels_B, background))


def test_map_terms_leave_samples_without_a_mask_out() -> None:
    model = network()
    background = batch_of().background_BHW
    background[1:3] = 0
    batch = replace(batch_of(background=background), has_mask_B=torch.tensor([True, False, True, True]))
    output = model(batch.images_BCHW)
    features = output.features.detach().requires_grad_()
    config = CrossEntropy(
        divergence=DIVERGENCES["map"], sliced_wasserstein=WASSERSTEIN, guidance=Guidance(weight=1.0, loss="l1")
    )
    terms = build_objective(config)(output._replace(features=features), model.head, batch)
    for name in ("divergence", "sliced_wasserstein", "guidance"):
        assert (terms[name] == 0).tolist() == [False, True, False, False]
    (terms["divergence"] + terms["sliced_wasserstein"] + terms["guidance"]).sum().backward()
    assert features.grad is not None
    assert features.grad.flatten(1).any(1).tolist() == [True, False, True, True]


@pytest.mark.parametrize("config", CONFIGS, ids=repr)
def test_bf16_stays_finite_and_close(config: ObjectiveConfig) -> None:
    model, batch = network(), batch_of()
    torch.manual_seed(0)
    expected = reduce_terms(build_objective(config)(model(batch.images_BCHW), model.head, batch))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = model(batch.images_BCHW)
    torch.manual_seed(0)
    loss = reduce_terms(build_objective(config)(output, model.head, batch))
    loss.backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in model.parameters())
    torch.testing.assert_close(loss, expected, rtol=0.02, atol=0.02)


@pytest.mark.parametrize("config", CONFIGS, ids=repr)
def test_an_objective_can_be_sent_to_another_process(config: ObjectiveConfig) -> None:
    model, batch = network(), batch_of()
    output = model(batch.images_BCHW)
    objective = build_objective(config)
    terms = []
    for each in (objective, pickle.loads(pickle.dumps(objective))):
        torch.manual_seed(0)
        terms.append(each(output, model.head, batch))
    torch.testing.assert_close(terms[1], terms[0])


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


def maps_after_training(config: ObjectiveConfig) -> Tensor:
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
        assert torch.equal(output.logits.argmax(1), batch.labels_B)
        return contrastive_cams(hirescam(output.features, model.head.weight), batch.labels_B)


def background_share(maps_BKHW: Tensor) -> float:
    foreground_B, background_B = influence(maps_BKHW, shortcut().background_BHW)
    return float(background_B.sum() / (foreground_B + background_B).sum())


def test_cross_entropy_takes_a_shortcut() -> None:
    assert background_share(maps_after_training(CrossEntropy())) > 0.5


@pytest.mark.parametrize(
    "config",
    [
        Contrastive(),
        BinaryContrastive(),
        Contrastive(sliced_wasserstein=SlicedWasserstein(weight=10.0)),
        CrossEntropy(sliced_wasserstein=SlicedWasserstein(weight=100.0)),
    ],
    ids=repr,
)
def test_an_objective_with_masks_gives_up_the_shortcut(config: ObjectiveConfig) -> None:
    assert background_share(maps_after_training(config)) < 0.1


def test_the_divergence_leaves_the_background_nothing_that_speaks_for_the_class() -> None:
    """It compares cells, so that a background that speaks against the class suits it as well as one that is silent."""
    config = CrossEntropy(divergence=Divergence(weight=1.0))
    plain, pulled = (maps_after_training(each).clamp(min=0) for each in (CrossEntropy(), config))
    assert background_share(plain) > 0.5
    assert background_share(pulled) < 0.05


SMOOTHED = {"cross_entropy": CrossEntropy, "contrastive": Contrastive}


@pytest.mark.parametrize("config", SMOOTHED.values(), ids=SMOOTHED)
def test_smoothing_without_masks_is_torchs(config: type[CrossEntropy | Contrastive]) -> None:
    model, batch = network(head_bias=True), batch_of(background=torch.zeros(4, 48, 48))
    output = model(batch.images_BCHW)
    (found,) = build_objective(config(label_smoothing=0.3))(output, model.head, batch).values()
    expected = functional.cross_entropy(output.logits, batch.labels_B, reduction="none", label_smoothing=0.3)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("kind", [BinaryCrossEntropy, BinaryContrastive])
def test_binary_targets_move_towards_a_half(kind: type[BinaryCrossEntropy | BinaryContrastive]) -> None:
    model, batch = network(head_bias=True), batch_of(background=torch.zeros(4, 48, 48))
    output = model(batch.images_BCHW)
    (found,) = build_objective(kind(label_smoothing=0.2))(output, model.head, batch).values()
    targets_BK = torch.tensor([[0.9, 0.1, 0.1], [0.1, 0.1, 0.9], [0.1, 0.9, 0.1], [0.1, 0.1, 0.9]])
    expected = functional.binary_cross_entropy_with_logits(output.logits, targets_BK, reduction="none").sum(1)
    torch.testing.assert_close(found, expected)


def test_weights_count_in_every_term_of_an_image() -> None:
    batch = replace(batch_of(), weights_B=torch.tensor([0.0, 1.0, 2.5, 0.5]))
    terms = {"one": torch.tensor([1.0, 2.0, 3.0, 4.0]), "other": torch.tensor([4.0, 4.0, 4.0, 4.0])}
    found = weighted(terms, batch)
    assert {name: term_B.tolist() for name, term_B in found.items()} == {
        "one": [0, 2, 7.5, 2],
        "other": [0, 4, 10, 2],
    }
    assert weighted(terms, batch_of()) is terms
