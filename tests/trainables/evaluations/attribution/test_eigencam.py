import numpy as np
import pytest
import torch

from trainables.evaluations.attribution.eigencam import eigencam


def test_by_hand() -> None:
    """Both features are multiples of one pattern, so that `A = u (1, 2)^T` and `A v_1 = sqrt(5) u`."""
    pattern = torch.tensor([[3.0, 0.0], [1.0, 2.0]])
    features = torch.stack([pattern, 2 * pattern]).unsqueeze(0)
    torch.testing.assert_close(eigencam(features), 5**0.5 * pattern.unsqueeze(0))


@pytest.mark.parametrize("num_features", [2, 40])
def test_agrees_with_numpy_but_for_the_sign(num_features: int) -> None:
    features = torch.randn(3, num_features, 4, 5, generator=torch.Generator().manual_seed(0))
    found = eigencam(features)
    for map_HW, features_FHW in zip(found, features, strict=True):
        cells = features_FHW.flatten(1).T.double().numpy()
        expected = torch.from_numpy(cells @ np.linalg.svd(cells)[2][0]).view(4, 5).float()
        sign = torch.sign((map_HW * expected).sum())
        torch.testing.assert_close(map_HW, sign * expected, rtol=1e-4, atol=1e-5)
        assert (map_HW * features_FHW.mean(0)).sum() > 0


def test_features_that_are_nowhere_negative_have_such_a_map() -> None:
    features = torch.rand(20, 7, 3, 3, generator=torch.Generator().manual_seed(0))
    assert (eigencam(features) >= 0).all()
    assert (eigencam(-features) <= 0).all()


def test_features_of_zero_have_a_map_of_zeros() -> None:
    assert torch.equal(eigencam(torch.zeros(2, 3, 4, 4)), torch.zeros(2, 4, 4))


def test_images_do_not_touch_each_other() -> None:
    features = torch.randn(3, 5, 4, 4, generator=torch.Generator().manual_seed(1))
    together = eigencam(features)
    for index in range(3):
        torch.testing.assert_close(eigencam(features[index : index + 1])[0], together[index])
