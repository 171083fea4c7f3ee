"""The binary objectives on images that show several classes, each with a mask of its own."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from trainables.cams import hirescam
from trainables.config import BinaryContrastive, BinaryCrossEntropy
from trainables.data import Batch
from trainables.data.masks.mask_format import batch_of_classes
from trainables.losses import build_objective, reduce_terms
from trainables.models import Classifier, Output

CLASSES = 3
VOID = 255


def random_batch(*, size: int = 12, seed: int = 0) -> Batch:
    """Return images with blocks of classes, background and void; the last shows no object."""
    generator = torch.Generator().manual_seed(seed)
    blocks = torch.tensor([0, 1, 2, 3, VOID], dtype=torch.uint8)[torch.randint(5, (4, 4, 4), generator=generator)]
    blocks[0, 0, 0], blocks[3] = 1, torch.where(blocks[3] == VOID, VOID, 0)
    return batch_of_classes(
        torch.rand(4, 3, size, size, generator=generator),
        blocks.repeat_interleave(size // 4, 1).repeat_interleave(size // 4, 2),
        torch.tensor([0, 1, 2, 0]),
        ("a", "b", "c", "d"),
        num_classes=CLASSES,
    ).in_float32()


def random_output(*, grid: int, seed: int = 1) -> tuple[Output, nn.Linear]:
    """Return features, and logits of them, in float64."""
    generator = torch.Generator().manual_seed(seed)
    head = nn.Linear(5, CLASSES, dtype=torch.float64)
    with torch.no_grad():
        head.weight.copy_(torch.randn(head.weight.shape, generator=generator))
        head.bias.copy_(torch.randn(head.bias.shape, generator=generator))
    features = 3 * torch.randn(4, 5, grid, grid, generator=generator, dtype=torch.float64)
    return Output(head(features.mean((2, 3))), features), head


def log_sigmoid(value: float) -> float:
    return min(0.0, value) - math.log1p(math.exp(-abs(value)))


def loop(output: Output, head: nn.Linear, classes_BHW: Tensor, background_weight: float) -> list[float]:
    """Work the loss out pixel by pixel, on a grid whose cells have whole pixels."""
    cams = hirescam(output.features, head.weight).tolist()
    grid, size = output.features.shape[-1], classes_BHW.shape[-1]
    side = size // grid
    biases, losses = head.bias.tolist(), []
    for values, of_image in zip(classes_BHW.tolist(), cams, strict=True):
        there = {value - 1 for row in values for value in row} & set(range(CLASSES))
        loss = 0.0
        for k, cam in enumerate(of_image):
            inside = outside = everywhere = 0.0
            for i in range(grid):
                for j in range(grid):
                    pixels = [values[i * side + y][j * side + x] for y in range(side) for x in range(side)]
                    background = sum(value not in (k + 1, VOID) for value in pixels) / len(pixels)
                    inside += (1 - background) * cam[i][j]
                    outside += abs(background * cam[i][j])
                    everywhere += cam[i][j]
            ablated = inside - background_weight * outside + biases[k]
            loss -= log_sigmoid(ablated) if k in there else log_sigmoid(-everywhere - biases[k])
        losses.append(loss)
    return losses


@pytest.mark.parametrize("grid", [12, 6, 4, 3, 1])
@pytest.mark.parametrize("background_weight", [0.0, 0.4, 1.0])
def test_equals_a_loop_over_every_class_cell_and_pixel(grid: int, background_weight: float) -> None:
    batch, (output, head) = random_batch(), random_output(grid=grid)
    assert batch.classes_BHW is not None
    terms = build_objective(BinaryContrastive(background_weight=background_weight))(output, head, batch)
    expected = torch.tensor(loop(output, head, batch.classes_BHW, background_weight), dtype=torch.float64)
    torch.testing.assert_close(terms, {"binary_contrastive": expected}, rtol=1e-6, atol=1e-6)


def two_cells() -> tuple[Batch, Output, nn.Linear]:
    """A cat in the left half and a dog in the right one: H_0 is 1 and -3, H_1 is -2 and 1, H_2 is 0 and 4."""
    classes = torch.tensor([[[1, 2]]], dtype=torch.uint8)
    batch = batch_of_classes(torch.zeros(1, 3, 1, 2), classes, torch.tensor([0]), ("a",), num_classes=3).in_float32()
    features = torch.tensor([[[[2.0, 0.0]], [[0.0, 2.0]]]])
    head = nn.Linear(2, 3, bias=False)
    with torch.no_grad():
        head.weight.copy_(torch.tensor([[1.0, -3.0], [-2.0, 1.0], [0.0, 4.0]]))
    return batch, Output(head(features.mean((2, 3))), features), head


def test_by_hand_each_class_has_the_other_s_object_for_background() -> None:
    batch, output, head = two_cells()
    assert output.logits.tolist() == [[-2.0, -1.0, 4.0]]
    absent = math.log1p(math.exp(4))
    for weight, ablated in [(1.0, (1 - 3, 1 - 2)), (0.5, (1 - 1.5, 1 - 1)), (0.0, (1, 1))]:
        expected = sum(math.log1p(math.exp(-value)) for value in ablated) + absent
        terms = build_objective(BinaryContrastive(background_weight=weight))(output, head, batch)
        assert terms["binary_contrastive"].item() == pytest.approx(expected)
    plain = math.log1p(math.exp(2)) + math.log1p(math.exp(1)) + absent
    terms = build_objective(BinaryCrossEntropy())(output, head, batch)
    assert terms["binary_cross_entropy"].item() == pytest.approx(plain)


def test_void_takes_no_penalty() -> None:
    batch, output, head = two_cells()
    assert batch.classes_BHW is not None
    void = batch_of_classes(
        batch.images_BCHW, torch.tensor([[[1, VOID]]], dtype=torch.uint8), torch.tensor([0]), ("a",), num_classes=3
    ).in_float32()
    found = build_objective(BinaryContrastive())(output, head, void)["binary_contrastive"]
    plain = build_objective(BinaryCrossEntropy())(output, head, void)["binary_cross_entropy"]
    torch.testing.assert_close(found, plain)


def test_a_crop_without_an_object_says_that_no_class_is_there() -> None:
    batch, (output, head) = random_batch(), random_output(grid=3)
    expected = -torch.nn.functional.logsigmoid(-output.logits[3]).sum()
    for config in (BinaryContrastive(), BinaryCrossEntropy()):
        (term,) = build_objective(config)(output, head, batch).values()
        torch.testing.assert_close(term[3], expected)


def test_one_label_is_one_hot() -> None:
    batch, (output, head) = random_batch(), random_output(grid=3)
    single = replace(batch, targets_BK=None, classes_BHW=None)
    one_hot = torch.zeros(4, CLASSES, dtype=torch.float64)
    one_hot[torch.arange(4), single.labels_B] = 1
    terms = build_objective(BinaryCrossEntropy())(output, head, single)
    loss = -(one_hot * output.logits.sigmoid().log() + (1 - one_hot) * (1 - output.logits.sigmoid()).log()).sum(1)
    torch.testing.assert_close(terms, {"binary_cross_entropy": loss})


def test_an_objective_leaves_the_batch_as_it_is() -> None:
    batch, (output, head) = random_batch(), random_output(grid=3)
    assert batch.targets_BK is not None
    assert batch.classes_BHW is not None
    before = batch.targets_BK.clone(), batch.classes_BHW.clone()
    build_objective(BinaryContrastive())(output, head, batch)
    assert torch.equal(batch.targets_BK, before[0])
    assert torch.equal(batch.classes_BHW, before[1])


def shortcut() -> Batch:
    """Class 0 always comes with class 1 in its right neighbour's place, or neither does; each has a channel of its own.

    So each can be learnt from the other's object as well as from its own.
    """
    there, ids = torch.tensor([0, 1]).repeat(8), tuple(map(str, range(16)))
    classes = torch.zeros(16, 8, 8, dtype=torch.uint8)
    classes[there == 1, :, :3], classes[there == 1, :, 5:] = 1, 2
    classes[there == 0, :, 3:5] = 3
    images = torch.full((16, 3, 8, 8), 0.3)
    for k in range(CLASSES):
        images[:, k] += 0.4 * (classes == k + 1)
    return batch_of_classes(images, classes, torch.zeros(16, dtype=torch.int64), ids, num_classes=3).in_float32()


def share_outside(config: BinaryContrastive | BinaryCrossEntropy) -> float:
    """Train a network and return the share of the positive maps of classes 0 and 1 that lies off their own objects."""
    torch.manual_seed(0)
    model, batch = Classifier(nn.Conv2d(3, 6, 1), nn.Linear(6, CLASSES, bias=False)), shortcut()
    objective, optimizer = build_objective(config), torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(200):
        optimizer.zero_grad()
        reduce_terms(objective(model(batch.images_BCHW), model.head, batch)).backward()
        optimizer.step()
    with torch.no_grad():
        output = model(batch.images_BCHW)
        assert batch.targets_BK is not None
        assert batch.classes_BHW is not None
        assert torch.equal(output.logits > 0, batch.targets_BK > 0)
        cams_BKHW = hirescam(output.features, model.head.weight)[:, :2].abs()
        own_BKHW = torch.stack([batch.classes_BHW == 1, batch.classes_BHW == 2], dim=1)
        pairs_BK = batch.targets_BK[:, :2] > 0
    return float((cams_BKHW * ~own_BKHW)[pairs_BK].sum() / cams_BKHW[pairs_BK].sum())


def test_a_class_s_own_mask_frees_it_from_the_object_that_comes_with_it() -> None:
    assert share_outside(BinaryCrossEntropy()) > 0.4
    assert share_outside(BinaryContrastive()) < 0.15
