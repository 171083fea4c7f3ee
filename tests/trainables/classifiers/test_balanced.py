"""Which sets cannot be balanced, and what is said of them."""

import pytest
import torch

from trainables.classifiers import check_balance
from trainables.config import ConfigError

CLASSES, GROUPS = ("cat", "dog"), ("place=land", "place=water")


def check(strata: list[int], groups: tuple[str, ...] = GROUPS, *, lost: int | None = None) -> None:
    occurring = [*strata, *([] if lost is None else [lost])]
    check_balance(torch.tensor(strata), occurring, CLASSES, groups, what="dfr balances images", remedy="add some")


def test_two_of_each_are_enough_and_a_pair_that_never_occurs_is_none() -> None:
    check([0, 0, 1, 1, 2, 2, 3, 3])
    check([0, 0, 3, 3])
    check([0, 0, 1, 1], ())


@pytest.mark.parametrize(
    ("strata", "found"),
    [
        ([0, 0, 1, 2, 2, 3, 3], "class and group; found class cat in group place=water: 1; add some"),
        ([0, 0, 2, 2], "class and group; found group place=water: 0; add some"),
        ([0, 0, 1, 1], "class and group; found class dog: 0; add some"),
        ([0, 1, 2, 3], "class cat in group place=land: 1; .*; class dog in group place=land: 1 and 1 more; add some"),
    ],
)
def test_too_few_are_named(strata: list[int], found: str) -> None:
    with pytest.raises(ConfigError, match=rf"^dfr balances images and needs 2 of each .*{found}$"):
        check(strata)


def test_without_groups_only_classes_count() -> None:
    with pytest.raises(ConfigError, match="needs 2 of each class; found class dog: 1; add some"):
        check([0, 0, 1], ())


def test_a_pair_that_occurs_and_of_which_none_is_left_is_named_once() -> None:
    with pytest.raises(ConfigError, match=r"found class cat in group place=water: 0; add some$"):
        check([0, 0, 2, 2, 3, 3], lost=1)
    with pytest.raises(ConfigError, match=r"found group place=water: 0; add some$"):
        check([0, 0, 2, 2], lost=1)
