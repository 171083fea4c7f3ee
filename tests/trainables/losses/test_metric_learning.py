"""The losses of embeddings against loops over their definitions."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from trainables.config import CrossEntropy, SupCon, Triplet
from trainables.losses import build_embedding_loss, semi_hard_triplet, supervised_contrastive


def supcon_by_loops(embeddings: Tensor, labels: Tensor, temperature: float) -> float:
    """Khosla et al. 2020, eq. 2, term by term."""
    unit = [row / row.norm() for row in embeddings.double()]
    num = len(unit)
    losses = []
    for i in range(num):
        others = [a for a in range(num) if a != i]
        positives = [p for p in others if labels[p] == labels[i]]
        denominator = sum(math.exp(float(unit[i] @ unit[a]) / temperature) for a in others)
        logs = [math.log(math.exp(float(unit[i] @ unit[p]) / temperature) / denominator) for p in positives]
        losses.append(-sum(logs) / len(positives) if positives else 0.0)
    return sum(losses) / num


def triplet_by_loops(embeddings: Tensor, labels: Tensor, margin: float) -> float:
    """Schroff et al. 2015, over every triplet that is semi-hard."""
    rows = embeddings.double()
    losses = []
    for a in range(len(rows)):
        for p in range(len(rows)):
            for n in range(len(rows)):
                if p == a or labels[p] != labels[a] or labels[n] == labels[a]:
                    continue
                near, far = float((rows[a] - rows[p]).norm()), float((rows[a] - rows[n]).norm())
                if near < far < near + margin:
                    losses.append(near - far + margin)
    return sum(losses) / len(losses) if losses else 0.0


@st.composite
def batches(draw: st.DrawFn) -> tuple[Tensor, Tensor]:
    """Embeddings and labels of every kind: one class, classes of one, and both mixed."""
    num, size, num_classes = draw(st.integers(2, 9)), draw(st.integers(1, 6)), draw(st.integers(1, 4))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    scale = draw(st.sampled_from([0.01, 1.0, 30.0]))
    embeddings = scale * torch.randn(num, size, dtype=torch.float64, generator=generator)
    return embeddings, torch.randint(num_classes, (num,), generator=generator)


@given(batch=batches(), temperature=st.sampled_from([0.07, 0.5, 2.0]))
def test_supcon_is_its_definition(batch: tuple[Tensor, Tensor], temperature: float) -> None:
    found = supervised_contrastive(*batch, temperature=temperature)
    assert float(found) == pytest.approx(supcon_by_loops(*batch, temperature), rel=1e-9, abs=1e-9)


@given(batch=batches(), margin=st.sampled_from([0.05, 0.3, 3.0]))
def test_the_triplet_loss_is_its_definition(batch: tuple[Tensor, Tensor], margin: float) -> None:
    found = semi_hard_triplet(margin)(*batch)
    assert float(found) == pytest.approx(triplet_by_loops(*batch, margin), rel=1e-9, abs=1e-9)


def test_supcon_by_hand() -> None:
    """Two views each of two images, at right angles: each has one positive at cosine 1 and two others at 0."""
    embeddings = torch.tensor([[2.0, 0.0], [0.0, 3.0], [5.0, 0.0], [0.0, 1.0]])
    found = supervised_contrastive(embeddings, torch.tensor([4, 7, 4, 7]), temperature=0.5)
    assert float(found) == pytest.approx(math.log(1 + 2 * math.exp(-2)), rel=1e-6)


def test_supcon_of_one_class_alone_still_spreads_its_images() -> None:
    """The library's own loss is 0 there."""
    from pytorch_metric_learning.losses import SupConLoss

    embeddings, labels = torch.eye(3), torch.zeros(3, dtype=torch.int64)
    assert float(supervised_contrastive(embeddings, labels, temperature=0.1)) == pytest.approx(math.log(2))
    assert float(SupConLoss(0.1)(embeddings, labels)) == 0


def test_supcon_agrees_with_the_library_on_batches_that_it_covers() -> None:
    from pytorch_metric_learning.losses import SupConLoss
    from pytorch_metric_learning.reducers import MeanReducer

    generator = torch.Generator().manual_seed(3)
    embeddings, labels = torch.randn(40, 8, generator=generator), torch.arange(40) % 5
    expected = SupConLoss(0.07, reducer=MeanReducer())(embeddings, labels)
    torch.testing.assert_close(supervised_contrastive(embeddings, labels, temperature=0.07), expected)


