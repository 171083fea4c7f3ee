import pytest
import torch
from torch import Tensor

from trainables.evaluations.attribution.localisation import has_object, localisations, objects_of, pointing_hits

LEFT = torch.tensor([[True, False], [True, False]])
NOWHERE = torch.zeros(2, 2, dtype=torch.bool)
ON_OBJECT = torch.tensor([[3.0, -5.0], [0.0, 1.0]])
ON_BACKGROUND = torch.tensor([[0.0, 2.0], [-4.0, 0.0]])
ALL_NEGATIVE = torch.tensor([[-1.0, -2.0], [-3.0, -4.0]])


def both(map_HW: Tensor, object_HW: Tensor) -> tuple[float, float]:
    maps, objects = map_HW.unsqueeze(0), object_HW.unsqueeze(0)
    return localisations(maps, objects).item(), pointing_hits(maps, objects).item()


def test_by_hand() -> None:
    assert both(ON_OBJECT, LEFT) == pytest.approx((3 / 4, 1), abs=1e-8)
    assert both(ON_BACKGROUND, LEFT) == pytest.approx((0, 0), abs=1e-8)


def test_an_empty_mask_is_no_hit() -> None:
    assert both(ON_OBJECT, NOWHERE) == pytest.approx((torch.nan, torch.nan), nan_ok=True)


@pytest.mark.parametrize("value", [0.0, 1e-9, -1e-9])
def test_an_empty_map_is_no_hit(value: float) -> None:
    assert both(torch.full((2, 2), value), LEFT) == pytest.approx((torch.nan, torch.nan), nan_ok=True)


def test_a_flat_map_is_no_hit_and_localises_by_chance() -> None:
    """Where all pixels are the highest, one of them is always on the object."""
    flat = torch.full((2, 2), 0.3)
    flat[0, 0] += 3e-8
    assert both(flat, LEFT) == pytest.approx((1 / 2, torch.nan), nan_ok=True, abs=1e-6)


def test_a_negative_map_points_but_has_nothing_to_localise() -> None:
    assert both(ALL_NEGATIVE, LEFT) == pytest.approx((torch.nan, 1), nan_ok=True)
    assert both(ALL_NEGATIVE, ~LEFT) == pytest.approx((torch.nan, 0), nan_ok=True)


def test_the_rest_of_the_batch_does_not_matter() -> None:
    maps = torch.stack([ON_OBJECT, torch.zeros(2, 2), 1e5 * ON_BACKGROUND, ON_OBJECT])
    objects = torch.stack([LEFT, LEFT, LEFT, NOWHERE])
    assert localisations(maps, objects).tolist() == pytest.approx([0.75, torch.nan, 0, torch.nan], nan_ok=True)
    assert pointing_hits(maps, objects).tolist() == pytest.approx([1, torch.nan, 0, torch.nan], nan_ok=True)


def test_arguments_stay_as_they_are() -> None:
    maps, objects = torch.stack([ON_OBJECT, ALL_NEGATIVE]).double(), torch.stack([LEFT, LEFT])
    before = maps.clone()
    localisations(maps, objects)
    pointing_hits(maps, objects)
    assert torch.equal(maps, before)
    assert torch.equal(objects, torch.stack([LEFT, LEFT]))


def test_parity_with_a_direct_call() -> None:
    import quantus

    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(8, 5, 5, generator=generator, dtype=torch.float64)
    objects = torch.rand(8, 5, 5, generator=generator) < 0.3
    arrays = {
        "model": None,
        "x_batch": maps.unsqueeze(1).numpy(),
        "y_batch": torch.zeros(8).numpy(),
        "s_batch": objects.unsqueeze(1).numpy(),
        "channel_first": True,
    }
    share = quantus.AttributionLocalisation(positive_attributions=True, abs=False, disable_warnings=True)
    game = quantus.PointingGame(disable_warnings=True)
    a = maps.unsqueeze(1).numpy()
    torch.testing.assert_close(
        localisations(maps, objects), torch.tensor(share(a_batch=a.copy(), **arrays)), rtol=0, atol=1e-8
    )
    assert pointing_hits(maps, objects).tolist() == [float(hit) for hit in game(a_batch=a.copy(), **arrays)]


def test_quantus_still_counts_an_empty_mask_as_a_hit() -> None:
    import quantus

    a = ON_BACKGROUND.view(1, 1, 2, 2).numpy()
    hit = quantus.PointingGame(disable_warnings=True)(
        model=None, x_batch=a, y_batch=a[:, 0, 0, 0], a_batch=a, s_batch=0 * a, channel_first=True
    )
    assert bool(hit[0])


def test_an_object_is_what_is_less_than_half_background() -> None:
    background = torch.tensor([[[0.0, 0.49], [0.5, 1.0]]]).expand(2, -1, -1)
    objects = objects_of(background, torch.tensor([True, False]))
    assert objects.tolist() == [[[True, True], [False, False]], [[False, False], [False, False]]]
    assert has_object(objects).tolist() == [True, False]
