"""What a training is given: masks, groups, both or nothing."""

from typing import Any

import pytest

from trainables.config import experiment_from_tree, override, supervision

TABLE: dict[str, Any] = {"data": {"kind": "table", "root": "/p", "table": "mine.csv", "groups": ["label"]}}

GIVEN: list[tuple[dict[str, Any], tuple[str, ...]]] = [
    ({}, ()),
    ({"objective.label_smoothing": 0.1, "objective.class_weights": "balanced"}, ()),
    ({"objective.kind": "contrastive"}, ("masks",)),
    ({"objective.divergence.weight": 1}, ("masks",)),
    ({"objective.background_noise": 0.1}, ("masks",)),
    ({"objective.cutmix": {}}, ("masks",)),
    ({**TABLE, "objective.cutmix": {}}, ()),
    ({"objective.group_dro": {}}, ("groups",)),
    ({"training.sampling": "group_balanced"}, ("groups",)),
    ({"training.sampling": "class_balanced"}, ()),
    ({"training.jtt": {"epochs": 1, "upweight": 5}}, ()),
    ({**TABLE}, ()),
    ({"objective.dfr.fit_on": "validation"}, ("groups",)),
    ({"objective.dfr.fit_on": "training"}, ("groups",)),
    ({"objective.dfr.fit_on": "object_only"}, ("masks",)),
    ({"objective.background_noise": 0.1, "objective.dfr": {}}, ("masks", "groups")),
    ({"objective.kind": "contrastive", "objective.group_dro": {}}, ("masks", "groups")),
    ({"objective.kind": "supcon", "training.sampling": "group_balanced"}, ("groups",)),
]


@pytest.mark.parametrize(("overrides", "expected"), GIVEN)
def test_supervision(overrides: dict[str, Any], expected: tuple[str, ...]) -> None:
    assert supervision(experiment_from_tree(override({}, overrides))) == expected