def test_the_triplet_loss_by_hand() -> None:
    """On a line, class 0 at 0 and 1, class 1 at 1.2: d(a, p) = 1.

    From 0 the negative lies at 1.2 and violates a margin of 0.3 by 0.1; from 1 it is nearer than the positive.
    """
    embeddings, labels = torch.tensor([[0.0], [1.0], [1.2]]), torch.tensor([0, 0, 1])
    assert float(semi_hard_triplet(0.3)(embeddings, labels)) == pytest.approx(0.1)
    assert float(semi_hard_triplet(0.1)(embeddings, labels)) == 0


@pytest.mark.parametrize("num_far", [1, 15, 30])
def test_large_embeddings_lose_no_digits(num_far: int) -> None:
    """Pooled features may be long compared with their distances, all or some; torch.cdist alone does not cope."""
    generator = torch.Generator().manual_seed(0)
    embeddings = torch.randn(30, 4, generator=generator)
    embeddings[:num_far] += 2000
    labels = torch.arange(30) % 3
    expected = triplet_by_loops(embeddings, labels, 0.3)
    assert float(semi_hard_triplet(0.3)(embeddings, labels)) == pytest.approx(expected, rel=1e-4)
    distances = (embeddings[:, None].double() - embeddings).norm(dim=2).float()
    assert (torch.cdist(embeddings, embeddings) - distances).abs().max() > 0.01


Loss = Callable[[Tensor, Tensor], Tensor]
LOSSES: dict[str, Loss] = {
    "supcon": build_embedding_loss(SupCon()),
    "triplet": build_embedding_loss(Triplet(margin=2.0)),
}


@pytest.mark.parametrize("name", LOSSES)
def test_gradients(name: str) -> None:
    generator = torch.Generator().manual_seed(1)
    embeddings = torch.randn(7, 3, dtype=torch.float64, generator=generator, requires_grad=True)
    labels = torch.tensor([0, 1, 0, 2, 1, 0, 3])
    loss = LOSSES[name]
    assert float(loss(embeddings, labels).detach()) > 0
    assert torch.autograd.gradcheck(lambda rows: loss(rows, labels), embeddings)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("labels", [[0, 0], [0, 1], [0]], ids=["one class", "strangers", "one image"])
def test_batches_without_pairs_have_a_gradient_of_numbers(name: str, labels: list[int]) -> None:
    embeddings = torch.tensor([[1.0, 0.0], [0.0, 1.0]])[: len(labels)].requires_grad_()
    LOSSES[name](embeddings, torch.tensor(labels)).backward()
    assert embeddings.grad is not None
    assert embeddings.grad.isfinite().all()


@pytest.mark.parametrize("name", LOSSES)
def test_equal_and_vanished_embeddings_have_a_gradient_of_numbers(name: str) -> None:
    embeddings = torch.zeros(6, 4).index_fill_(0, torch.tensor([0, 1]), 1.0).requires_grad_()
    LOSSES[name](embeddings, torch.tensor([0, 0, 1, 1, 0, 1])).backward()
    assert embeddings.grad is not None
    assert embeddings.grad.isfinite().all()


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_left_behind_at_once(name: str, dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(2)
    embeddings, labels = (100 * torch.randn(64, 16, generator=generator)).to(dtype), torch.arange(64) % 4
    loss = LOSSES[name]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = loss(embeddings, labels)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, loss(embeddings.float(), labels), rtol=0, atol=0)


@pytest.mark.parametrize("name", LOSSES)
def test_shapes_that_disagree_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"embeddings have the shape \(2, 3, 1\); expected B,D"):
        LOSSES[name](torch.zeros(2, 3, 1), torch.zeros(2, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"the shape of labels is \(3,\); expected \(2,\)"):
        LOSSES[name](torch.zeros(2, 3), torch.zeros(3, dtype=torch.int64))


def test_settings_that_make_no_loss_are_refused() -> None:
    with pytest.raises(ValueError, match="temperature = 0; expected a number above 0"):
        supervised_contrastive(torch.eye(2), torch.zeros(2, dtype=torch.int64), temperature=0)
    with pytest.raises(ValueError, match="margin = -1; expected a number above 0"):
        semi_hard_triplet(-1)
    with pytest.raises(ValueError, match="'cross_entropy' trains no embedding; valid kinds: supcon, triplet"):
        build_embedding_loss(CrossEntropy())  # type: ignore[arg-type]
