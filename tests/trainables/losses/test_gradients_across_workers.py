"""Each loss gives two data-parallel workers the gradient that one process gets from their images together."""

from pathlib import Path

import pytest
import torch
from torch import multiprocessing

from tests.trainables.losses.gloo_gradients import (
    ON_GPUS,
    PARTS,
    Gradients,
    config_of,
    gradients,
    run_worker,
    share_of_batch,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def of_two_workers(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Gradients]]:
    folder = tmp_path_factory.mktemp("gradients")
    multiprocessing.spawn(run_worker, args=(2, folder), nprocs=2)
    return [torch.load(folder / f"gradients-{rank}.pt") for rank in range(2)]


@pytest.mark.parametrize("name", PARTS)
def test_two_workers_get_the_gradient_of_one(
    of_two_workers: list[dict[str, Gradients]], name: str, tmp_path: Path
) -> None:
    alone = gradients(name, tmp_path)
    assert {*alone} >= {"head.weight", "head.bias", "trunk.block1.conv.weight"}
    for worker in of_two_workers:
        torch.testing.assert_close(worker[name], alone, rtol=1e-4, atol=1e-6)


def test_every_part_has_a_gradient_of_its_own(of_two_workers: list[dict[str, Gradients]]) -> None:
    plain = of_two_workers[0]["cross_entropy"]["head.weight"]
    for name in PARTS:
        if name != "cross_entropy":
            assert (of_two_workers[0][name]["head.weight"] - plain).abs().max() > 1e-3


def test_the_images_are_of_few_classes_with_and_without_masks() -> None:
    batch = share_of_batch(config_of({}), 0, 1)
    assert len(batch.labels_B.unique()) < 10
    assert 0 < batch.has_mask_B.sum() < 16


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_two_workers_with_sync_batchnorm_get_the_gradient_of_one(tmp_path: Path) -> None:
    device = torch.device("cuda:0")
    multiprocessing.spawn(run_worker, args=(2, tmp_path, (*ON_GPUS,), device), nprocs=2)
    for rank in range(2):
        worker = torch.load(tmp_path / f"gradients-{rank}.pt")
        alone = gradients("batch norms together", tmp_path, device=device)
        torch.testing.assert_close(worker["batch norms together"], alone, rtol=1e-3, atol=1e-5)
        apart = worker["batch norms apart"]
        assert max((apart[name] - alone[name]).abs().max().item() for name in alone) > 1e-3
