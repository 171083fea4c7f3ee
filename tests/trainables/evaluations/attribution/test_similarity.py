import pytest
import torch

from trainables.evaluations.attribution.similarity import MIN_SIDE, structural_similarities

GENERATOR = torch.Generator().manual_seed(0)
MAPS = torch.randn(3, 16, 12, generator=GENERATOR)
C1 = 0.01**2


def test_only_the_pattern_counts() -> None:
    torch.testing.assert_close(structural_similarities(MAPS, 1e-3 * MAPS - 5), torch.ones(3))


def test_a_map_and_its_negative_are_unlike() -> None:
    assert (structural_similarities(MAPS, -MAPS) < -0.5).all()


def test_a_vanished_map_by_hand() -> None:
    """Far from the edge between 0 and 1 there is no variance, and only `C1 / (mean^2 + C1)` is left."""
    edge, flat = torch.zeros(1, 40, 400), torch.full((1, 40, 400), 3.0)
    edge[:, :, 200:] = 1
    inner = 10 / 400
    expected = (1 + C1 / (1 + C1)) / 2
    assert structural_similarities(edge, flat).item() == pytest.approx(expected, abs=inner)
    assert torch.equal(structural_similarities(edge, flat), structural_similarities(edge, 0 * flat))


def test_a_flat_reference_has_no_value_and_spoils_no_other() -> None:
    reference = MAPS.clone()
    reference[0], reference[1] = 0, 0.3
    result = structural_similarities(reference, MAPS)
    assert result.isnan().tolist() == [True, True, False]
    assert torch.equal(result[2:], structural_similarities(MAPS[2:], MAPS[2:]))


def test_agrees_with_scikit_image() -> None:
    """On maps mirrored at the border, which torchmetrics does by itself."""
    import numpy as np
    from skimage.metrics import structural_similarity

    other = MAPS + 0.5 * torch.randn(MAPS.shape, generator=GENERATOR)
    result = structural_similarities(MAPS, other)
    for a, b, value in zip(MAPS.double().numpy(), other.double().numpy(), result, strict=True):
        _, full = structural_similarity(
            np.pad((a - a.min()) / np.ptp(a), 5, mode="reflect"),
            np.pad((b - b.min()) / np.ptp(b), 5, mode="reflect"),
            data_range=1.0,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            full=True,
        )
        assert value.item() == pytest.approx(full[5:-5, 5:-5].mean(), abs=1e-5)


def test_the_smallest_maps() -> None:
    assert structural_similarities(MAPS[:, :MIN_SIDE, :MIN_SIDE], MAPS[:, :MIN_SIDE, :MIN_SIDE]).shape == (3,)
    with pytest.raises(RuntimeError, match=r"[Pp]adding"):
        structural_similarities(MAPS[:, : MIN_SIDE - 1], MAPS[:, : MIN_SIDE - 1])
