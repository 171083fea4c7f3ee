"""Which settings tell trials apart."""

from orchestrator.results.varied import varying


def test_fields_that_differ_in_their_order() -> None:
    assert varying([{"a.x": 1, "a.y": 2, "b": 3}, {"a.x": 1, "a.y": 5, "b": 4}]) == ["a.y", "b"]
    assert varying([{"a": 1}]) == varying([]) == []


def test_a_part_that_only_some_have_is_told_by_what_varies_in_it() -> None:
    configs = [
        {"loss.kind": "plain"},
        {"loss.kind": "plain", "loss.part.weight": 1.0, "loss.part.scale": 10},
        {"loss.kind": "plain", "loss.part.weight": 3.0, "loss.part.scale": 10},
    ]
    assert varying(configs) == ["loss.part.weight"]


def test_a_part_of_which_nothing_varies_is_told_by_its_first_field() -> None:
    configs = [{"loss.kind": "plain"}, {"loss.kind": "plain", "loss.part.weight": 1.0, "loss.part.scale": 10}]
    assert varying(configs) == ["loss.part.weight"]


def test_fields_of_another_kind_are_told_by_the_kind() -> None:
    assert varying([{"loss.kind": "plain"}, {"loss.kind": "other", "loss.weight": 1.0}]) == ["loss.kind"]
