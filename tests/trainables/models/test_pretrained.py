"""Pretrained weights, from files of torchvision's layout that hold random numbers."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import get_model, get_model_weights

from benchmarks.harness.on_meta import OnMeta
from tests.trainables.models.networks import images_of
from trainables.config import ConfigError, ExperimentConfig, Torchvision, config_hash, experiment_from_tree
from trainables.models import BuiltModel, build_model, check_model

HEADS = {
    "resnet18": "fc",
    "regnet_y_400mf": "fc",
    "convnext_tiny": "classifier.2",
    "efficientnet_v2_s": "classifier.1",
    "densenet121": "classifier",
}
ADDRESS = "https://download.pytorch.org/models/resnet18-f37072fd.pth"
Edit = Callable[[dict[str, Tensor]], object]


def experiment_of(model: Torchvision) -> ExperimentConfig:
    return ExperimentConfig.model_validate({"data": {"image_size": 64}, "model": model.model_dump()})


def original(kind: str) -> nn.Module:
    """Return torchvision's network with weights of its own, and statistics that no fresh network has."""
    torch.manual_seed(7)
    network = get_model(kind, weights=None)
    for name, buffer in network.named_buffers():
        if name.endswith("running_mean"):
            buffer.uniform_(-0.1, 0.1)
        if name.endswith("running_var"):
            buffer.uniform_(0.5, 1.5)
    return network.eval()


def write(path: Path, tensors: object) -> str:
    torch.save(tensors, path)
    return str(path)


@pytest.fixture(scope="module")
def resnet18_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write(tmp_path_factory.mktemp("weights") / "resnet18.pth", original("resnet18").state_dict())


def build(kind: str, file: str | None, **fields: Any) -> BuiltModel:
    torch.manual_seed(1)
    config = {"kind": kind, "weights": "DEFAULT", "weights_file": file, "head_bias": True, **fields}
    return build_model(Torchvision.model_validate(config), num_classes=1000)


@pytest.mark.parametrize("kind", HEADS)
def test_everything_but_the_head_is_loaded_and_computes_what_torchvision_computes(kind: str, tmp_path: Path) -> None:
    network = original(kind)
    built = build(kind, write(tmp_path / "weights.pth", network.state_dict()))
    assert built.pretrained is not None
    head = {f"{HEADS[kind]}.weight", f"{HEADS[kind]}.bias"}
    assert set(built.pretrained.not_loaded) == head
    assert set(built.pretrained.loaded) == network.state_dict().keys() - head
    assert built.pretrained.fresh == ()
    assert built.pretrained.name == str(get_model_weights(kind)["DEFAULT"])

    built.model.eval().head.load_state_dict(network.get_submodule(HEADS[kind]).state_dict())
    with torch.no_grad():
        output = built.model(images_of(64))
        normalised = (images_of(64) - built.model.mean) / built.model.std
        if kind == "convnext_tiny":  # Its layer norm moved, so the functions agree up to there only.
            features = network.get_submodule("classifier.0")(network.get_submodule("features")(normalised))
            torch.testing.assert_close(output.features, features, rtol=1e-4, atol=1e-4)
        else:
            torch.testing.assert_close(output.logits, network(normalised), rtol=1e-4, atol=1e-4)


