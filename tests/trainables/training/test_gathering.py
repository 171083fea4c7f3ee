"""The loss of embeddings that are spread over workers, and its gradient, are those of one process."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, distributed, multiprocessing, nn
from torch.nn.parallel import DistributedDataParallel

from trainables.losses import semi_hard_triplet, supervised_contrastive
from trainables.training.gathering import gather_embeddings

pytestmark = pytest.mark.slow
WORLD_SIZE = 2
ROWS = {"even": (4, 4), "one short": (4, 3), "one nearly empty": (1, 4)}
"""Rows of each worker, of at most 4."""


def loss_of(name: str) -> Callable[[Tensor, Tensor], Tensor]:
    if name == "triplet":
        return semi_hard_triplet(2.0)
    return lambda embeddings, labels: supervised_contrastive(embeddings, labels, temperature=0.5)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Linear(5, 3).double()


def inputs(num: int) -> tuple[Tensor, Tensor]:
    return torch.randn(num, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1)), torch.arange(num) % 2


def measure(model: nn.Module, loss: Tensor, factor: int) -> dict[str, Any]:
    model.zero_grad()
    (factor * loss).backward()
    return {"loss": loss.detach(), "gradients": [parameter.grad.clone() for parameter in model.parameters()]}


def work(rank: int, folder: str) -> None:
    """Be one of the workers; write what it found."""
    address = f"file://{folder}/store"
    distributed.init_process_group("gloo", init_method=address, rank=rank, world_size=WORLD_SIZE)
    model = DistributedDataParallel(network())
    found = {}
    for case, rows in ROWS.items():
        images, labels = inputs(sum(rows))
        own = slice(sum(rows[:rank]), sum(rows[: rank + 1]))
        for name in ("supcon", "triplet"):
            gathered = gather_embeddings(
                model(images[own]),
                labels[own],
                size=4,
                rank=rank,
                world_size=WORLD_SIZE,
                may_be_short=case != "even",
            )
            assert gathered[1].tolist() == labels.tolist()
            found[case, name] = measure(model, loss_of(name)(*gathered), WORLD_SIZE)
    torch.save(found, f"{folder}/{rank}.pt")
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> list[dict[tuple[str, str], Any]]:
    folder: Path = tmp_path_factory.mktemp("workers")
    multiprocessing.spawn(work, (str(folder),), nprocs=WORLD_SIZE)
    return [torch.load(folder / f"{rank}.pt") for rank in range(WORLD_SIZE)]


@pytest.mark.parametrize("name", ["supcon", "triplet"])
@pytest.mark.parametrize("case", ROWS)
def test_loss_and_gradient_are_those_of_the_whole_batch(
    workers: list[dict[tuple[str, str], Any]], case: str, name: str
) -> None:
    model = network()
    images, labels = inputs(sum(ROWS[case]))
    expected = measure(model, loss_of(name)(model(images), labels), 1)
    assert expected["loss"] > 0
    for found in workers:
        torch.testing.assert_close(found[case, name], expected, rtol=1e-10, atol=1e-12)


def test_one_process_has_nothing_to_gather() -> None:
    embeddings, labels = torch.rand(3, 2), torch.arange(3)
    found = gather_embeddings(embeddings, labels, size=4, rank=0, world_size=1, may_be_short=False)
    assert found[0] is embeddings
    assert found[1] is labels
