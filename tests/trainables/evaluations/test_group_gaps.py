import math

import pytest
import torch

from trainables.evaluations.group_gaps import group_gaps


def test_a_gap_is_what_is_lost_where_one_thing_is_uncommon() -> None:
    """Two groups in which the place is uncommon, of accuracy 0.5 and 0.25, one of which has no image."""
    accuracies_G = torch.tensor([1.0, 0.5, 0.25, math.nan]).double()
    uncommon = ((), ("place",), ("place",), ("place",))
    assert group_gaps(accuracies_G, uncommon, 0.75) == {"place": pytest.approx(0.375 - 0.75)}


def test_several_things_have_a_gap_of_their_own_and_names_are_those_of_metrics() -> None:
    accuracies_G = torch.tensor([1.0, 0.5, 0.0]).double()
    uncommon = ((), ("time of day",), ("time of day", "place"))
    assert group_gaps(accuracies_G, uncommon, 1.0) == {"time_of_day": -0.5, "time_of_day_and_place": -1.0}


def test_gaps_whose_names_look_alike_end_with_a_hash() -> None:
    accuracies_G = torch.tensor([1.0, 0.5, 0.0]).double()
    uncommon = ((), ("sea side",), ("sea_side",))
    assert group_gaps(accuracies_G, uncommon, 1.0) == {"sea_side-136e4d": -0.5, "sea_side-a9af2a": -1.0}


def test_there_is_none_without_an_accuracy_in_distribution_or_without_what_is_common() -> None:
    accuracies_G = torch.tensor([1.0, 0.5]).double()
    assert group_gaps(accuracies_G, ((), ("place",)), math.nan) == {}
    assert group_gaps(accuracies_G, (), 1.0) == {}
    assert group_gaps(torch.tensor([1.0, math.nan]), ((), ("place",)), 1.0) == {}
