"""Maps that compare classes."""

import torch

from trainables.cams import class_reconstructed_cams, contrastive_cams

GENERATOR = torch.Generator().manual_seed(0)


def test_contrastive_by_hand() -> None:
    cams = torch.tensor([[[[1.0, -2.0]], [[4.0, 0.5]], [[0.0, 3.0]]]])
    expected = torch.tensor([[[[3.0, 2.5]], [[0.0, 0.0]], [[4.0, -2.5]]]])
    assert torch.equal(contrastive_cams(cams, torch.tensor([1])), expected)


def test_the_slice_of_the_own_class_is_exactly_zero() -> None:
    cams, labels = torch.randn(8, 11, 5, 4, generator=GENERATOR) * 1e6, torch.arange(8)
    assert torch.count_nonzero(contrastive_cams(cams, labels)[torch.arange(8), labels]) == 0


def test_a_map_common_to_all_classes_cancels() -> None:
    cams, common = torch.randn(2, 5, 3, 3, generator=GENERATOR), torch.randn(2, 1, 3, 3, generator=GENERATOR)
    labels = torch.tensor([0, 4])
    torch.testing.assert_close(contrastive_cams(cams + common, labels), contrastive_cams(cams, labels))


def test_arguments_stay_as_they_are() -> None:
    cams = torch.randn(2, 5, 3, 3, generator=GENERATOR)
    before = cams.clone()
    contrastive_cams(cams, torch.tensor([0, 4]))
    class_reconstructed_cams(cams)
    assert torch.equal(cams, before)


def test_class_reconstructed_by_hand() -> None:
    cams = torch.tensor([[[[1.0, -2.0]], [[3.0, 4.0]]]])
    assert torch.equal(class_reconstructed_cams(cams), torch.tensor([[[[-1.0, -3.0]], [[1.0, 3.0]]]]))
