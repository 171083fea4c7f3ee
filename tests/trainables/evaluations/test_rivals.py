"""Rivals and margins by hand."""

import pytest
import torch

from tests.trainables.evaluations.conftest import linear_classifier
from trainables.evaluations import NotPossibleError
from trainables.evaluations.rivals import check_rival, margins, strongest_rivals

LOGITS = torch.tensor([[3.0, 1.0, 2.0], [3.0, 1.0, 2.0], [0.0, 5.0, 5.0], [-5.0, -7.0, -6.0]])
LABELS = torch.tensor([0, 1, 2, 0])


def test_the_strongest_rival_is_the_highest_of_the_others() -> None:
    assert strongest_rivals(LOGITS, LABELS).tolist() == [2, 0, 1, 2]


def test_a_margin_is_the_logit_less_the_rival_s() -> None:
    found = margins(LOGITS, LABELS, strongest_rivals(LOGITS, LABELS))
    assert found.dtype == torch.float64
    assert found.tolist() == [1, -2, 0, 1]


def test_one_class_has_no_rival() -> None:
    check_rival(linear_classifier([[1.0], [0.0]]))
    with pytest.raises(NotPossibleError, match="a network with one class has no rival to contrast it with"):
        check_rival(linear_classifier([[1.0]]))
