from copy import deepcopy
from typing import get_args

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.trainables.evaluations.attribution.networks import make_images, red_against_green, small_network
from trainables.cams import hirescam
from trainables.config.suite import AttributionSuite, MapName
from trainables.evaluations.attribution.maps import MAPS, at_image_resolution, eigencam, of_class
from trainables.evaluations.plain_logits import PlainLogits, frozen
from trainables.models import Classifier

SETTINGS = AttributionSuite(integration_steps=16)
IMAGES = make_images(2)
TARGETS = torch.tensor([0, 1])


def explained(name: MapName, model: Classifier, images_BCHW: Tensor = IMAGES, targets_B: Tensor = TARGETS) -> Tensor:
    with frozen(model):
        return MAPS[name](model, images_BCHW, targets_B, SETTINGS)


def test_every_name_of_the_settings_has_a_map() -> None:
    assert tuple(MAPS) == get_args(MapName) == AttributionSuite().maps


@pytest.mark.parametrize("name", ["hirescam", "gradcam", "integrated_gradients"])
def test_maps_of_one_class_by_hand(name: MapName) -> None:
    """Of a network that is linear in its pixels all three are `W_c . x / N`, here nowhere negative."""
    expected = torch.stack([2 * IMAGES[0, 0], IMAGES[1, 1]]) / 64
    torch.testing.assert_close(explained(name, red_against_green()), expected)


def test_contrastive_by_hand() -> None:
    lead = (2 * IMAGES[:, 0] - IMAGES[:, 1]) / 64
    torch.testing.assert_close(explained("contrastive", red_against_green()), torch.stack([lead[0], -lead[1]]))


def test_contrastive_takes_the_rival_of_the_image_that_is_explained() -> None:
    model = small_network(num_classes=5)
    output = model(IMAGES)
    cams = hirescam(output.features, model.head.weight)
    for index in range(2):
        rival = next(k for k in output.logits[index].argsort(descending=True).tolist() if k != TARGETS[index])
        expected = cams[index, TARGETS[index]] - cams[index, rival]
        torch.testing.assert_close(explained("contrastive", model)[index], expected)


def test_class_reconstructed_by_hand() -> None:
    half = (2 * IMAGES[:, 0] - IMAGES[:, 1]) / 128
    torch.testing.assert_close(explained("class_reconstructed", red_against_green()), torch.stack([half[0], -half[1]]))


def test_eigencam_does_not_know_the_class() -> None:
    model = small_network()
    assert torch.equal(explained("eigencam", model), explained("eigencam", model, targets_B=1 - TARGETS))


def test_gradcam_is_a_direct_call_of_captum_and_what_is_positive_of_hirescam() -> None:
    from captum.attr import LayerGradCam

    model = small_network()
    direct = LayerGradCam(lambda images: model(images).logits, model.trunk)
    expected = direct.attribute(IMAGES, target=TARGETS, relu_attributions=True).squeeze(1)
    result = explained("gradcam", model)
    torch.testing.assert_close(result, expected)
    torch.testing.assert_close(result, explained("hirescam", model).clamp(min=0))
    assert 0 < (result == 0).sum() < result.numel()


