"""What the object says for each class and the background of any, on all cells and on merged ones."""

import pytest
import torch
from torch import Tensor

from tests.trainables.losses.problems import MASKS, background_of
from trainables.cams import contrastive_cams, hirescam
from trainables.losses import class_evidence as module
from trainables.losses.class_evidence import class_evidence


@pytest.fixture(params=["all cells", "merged cells", "merged cells, one sample at once"])
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MANY_CLASSES", 1000 if request.param == "all cells" else 0)
    monkeypatch.setattr(module, "CELLS_AT_ONCE", 1 if request.param.endswith("at once") else 784)


def plain(features_BFP: Tensor, weight_KF: Tensor, labels_B: Tensor, background_BP: Tensor) -> tuple[Tensor, Tensor]:
    cams_BKHW = hirescam(features_BFP.unsqueeze(2), weight_KF)
    background_B1HW = background_BP.view(len(features_BFP), 1, 1, -1)
    contrast_BK = (background_B1HW * contrastive_cams(cams_BKHW, labels_B)).abs().sum((2, 3))
    return ((1 - background_B1HW) * cams_BKHW).sum((2, 3)), contrast_BK


def problem(
    mask: str, *, classes: int = 5, features: int = 4, dtype: torch.dtype = torch.float64
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return (
        torch.randn(4, features, 6, generator=generator, dtype=dtype).requires_grad_(),
        torch.randn(classes, features, generator=generator, dtype=dtype).requires_grad_(),
        torch.randint(classes, (4,), generator=generator),
        background_of(mask, (4, 2, 3), generator).flatten(1).to(dtype),
    )


def gradients(evidence: tuple[Tensor, Tensor], *leaves: Tensor) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(1)
    upstream = [torch.randn(each.shape, generator=generator, dtype=each.dtype) for each in evidence]
    return torch.autograd.grad(evidence, leaves, upstream)


@pytest.mark.usefixtures("_way")
def test_by_hand() -> None:
    features = torch.tensor([[[2.0, -4.0], [0.0, 2.0]]])
    weight = torch.tensor([[1.0, 1.0], [0.0, 0.0], [2.0, -1.0]])
    # HiResCAMs of the two cells: 1 and -1, 0 and 0, 2 and -5.
    for background, on_object, label, contrast in [
        ([1.0, 1.0], [0.0, 0.0, 0.0], 0, [0.0, 2.0, 5.0]),
        ([1.0, 1.0], [0.0, 0.0, 0.0], 2, [5.0, 7.0, 0.0]),
        ([0.0, 1.0], [1.0, 0.0, 2.0], 0, [0.0, 1.0, 4.0]),
        ([0.0, 0.5], [0.5, 0.0, -0.5], 0, [0.0, 0.5, 2.0]),
        ([0.0, 0.0], [0.0, 0.0, -3.0], 0, [0.0, 0.0, 0.0]),
    ]:
        found = class_evidence(features, weight, torch.tensor([label]), torch.tensor([background]))
        assert [each.tolist() for each in found] == [[on_object], [contrast]]


@pytest.mark.usefixtures("_way")
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_values_and_gradients_are_those_of_the_plain_form(mask: str, dtype: torch.dtype) -> None:
    arguments = problem(mask, classes=40, features=32, dtype=dtype)
    found, expected = class_evidence(*arguments), plain(*arguments)
    close = {"rtol": 1e-6, "atol": 1e-6} if dtype == torch.float32 else {"rtol": 1e-12, "atol": 1e-12}
    torch.testing.assert_close(found, expected, **close)
    leaves = arguments[:2]
    torch.testing.assert_close(gradients(found, *leaves), gradients(expected, *leaves), **close)


@pytest.mark.usefixtures("_way")
@pytest.mark.parametrize("mask", MASKS)
def test_gradient(mask: str) -> None:
    features, weight, labels, background = problem(mask)
    assert torch.autograd.gradcheck(lambda f, w: class_evidence(f, w, labels, background), (features, weight))


@pytest.mark.usefixtures("_way")
def test_the_own_class_is_exactly_zero() -> None:
    features, labels = torch.randn(32, 64, 49) * 1e4, torch.arange(32)
    _, contrast_BK = class_evidence(features, torch.randn(40, 64), labels, torch.rand(32, 49))
    assert torch.count_nonzero(contrast_BK[torch.arange(32), labels]) == 0


@pytest.mark.usefixtures("_way")
@pytest.mark.parametrize("frozen", ["features", "weight"])
def test_what_is_frozen_gets_no_gradient(frozen: str) -> None:
    features, weight, labels, background = problem("mixed")
    expected = gradients(class_evidence(features, weight, labels, background), features, weight)
    if frozen == "features":
        found = class_evidence(features.detach(), weight, labels, background)
        assert torch.equal(*gradients(found, weight), expected[1])
    else:
        found = class_evidence(features, weight.detach(), labels, background)
        assert torch.equal(*gradients(found, features), expected[0])


@pytest.mark.usefixtures("_way")
def test_features_may_lie_channels_last() -> None:
    features, weight, labels, background = problem("mixed")
    last = features.detach().mT.contiguous().mT.requires_grad_()
    found, expected = (class_evidence(each, weight, labels, background) for each in (last, features))
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(gradients(found, last, weight), gradients(expected, features, weight))
