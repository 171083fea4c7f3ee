"""Each classifier as a network: what it is fitted on, that its maps are exact, and that it survives its state dict."""

from collections.abc import Iterable

import pytest
import torch
from torch import Tensor, nn

from trainables.cams import hirescam
from trainables.classifiers import embed_images, fit_classifier, restore_classifier
from trainables.config import (
    CrossEntropy,
    EmbeddingClassifier,
    LinearProbe,
    NearestCentroid,
    NearestNeighbours,
    SmallCnn,
    SpuriousDigits,
)
from trainables.data import Batch, ImageError, build_data, evaluation_batches
from trainables.models import Classifier, build_model

CONFIGS: dict[str, EmbeddingClassifier] = {
    "linear_probe": LinearProbe(),
    "nearest_centroid": NearestCentroid(),
    "nearest_neighbours": NearestNeighbours(num_neighbours=7),
}
DATA = build_data(SpuriousDigits(num_train=60, num_test=20, image_size=32))
CPU = torch.device("cpu")


def network(*, head_bias: bool = False, seed: int = 0) -> Classifier:
    torch.manual_seed(seed)
    return build_model(SmallCnn(width=8, head_bias=head_bias), num_classes=10).model.eval()


def reference_batches(batch_size: int = 16) -> Iterable[Batch]:
    return evaluation_batches(DATA.train_unaugmented, batch_size=batch_size)


def fitted(name: str, model: Classifier) -> Classifier:
    found = embed_images(model, reference_batches(), device=CPU)
    return fit_classifier(CONFIGS[name], model, found.embeddings_NF, found.labels_N).model


def make_images() -> Batch:
    (batch,) = evaluation_batches(DATA.val, batch_size=20)
    return batch


@pytest.mark.parametrize("head_bias", [False, True])
@pytest.mark.parametrize("name", CONFIGS)
def test_the_maps_sum_to_the_logits(name: str, head_bias: bool) -> None:
    model = fitted(name, network(head_bias=head_bias))
    with torch.no_grad():
        output = model(make_images().images_BCHW)
        sums = hirescam(output.features, model.head.weight).sum((2, 3))
    bias = 0 if model.head.bias is None else model.head.bias
    assert (output.logits - sums - bias).abs().max() < 1e-5
    assert output.logits.shape == (20, 10)
    assert output.features.shape[2:] == (4, 4)
    assert (model.head.bias is not None) == (name == "nearest_centroid" or (name == "linear_probe" and head_bias))
    assert not model.training


@pytest.mark.parametrize("name", CONFIGS)
def test_the_head_takes_no_gradient_and_the_images_do(name: str) -> None:
    model = fitted(name, network())
    images = make_images().images_BCHW.requires_grad_()
    model(images).logits.sum().backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in model.head.parameters())


@pytest.mark.parametrize("name", ["linear_probe", "nearest_centroid"])
def test_it_is_evaluated_on_the_features_that_it_was_fitted_to(name: str) -> None:
    model = network()
    _, embeddings, labels, _ = embed_images(model, reference_batches(), device=CPU)
    found = fit_classifier(CONFIGS[name], model, embeddings, labels)
    with torch.no_grad():
        hits = [found.model(batch.images_BCHW).logits.argmax(1) == batch.labels_B for batch in reference_batches()]
    assert torch.cat(hits).double().mean().item() == found.metrics["classifier/fit_accuracy"] > 0.3
    assert ("classifier/gradient" in found.metrics) == (name == "linear_probe")


def test_embeddings_have_length_1_and_follow_the_ids() -> None:
    model = network()
    _, embeddings, labels, places = embed_images(model, reference_batches(), device=CPU)
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(60))
    shares = [evaluation_batches(DATA.train_unaugmented, batch_size=7, rank=rank, world_size=2) for rank in range(2)]
    parts: list[list[object]] = []
    for share in shares:
        embed_images(model, share, device=CPU, gather=lambda part: parts.append(part) or [part])  # type: ignore[func-returns-value,list-item]
    _, joined, labels_of_both, places_of_both = embed_images(model, [], device=CPU, gather=lambda _: parts)  # type: ignore[arg-type,return-value]
    torch.testing.assert_close(joined, embeddings)
    assert torch.equal(labels_of_both, labels)
    assert places_of_both.tolist() == places.tolist() == list(range(60))


def test_embeddings_are_pooled_features_where_no_length_is_wanted() -> None:
    model = network()
    found = embed_images(model, reference_batches(), device=CPU, unit_length=False)
    with torch.no_grad():
        expected = torch.cat([model(batch.images_BCHW).features.mean((2, 3)) for batch in reference_batches()])
    torch.testing.assert_close(found.embeddings_NF, expected)


def test_the_network_s_mode_is_left_as_it_was() -> None:
    model = network().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    embed_images(model, reference_batches(), device=CPU)
    assert model.training
    torch.testing.assert_close(model.state_dict(), before, rtol=0, atol=0)


def test_no_image_and_no_number_are_refused() -> None:
    with pytest.raises(ImageError, match="not one image could be read"):
        embed_images(network(), [], device=CPU)
    model = network()
    with torch.no_grad():
        next(iter(model.trunk.parameters())).fill_(torch.nan)
    with pytest.raises(FloatingPointError, match="the features of the images to fit to are not all finite"):
        embed_images(model, reference_batches(), device=CPU)


@pytest.mark.parametrize("name", CONFIGS)
def test_config_and_state_make_the_classifier_again(name: str) -> None:
    model = fitted(name, network())
    state = {key: value.clone() for key, value in model.state_dict().items()}
    restored = restore_classifier(CONFIGS[name], network(seed=1), state)
    with torch.no_grad():
        found, expected = (each(make_images().images_BCHW) for each in (restored, model))
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


@pytest.mark.parametrize("name", CONFIGS)
def test_it_normalises_images_as_the_network_does(name: str) -> None:
    model = network()
    model.mean, model.std = torch.full((1, 3, 1, 1), 0.5), torch.full((1, 3, 1, 1), 0.25)
    changed = fitted(name, model)
    seen: list[Tensor] = []
    changed.trunk.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    images = make_images().images_BCHW
    changed(images)
    torch.testing.assert_close(seen[0], (images - 0.5) / 0.25)


def test_another_section_is_refused() -> None:
    with pytest.raises(ValueError, match="valid kinds: linear_probe, nearest_centroid, nearest_neighbours"):
        fit_classifier(CrossEntropy(), network(), torch.eye(2), torch.tensor([0, 1]))  # type: ignore[arg-type]


def test_a_class_of_which_there_is_no_neighbour_scores_nothing() -> None:
    model = Classifier(nn.Identity(), nn.Linear(3, 4, bias=False))
    found = fit_classifier(NearestNeighbours(num_neighbours=1), model, torch.eye(3), torch.tensor([2, 0, 2]))
    model.mean.zero_()
    model.std.fill_(1)
    with torch.no_grad():
        logits = found.model(torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1)).logits
    torch.testing.assert_close(logits, torch.tensor([[0.0, 0.0, 1 / 0.07, 0.0]]))
