"""The classifier itself, whatever its trunk."""

import torch
from torch import nn

from tests.trainables.models.networks import fresh_model, images_of
from trainables.cams import hirescam
from trainables.models import Classifier


def test_normalises_by_the_statistics_of_imagenet() -> None:
    model = Classifier(nn.Identity(), nn.Linear(3, 2))
    grey = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    one_deviation = grey + torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    torch.testing.assert_close(model(grey).features, torch.zeros(1, 3, 4, 4))
    torch.testing.assert_close(model(one_deviation).features, torch.ones(1, 3, 4, 4))


def test_normalises_by_statistics_of_its_own() -> None:
    model = Classifier(nn.Identity(), nn.Linear(3, 2), mean=(0.5, 0.5, 0.0), std=(0.5, 0.25, 1.0))
    colours = model(torch.ones(1, 3, 1, 1)).features.flatten().tolist()
    assert colours == [1, 2, 1]


def test_logits_are_the_head_on_mean_features() -> None:
    model = Classifier(nn.Identity(), nn.Linear(3, 2))
    output = model(images_of(6))
    expected = output.features.mean((2, 3)) @ model.head.weight.T + model.head.bias
    torch.testing.assert_close(output.logits, expected)


def test_features_that_were_changed_can_be_classified() -> None:
    model = Classifier(nn.Identity(), nn.Linear(3, 2))
    output = model(images_of(6))
    assert torch.equal(model.classify(output.features), output.logits)
    without_first = output.features * torch.tensor([0.0, 1.0, 1.0]).view(1, 3, 1, 1)
    expected = output.features.mean((2, 3))[:, 1:] @ model.head.weight[:, 1:].T + model.head.bias
    torch.testing.assert_close(model.classify(without_first), expected)


def test_under_autocast_the_logits_stay_in_float32_and_faithful() -> None:
    model = fresh_model("small_cnn")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = model(images_of(48))
    assert output.features.dtype == torch.bfloat16
    assert output.logits.dtype == torch.float32
    sums = hirescam(output.features, model.head.weight).sum((2, 3))
    torch.testing.assert_close(sums, output.logits, rtol=0, atol=1e-4)
