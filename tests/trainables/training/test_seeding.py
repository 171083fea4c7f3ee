import pytest
import torch

from trainables.training import derive_seed, torch_threads
from trainables.training.seeding import fastest_convolutions


def test_a_seed_depends_on_every_part_and_their_order() -> None:
    parts = [(0,), (1,), (0, 0), (0, 1), (1, 0), (1, 1), (0, 1, 0), (0, 0, 1), (11, 0), (1, 10)]
    assert len({derive_seed(*each) for each in parts}) == len(parts)


def test_a_seed_is_the_same_in_every_process() -> None:
    assert derive_seed(0, 1, 2) == 6944296732933707688
    torch.Generator().manual_seed(derive_seed(0))


@pytest.mark.parametrize(("count", "expected"), [(0.5, 1), (1, 1), (2.9, 2), (3, 3)])
def test_threads_are_the_whole_cores_and_at_least_one(count: float, expected: int) -> None:
    with torch_threads(count):
        assert torch.get_num_threads() == expected


def test_threads_are_restored_after_an_error() -> None:
    before = torch.get_num_threads()

    @torch_threads(before + 1)
    def fail() -> None:
        assert torch.get_num_threads() == before + 1
        raise SystemExit

    with pytest.raises(SystemExit):
        fail()
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(("device", "expected"), [("cpu", False), ("cuda", True)])
def test_convolutions_are_timed_on_cuda_alone(device: str, expected: bool) -> None:
    with fastest_convolutions(torch.device(device)):
        assert torch.backends.cudnn.benchmark == expected
    assert not torch.backends.cudnn.benchmark