def test_integrated_gradients_are_a_direct_call_of_captum() -> None:
    from captum.attr import IntegratedGradients

    model = small_network()
    direct = IntegratedGradients(lambda images: model(images).logits)
    expected = direct.attribute(IMAGES, baselines=0.0, target=TARGETS, n_steps=16).sum(1)
    torch.testing.assert_close(explained("integrated_gradients", model), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", MAPS)
def test_the_network_is_left_as_it_was(name: MapName) -> None:
    model = small_network()
    model.head.weight.requires_grad_(False)
    before = deepcopy(model.state_dict())
    images = IMAGES.clone()
    result = explained(name, model, images)
    assert not result.requires_grad
    assert torch.equal(images, IMAGES)
    assert not images.requires_grad
    assert [parameter.requires_grad for parameter in model.head.parameters()] == [False, True]
    assert all(parameter.requires_grad for parameter in model.trunk.parameters())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert not any(module.training for module in model.modules())
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


@pytest.mark.parametrize("name", MAPS)
def test_an_image_has_the_same_map_in_any_batch(name: MapName) -> None:
    model = small_network()
    together = explained(name, model)
    for index in range(2):
        alone = explained(name, model, IMAGES[index : index + 1], TARGETS[index : index + 1])
        torch.testing.assert_close(alone[0], together[index], rtol=1e-4, atol=1e-6)


def test_frozen_is_undone_after_an_error() -> None:
    model = small_network()
    before = torch.backends.cudnn.deterministic
    with frozen(model):
        assert not any(parameter.requires_grad for parameter in model.parameters())
    with pytest.raises(KeyError), frozen(model):
        raise KeyError
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert torch.backends.cudnn.deterministic == before


def test_a_network_in_training_is_not_explained() -> None:
    with pytest.raises(AssertionError, match="explained in eval mode"), frozen(small_network().train()):
        pass


def test_plain_logits_are_the_networks_own() -> None:
    model = small_network()
    assert torch.equal(PlainLogits(model)(IMAGES), model(IMAGES).logits)
    assert not any(module.training for module in PlainLogits(model).modules())


def test_interpolation_by_hand() -> None:
    """Centres of the cells lie at 0.5 and 2.5 of 4 pixels; what is beyond them is as at the centre."""
    result = at_image_resolution(torch.tensor([[[0.0, 4.0]]]), (1, 4))
    assert result.tolist() == [[[0.0, 1.0, 3.0, 4.0]]]


def test_a_map_of_the_images_size_stays_as_it_is() -> None:
    assert torch.equal(at_image_resolution(IMAGES[:, 0], (8, 8)), IMAGES[:, 0])


def test_eigencam_by_hand() -> None:
    """Both features are multiples of one pattern, so that `A = u (1, 2)^T` and `A v_1 = sqrt(5) u`."""
    pattern = torch.tensor([[3.0, 0.0], [1.0, 2.0]])
    features = torch.stack([pattern, 2 * pattern]).unsqueeze(0)
    torch.testing.assert_close(eigencam(features), 5**0.5 * pattern.unsqueeze(0))


@pytest.mark.parametrize("num_features", [2, 40])
def test_eigencam_agrees_with_numpy_but_for_the_sign(num_features: int) -> None:
    features = torch.randn(3, num_features, 4, 5, generator=torch.Generator().manual_seed(0))
    result = eigencam(features)
    for map_HW, features_FHW in zip(result, features, strict=True):
        cells = features_FHW.flatten(1).T.double().numpy()
        expected = torch.from_numpy(cells @ np.linalg.svd(cells)[2][0]).view(4, 5).float()
        sign = torch.sign((map_HW * expected).sum())
        torch.testing.assert_close(map_HW, sign * expected, rtol=1e-4, atol=1e-5)
        assert (map_HW * features_FHW.mean(0)).sum() > 0


def test_eigencam_of_features_that_are_nowhere_negative_is_nowhere_negative() -> None:
    features = torch.rand(20, 7, 3, 3, generator=torch.Generator().manual_seed(0))
    assert (eigencam(features) >= 0).all()
    assert (eigencam(-features) <= 0).all()


def test_eigencam_of_zeros_is_zero() -> None:
    assert torch.equal(eigencam(torch.zeros(2, 3, 4, 4)), torch.zeros(2, 4, 4))


def test_eigencam_of_an_image_does_not_depend_on_its_batch() -> None:
    features = torch.randn(3, 5, 4, 4, generator=torch.Generator().manual_seed(1))
    together = eigencam(features)
    for index in range(3):
        torch.testing.assert_close(eigencam(features[index : index + 1])[0], together[index])


def test_one_class_of_each_image_is_picked() -> None:
    maps = torch.arange(12.0).view(2, 3, 1, 2)
    assert of_class(maps, torch.tensor([2, 0])).tolist() == [[[4.0, 5.0]], [[6.0, 7.0]]]