def test_what_the_edits_leave_no_place_for_is_named(resnet18_file: str) -> None:
    built = build("resnet18", resnet18_file, norm="dynamic_tanh", final_norm=False, final_relu=False, cam_stride=8)
    pretrained = built.pretrained
    assert pretrained is not None
    norms = ["bn1"]
    for stage in range(1, 5):
        norms += [f"layer{stage}.{block}.bn{number}" for block in (0, 1) for number in (1, 2)]
        norms += [f"layer{stage}.0.downsample.1"] if stage > 1 else []
    norms.remove("layer4.1.bn2")
    statistics = {f"{norm}.{name}" for norm in norms for name in ("running_mean", "running_var", "num_batches_tracked")}
    last = {f"layer4.1.bn2.{name}" for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")}
    tensors = original("resnet18").state_dict()
    assert set(pretrained.not_loaded) == statistics | last | {"fc.weight", "fc.bias"}
    assert set(pretrained.loaded) == tensors.keys() - set(pretrained.not_loaded)
    assert set(pretrained.fresh) == {f"{norm}.alpha" for norm in norms}
    state = built.model.trunk.state_dict()
    assert all(torch.equal(state[name], tensors[name]) for name in pretrained.loaded)
    assert built.describe()["weights"]["loaded"] == pretrained.loaded


def test_norms_of_another_kind_take_nothing_from_a_convnexts_blocks(tmp_path: Path) -> None:
    file = write(tmp_path / "weights.pth", original("convnext_tiny").state_dict())
    pretrained = build("convnext_tiny", file, norm="group").pretrained
    assert pretrained is not None
    blocks = [f"features.{part}.{block}" for part, num in ((1, 3), (3, 3), (5, 9), (7, 3)) for block in range(num)]
    left_out = {f"{block}.block.2.{name}" for block in blocks for name in ("weight", "bias")}
    assert set(pretrained.not_loaded) == left_out | {"classifier.2.weight", "classifier.2.bias"}
    assert set(pretrained.fresh) == {name.replace(".block.2.", ".block.2.norm.") for name in left_out}


@pytest.mark.parametrize("norm", ["frozen", "running"])
def test_stored_statistics_are_those_of_the_file(norm: str, resnet18_file: str) -> None:
    plain, stored = (build("resnet18", resnet18_file, norm=kind).model for kind in ("own", norm))
    torch.testing.assert_close(stored.train().trunk(images_of(32)), plain.eval().trunk(images_of(32)))


@pytest.mark.parametrize("count", [None, 0, 5])
def test_statistics_of_a_file_are_not_taken_for_fresh(count: int | None, tmp_path: Path) -> None:
    tensors = {name: tensor for name, tensor in original("resnet18").state_dict().items() if "tracked" not in name}
    if count is not None:
        tensors |= {
            name.replace("running_mean", "num_batches_tracked"): torch.tensor(count)
            for name in tensors
            if name.endswith("running_mean")
        }
    built = build("resnet18", write(tmp_path / "weights.pth", tensors), norm="running")
    assert built.pretrained is not None
    assert built.pretrained.fresh == ()
    assert built.model.trunk.state_dict()["bn1.num_batches_tracked"] == max(1, count or 0)
    seen_BCHW = built.model.trunk.get_submodule("conv1")((images_of(32) - built.model.mean) / built.model.std)
    expected = 0.9 * tensors["bn1.running_mean"] + 0.1 * seen_BCHW.mean((0, 2, 3))
    built.model.train()(images_of(32))
    torch.testing.assert_close(built.model.trunk.state_dict()["bn1.running_mean"], expected)


def test_names_of_old_densenet_files_are_understood(tmp_path: Path) -> None:
    tensors = original("densenet121").state_dict()
    old = {re.sub(r"(denselayer\d+\.(?:norm|conv))([12])", r"\1.\2", name): tensors[name] for name in tensors}
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    pretrained = build("densenet121", write(tmp_path / "weights.pth", old)).pretrained
    assert pretrained is not None
    assert (pretrained.fresh, pretrained.not_loaded) == ((), ("classifier.weight", "classifier.bias"))


def test_a_head_of_other_classes_and_no_head_are_both_fine(tmp_path: Path, resnet18_file: str) -> None:
    tensors = torch.load(resnet18_file)
    tensors["fc.weight"] = torch.zeros(37, 512)
    del tensors["fc.bias"]
    pretrained = build("resnet18", write(tmp_path / "weights.pth", tensors)).pretrained
    assert pretrained is not None
    assert pretrained.not_loaded == ("fc.weight",)


def test_the_head_does_not_depend_on_the_file(resnet18_file: str) -> None:
    with_file = build("resnet18", resnet18_file).model.head.weight
    without = build("resnet18", None, weights=None).model.head.weight
    assert torch.equal(with_file, without)


def remove(*names: str) -> Edit:
    return lambda tensors: [tensors.pop(name) for name in names]


WRONG: dict[str, tuple[Edit, str]] = {
    "lacks some": (
        remove("layer1.0.conv1.weight", "layer1.0.conv2.weight", "bn1.weight", "bn1.bias"),
        "it lacks bn1.weight, bn1.bias, layer1.0.conv1.weight and 1 more",
    ),
    "has more": (
        lambda tensors: tensors.update({"layer4.2.conv1.weight": torch.zeros(1)}),
        "it has no use for layer4.2.conv1.weight",
    ),
    "other shape": (
        lambda tensors: tensors.update({"conv1.weight": torch.zeros(64, 3, 3, 3)}),
        "it has conv1.weight of shape (64, 3, 3, 3) instead of (64, 3, 7, 7)",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_file_of_another_network_is_refused(case: str, tmp_path: Path, resnet18_file: str) -> None:
    edit, problem = WRONG[case]
    tensors = torch.load(resnet18_file)
    edit(tensors)
    file = write(tmp_path / "weights.pth", tensors)
    with pytest.raises(ConfigError) as caught:
        build("resnet18", file)
    assert str(caught.value) == (f"{file} holds no ResNet18_Weights.IMAGENET1K_V1 of model.kind = resnet18: {problem}")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda tensor: tensor.fill_(torch.nan), r"holds values in conv1\.weight that are not finite"),
        (lambda tensor: tensor.long(), r"holds conv1\.weight as torch\.int64, not in floating point"),
        pytest.param(
            lambda tensor: tensor.to_sparse(),
            r"holds conv1\.weight as a sparse tensor",
            marks=pytest.mark.filterwarnings("ignore:Validating.*:UserWarning", "ignore:Sparse.*:UserWarning"),
        ),
        (lambda tensor: tensor.to("meta"), r"holds conv1\.weight without its values, on the meta device"),
    ],
)
def test_values_that_are_no_weights_are_refused(
    change: Callable[[Tensor], Tensor], problem: str, tmp_path: Path, resnet18_file: str
) -> None:
    tensors = torch.load(resnet18_file)
    tensors["conv1.weight"] = change(tensors["conv1.weight"])
    with pytest.raises(ConfigError, match=problem):
        build("resnet18", write(tmp_path / "weights.pth", tensors))


