import torch

from trainables.evaluations.attribution.targets import of_class, strongest_rivals


def test_the_strongest_rival_is_the_highest_of_the_others() -> None:
    logits = torch.tensor([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0], [-5.0, -7.0, -6.0]])
    assert strongest_rivals(logits, torch.tensor([0, 2, 0])).tolist() == [1, 0, 2]


def test_one_class_of_each_image_is_picked() -> None:
    maps = torch.arange(12.0).view(2, 3, 1, 2)
    assert of_class(maps, torch.tensor([2, 0])).tolist() == [[[4.0, 5.0]], [[6.0, 7.0]]]
