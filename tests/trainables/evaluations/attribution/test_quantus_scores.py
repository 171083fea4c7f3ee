from collections.abc import Callable
from math import log

import pytest
import torch
from torch import Tensor

from trainables.evaluations.attribution.quantus_scores import complexities, sparsenesses

Metric = Callable[[Tensor], Tensor]
ONE_PIXEL = torch.tensor([[0.0, 0.0], [0.0, -3.0]])
ALL_ALIKE = torch.full((2, 2), 0.01)
HALVES = torch.tensor([[5.0, -5.0], [0.0, 0.0]])


def test_complexity_by_hand() -> None:
    result = complexities(torch.stack([ONE_PIXEL, ALL_ALIKE, HALVES]))
    torch.testing.assert_close(result, torch.tensor([0, log(4), log(2)], dtype=torch.float64), rtol=0, atol=1e-9)


def test_sparseness_by_hand() -> None:
    """The Gini index of (0,0,0,1) is 3/4, of equal values 0, and of (0,0,1,1) is 1/2."""
    result = sparsenesses(torch.stack([ONE_PIXEL, ALL_ALIKE, HALVES]))
    torch.testing.assert_close(result, torch.tensor([0.75, 0, 0.5], dtype=torch.float64), rtol=0, atol=1e-6)


@pytest.mark.parametrize("metric", [complexities, sparsenesses])
def test_scale_batch_and_argument_do_not_matter(metric: Metric) -> None:
    """Quantus divides by the largest value of the batch, adds 1e-7 to what it is given, and divides it in place."""
    maps = torch.randn(4, 5, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    maps[1] *= 1e6
    before = maps.clone()
    together = metric(maps)
    assert torch.equal(maps, before)
    for index, map_HW in enumerate(maps):
        torch.testing.assert_close(metric(1e-4 * map_HW.unsqueeze(0))[0], together[index], rtol=1e-12, atol=0)


@pytest.mark.parametrize("metric", [complexities, sparsenesses])
@pytest.mark.parametrize("maps", [torch.full((1, 3, 3), 1.0), torch.full((2, 3, 3), -2.0)])
def test_what_quantus_refuses_is_measured(metric: Metric, maps: Tensor) -> None:
    assert metric(maps).isfinite().all()


@pytest.mark.parametrize("metric", [complexities, sparsenesses])
def test_an_empty_map_has_no_value_and_spoils_no_other(metric: Metric) -> None:
    result = metric(torch.stack([torch.zeros(2, 2), HALVES]))
    assert result[0].isnan()
    assert torch.equal(result[1:], metric(HALVES.unsqueeze(0)))
    assert metric(torch.zeros(1, 2, 2)).isnan().all()


def test_parity_with_a_direct_call() -> None:
    import quantus

    maps = torch.randn(3, 4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for ours, theirs in ((complexities, quantus.Complexity), (sparsenesses, quantus.Sparseness)):
        direct = [
            theirs(disable_warnings=True)(
                model=None, x_batch=a, y_batch=a[:, 0, 0, 0].astype(int), a_batch=a.copy(), channel_first=True
            )[0]
            for a in maps.unsqueeze(1).unsqueeze(1).numpy()
        ]
        torch.testing.assert_close(ours(maps), torch.tensor(direct, dtype=torch.float64), rtol=1e-12, atol=0)