def test_a_negative_variance_is_refused(tmp_path: Path, resnet18_file: str) -> None:
    tensors = torch.load(resnet18_file)
    tensors["bn1.running_var"][3] = -1e-3
    with pytest.raises(ConfigError, match=r"holds negative variances in bn1\.running_var"):
        build("resnet18", write(tmp_path / "weights.pth", tensors))


def test_a_file_that_is_not_the_published_one_is_taken_and_told(
    resnet18_file: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = build("resnet18", resnet18_file).pretrained
    assert weights is not None
    assert not weights.is_original
    assert f"its SHA-256 begins with {weights.sha256[:8]}, and that of {ADDRESS} is in its name" in caplog.text
    caplog.clear()
    monkeypatch.setattr("trainables.models.pretrained.sha256_of", lambda path: ADDRESS[-12:-4] + "0" * 56)  # noqa: ARG005
    weights = build("resnet18", resnet18_file).pretrained
    assert weights is not None
    assert weights.is_original
    assert caplog.text == ""


def test_a_file_of_another_kind_is_refused(resnet18_file: str) -> None:
    with pytest.raises(ConfigError, match=r"of model\.kind = resnet34: it lacks layer1\.2\.conv1\.weight, "):
        build("resnet34", resnet18_file)


WANTED = f"; model.weights = IMAGENET1K_V1 wants a copy of {ADDRESS} there"


@pytest.mark.parametrize(
    ("content", "error"), [(b"", "EOFError"), (b"<!DOCTYPE html>", "UnpicklingError"), (b"PK\x03\x04", "RuntimeError")]
)
def test_a_file_that_is_not_torchs_is_refused(content: bytes, error: str, tmp_path: Path) -> None:
    file = tmp_path / "weights.pth"
    file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        build("resnet18", str(file))
    assert (
        str(caught.value)
        == f"model.weights_file = {file} is damaged or no file of tensors by torch.save ({error}){WANTED}"
    )


@pytest.mark.parametrize("content", [[torch.zeros(1)], {"state_dict": {}}, {1: torch.zeros(1)}], ids=repr)
def test_a_file_without_tensors_by_name_is_refused(content: object, tmp_path: Path) -> None:
    file = write(tmp_path / "weights.pth", content)
    with pytest.raises(ConfigError) as caught:
        build("resnet18", file)
    assert str(caught.value) == f"model.weights_file = {file} holds no tensors by name{WANTED}"


@pytest.mark.parametrize(("name", "reason"), [("absent.pth", "No such file or directory"), ("", "Is a directory")])
def test_a_file_that_is_not_there_is_named_with_its_address(name: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        build("resnet18", str(tmp_path / name))
    assert str(caught.value) == f"model.weights_file = {tmp_path / name} cannot be read: {reason}{WANTED}"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of torch.hub's on a machine that reaches no network."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # The port of the discard protocol, where nothing listens.
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "hub" / "checkpoints"


def test_the_file_in_torch_hubs_folder_is_found(hub: Path, resnet18_file: str) -> None:
    hub.mkdir(parents=True)
    (hub / "resnet18-f37072fd.pth").write_bytes(Path(resnet18_file).read_bytes())
    found, given = build("resnet18", None).pretrained, build("resnet18", resnet18_file).pretrained
    assert found == given
    assert found is not None
    check_model(experiment_of(Torchvision(kind="resnet18", weights="IMAGENET1K_V1")))


def test_without_network_the_error_says_what_belongs_where(hub: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        build("resnet18", None)
    message = str(caught.value)
    assert message.startswith(
        f"model.weights = IMAGENET1K_V1 needs the file resnet18-f37072fd.pth, which is not at "
        f"{hub}/resnet18-f37072fd.pth and could not be fetched from "
        "https://download.pytorch.org/models/resnet18-f37072fd.pth ("
    )
    assert message.endswith("); put the file there, or set model.weights_file to a copy of it")
    assert capsys.readouterr().out == ""


def test_a_checkpoint_needs_no_file(hub: Path) -> None:
    assert not hub.exists()
    config = Torchvision(kind="resnet18", weights="DEFAULT")
    assert build_model(config, num_classes=3, pretrained=False).pretrained is None
    with pytest.raises(ConfigError, match="could not be fetched"):
        check_model(experiment_of(config))


def test_networks_without_weights_pass_the_check() -> None:
    check_model(experiment_of(Torchvision(kind="resnet18")))


@pytest.mark.parametrize(("kind", "mean"), [("efficientnet_v2_l", [0.5] * 3), ("resnet18", [0.485, 0.456, 0.406])])
def test_images_are_normalised_as_those_of_the_weights(kind: str, mean: list[float]) -> None:
    config = Torchvision.model_validate({"kind": kind, "weights": "DEFAULT"})
    with OnMeta():
        model = build_model(config, num_classes=3, pretrained=False).model
    assert model.mean.flatten().tolist() == pytest.approx(mean)


def test_the_names_of_the_weights_identify_a_config_and_the_place_of_their_file_does_not() -> None:
    def hash_of(**fields: str) -> str:
        return config_hash(experiment_from_tree({"model": {"kind": "resnet50", "cam_stride": 8, **fields}}))

    first = hash_of(weights="IMAGENET1K_V1")
    assert hash_of(weights="IMAGENET1K_V1", weights_file="/a/b.pth") == first
    assert len({first, hash_of(weights="IMAGENET1K_V2"), hash_of()}) == 3
