"""Every architecture, norm and stride: maps sum to the logits when the network is new, and after one tiny batch."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torchvision.models import get_model

from tests.trainables.models.networks import (
    KINDS,
    NUM_CLASSES,
    REST_OF_A_PRODUCT,
    SMALLEST,
    all_edits,
    architecture_of,
    fresh,
    fresh_model,
    images_of,
)
from trainables.cams import hirescam
from trainables.config import AdamW
from trainables.models import Classifier
from trainables.models.torchvision_network import ARCHITECTURES
from trainables.training.optim import build_optimizer, build_schedule

FAMILIES_AND_BLOCKS = (*KINDS, "resnext50_32x4d")
"""Wide ResNets are bottlenecks of other widths: the test of every kind has them."""
STORING = [kind for kind in SMALLEST[1:] if architecture_of(kind) != "convnext"]
"""Those whose own norms store statistics, besides ResNet-18."""
NORMS = ("own", "batch", "running", "group", "dynamic_tanh")
TINY_BATCHES = {32: ((2, 32), (1, 64)), 16: ((2, 32), (1, 32)), 4: ((2, 32), (1, 16))}
"""Stride -> images and pixels of a side; two values a channel at stride 32, fewer than which have no variance."""


def with_norms(kinds: Sequence[str]) -> list[tuple[str, str]]:
    """Return each kind with each norm; the small network has none that are torchvision's own."""
    return [(kind, norm) for kind in kinds for norm in NORMS if (kind, norm) != ("small_cnn", "own")]


OTHERS = [kind for kind in FAMILIES_AND_BLOCKS if kind not in ("small_cnn", *SMALLEST)]


def marked(cases: list[tuple[str, str]], norm_of_all: str) -> list[Any]:
    """Return the cases: those of one norm are for `make test-all`, the others for `make networks`."""
    marks = {True: pytest.mark.slow, False: REST_OF_A_PRODUCT}
    return [pytest.param(kind, norm, marks=marks[norm == norm_of_all]) for kind, norm in cases]


def other_images(size: int) -> Tensor:
    return torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(7))


@torch.no_grad()
def gap(model: Classifier, images: Tensor) -> float:
    """Return the largest distance of a logit from the sum of its map; NaN where either is not finite."""
    output = model(images)
    sums = hirescam(output.features, model.head.weight).sum((2, 3))
    bias = torch.zeros(model.num_classes) if model.head.bias is None else model.head.bias
    largest: float = (sums + bias - output.logits).abs().max().item()
    return largest


def check_after_a_tiny_batch(model: Classifier, *, batch: int, size: int) -> None:
    assert gap(model.eval(), other_images(size)) < 1e-4, "new"
    assert gap(model.train(), images_of(size, batch=batch)) < 1e-4, "the tiny batch"
    assert gap(model.eval(), other_images(size)) < 1e-4, "other images after the tiny batch"


@pytest.mark.parametrize("norm", ["running", "dynamic_tanh"])
@pytest.mark.parametrize("kind", ["small_cnn", *SMALLEST])
def test_the_identity_holds_after_two_images_of_one_cell(kind: str, norm: str) -> None:
    check_after_a_tiny_batch(fresh_model(kind, cam_stride=32, norm=norm), batch=2, size=32)


@pytest.mark.parametrize(
    ("kind", "norm"),
    [
        *with_norms(["small_cnn", "resnet18"]),
        *((kind, "own") for kind in SMALLEST[1:]),
        *marked([(kind, norm) for kind in SMALLEST[1:] for norm in NORMS[1:]], "running"),
        *marked(with_norms(OTHERS), "own"),
    ],
)
def test_the_identity_holds_with_every_norm_stride_and_end(kind: str, norm: str) -> None:
    edited = {**all_edits(kind), "activation": "elu"}
    for fields in ({"cam_stride": 32}, {"cam_stride": 4}, edited):
        model = fresh_model(kind, **fields, norm=norm)
        copies = [copy.deepcopy(model), model]  # Faster than to draw the weights anew.
        for one, (batch, size) in zip(copies, TINY_BATCHES[fields["cam_stride"]], strict=True):
            check_after_a_tiny_batch(one, batch=batch, size=size)


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_the_identity_holds_in_every_kind(kind: str) -> None:
    check_after_a_tiny_batch(fresh_model(kind), batch=4, size=64)


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.parametrize("norm", ["batch", "running"])
@pytest.mark.parametrize("kind", ["resnet152", "wide_resnet101_2"])
def test_the_deepest_residual_networks_start_small(kind: str, norm: str) -> None:
    model = fresh_model(kind, **{**all_edits(kind), "norm": norm})
    check_after_a_tiny_batch(model, batch=4, size=64)


@pytest.mark.parametrize("kind", ["resnet18", *(pytest.param(kind, marks=pytest.mark.slow) for kind in STORING)])
def test_the_identity_holds_with_frozen_norms(kind: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = get_model(kind, weights=None).train()
    network(images_of(64, batch=4))
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    fields: dict[str, Any] = {"norm": "frozen", "weights": "DEFAULT", "weights_file": str(tmp_path / "weights.pth")}
    check_after_a_tiny_batch(fresh_model(kind, **fields), batch=2, size=32)


@pytest.mark.parametrize("kind", ["small_cnn", *(pytest.param(kind, marks=pytest.mark.slow) for kind in SMALLEST)])
def test_the_identity_holds_as_the_learning_rate_rises(kind: str) -> None:
    """With `running`, which no batch holds back, and maps of 2x2 cells, the smallest that an experiment may have."""
    model = fresh_model(kind, cam_stride=32, norm="running")
    optimizer = build_optimizer(AdamW(), model)
    schedule = build_schedule(AdamW(), optimizer, epochs=10, steps_per_epoch=5)
    images, labels = images_of(64, batch=8), torch.arange(8) % NUM_CLASSES
    for step in range(1, 7):
        loss = cross_entropy(model.train()(images).logits, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        assert gap(model.eval(), other_images(64)) < 1e-4, f"after step {step}"


@pytest.mark.parametrize("norm", ["batch", "running"])
@pytest.mark.parametrize("kind", ["small_cnn", "resnet18"])
def test_one_value_a_channel_is_refused(kind: str, norm: str) -> None:
    with pytest.raises(
        ValueError, match=r"(?s)more than 1 value per channel|norm = running .* found one value a channel"
    ):
        fresh_model(kind, cam_stride=32, norm=norm).train()(images_of(32, batch=1))


@pytest.mark.parametrize(
    ("kind", "norm"),
    [
        *with_norms(["small_cnn", "resnet18"]),
        *marked(with_norms(SMALLEST[1:]), "own"),
    ],
)
def test_what_a_tiny_batch_left_makes_a_round_trip(kind: str, norm: str) -> None:
    fields = {**all_edits(kind), "norm": norm}
    trained, restored = fresh_model(kind, **fields), fresh(kind, **fields).model
    with torch.no_grad():
        trained.train()(images_of(32))
        for parameter in restored.parameters():
            parameter.zero_()
    restored.load_state_dict(trained.state_dict())
    torch.testing.assert_close(restored.eval()(images_of(48)), trained.eval()(images_of(48)), rtol=0, atol=0)
