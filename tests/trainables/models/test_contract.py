"""The contract that every network keeps: logits are the sum of the features' HiResCAMs."""

import copy
from typing import Any

import pytest
import torch
from torch.nn.parallel import DistributedDataParallel

from tests.trainables.models.networks import (
    KINDS,
    NUM_CLASSES,
    REST_OF_A_PRODUCT,
    SMALLEST,
    all_edits,
    fresh_model,
    images_of,
)
from trainables.cams import hirescam
from trainables.models import Classifier, Output

NORMS_AND_ACTIVATIONS: list[dict[str, Any]] = [
    {"norm": "running", "activation": "relu"},
    {"norm": "group", "activation": "elu"},
    {"norm": "dynamic_tanh", "activation": "gelu"},
    {"norm": "batch"},
]


def check_identity(model: Classifier, images: torch.Tensor, *, side: int) -> Output:
    output = model(images)
    assert isinstance(output, Output)
    assert output.features.shape == (len(images), model.head.in_features, side, side)
    bias = torch.zeros(NUM_CLASSES) if model.head.bias is None else model.head.bias
    sums = hirescam(output.features, model.head.weight).sum((2, 3)) + bias
    torch.testing.assert_close(sums, output.logits, rtol=0, atol=1e-4)
    pooled = output.features.mean((2, 3)) @ model.head.weight.T + bias
    torch.testing.assert_close(pooled, output.logits, rtol=0, atol=1e-4)
    return output


@pytest.mark.parametrize("cam_stride", [32, 8, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_maps_of_every_stride_sum_to_the_logits(kind: str, cam_stride: int) -> None:
    model = fresh_model(kind, cam_stride=cam_stride)
    size = max(32, 2 * cam_stride)
    with torch.no_grad():
        for training in (False, True):
            check_identity(model.train(training), images_of(size), side=size // cam_stride)


@pytest.mark.parametrize("fields", NORMS_AND_ACTIVATIONS, ids=lambda fields: fields["norm"])
@pytest.mark.parametrize("kind", ["small_cnn", *SMALLEST])
def test_after_every_edit_maps_sum_to_the_logits_and_all_parameters_get_a_gradient(
    kind: str, fields: dict[str, Any]
) -> None:
    model = fresh_model(kind, **{**all_edits(kind), **fields})
    with torch.no_grad():
        check_identity(model.eval(), images_of(32), side=2)
    check_identity(model.train(), images_of(32), side=2).logits.logsumexp(1).sum().backward()
    assert [key for key, parameter in model.named_parameters() if parameter.grad is None] == []


@pytest.mark.parametrize("kind", ["small_cnn", *SMALLEST])
def test_hirescam_by_autograd_is_the_closed_form(kind: str) -> None:
    model = fresh_model(kind, cam_stride=8)
    output = model(images_of(48))
    cams_BKHW = hirescam(output.features, model.head.weight)
    assert cams_BKHW.shape[2:] == (6, 6)
    for label in range(NUM_CLASSES):
        (gradient_BFHW,) = torch.autograd.grad(output.logits[:, label].sum(), output.features, retain_graph=True)
        by_autograd_BHW = (gradient_BFHW * output.features).sum(1)
        torch.testing.assert_close(by_autograd_BHW, cams_BKHW[:, label], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", ["small_cnn", *SMALLEST])
def test_state_makes_a_round_trip_into_another_network(kind: str) -> None:
    trained, restored = (fresh_model(kind, **all_edits(kind), norm="running") for _ in range(2))
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter.add_(0.01)
    trained(images_of(32))
    restored.load_state_dict(trained.state_dict())
    torch.testing.assert_close(restored.eval()(images_of(32)), trained.eval()(images_of(32)), rtol=0, atol=0)


@pytest.mark.parametrize("kind", ["small_cnn", "resnet18"])
def test_a_deep_copy_shares_no_weights(kind: str) -> None:
    model = fresh_model(kind, **all_edits(kind)).eval()
    duplicate = copy.deepcopy(model)
    before = model(images_of(32)).logits
    with torch.no_grad():
        for parameter in duplicate.parameters():
            parameter.zero_()
    torch.testing.assert_close(model(images_of(32)).logits, before, rtol=0, atol=0)


@pytest.mark.parametrize("kind", ["small_cnn", *SMALLEST])
def test_channels_last_changes_nothing(kind: str) -> None:
    model = fresh_model(kind, cam_stride=8, norm="group").eval()
    expected = model(images_of(48))
    model = model.to(memory_format=torch.channels_last)
    output = model(images_of(48).contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(output, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        *(("resnet18", fields) for fields in NORMS_AND_ACTIVATIONS),
        *(
            pytest.param(kind, fields, marks=pytest.mark.slow if fields["norm"] == "running" else REST_OF_A_PRODUCT)
            for kind in ("small_cnn", *SMALLEST[1:])
            for fields in NORMS_AND_ACTIVATIONS
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else value["norm"],
)
def test_compiles_into_the_same_network(kind: str, fields: dict[str, Any]) -> None:
    torch.compiler.reset()
    model = fresh_model(kind, **{**all_edits(kind), **fields})
    model(images_of(48))
    model.eval()
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(images_of(48)), model(images_of(48)), rtol=1e-3, atol=1e-4)


@pytest.fixture
def one_worker(tmp_path: Any) -> Any:
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/place", rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


# The depthwise kernels of a ConvNeXt: torch says that it may be slower and that it is no error.
@pytest.mark.filterwarnings("ignore:Grad strides do not match bucket view strides")
@pytest.mark.usefixtures("one_worker")
@pytest.mark.parametrize("kind", ["small_cnn", *SMALLEST])
def test_data_parallel_training_finds_no_unused_parameter(kind: str) -> None:
    model = fresh_model(kind, **all_edits(kind), norm="running")
    network = DistributedDataParallel(model)
    for _ in range(2):  # The second step raises if the first left a parameter without a gradient.
        network(images_of(32)).logits.logsumexp(1).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
