"""Concepts to choose among, and their table by class."""

from typing import Any

from orchestrator.reports.inspection.concepts import class_table, concept_choices


def document(*, num: int = 2, object_share: float | None = 0.25) -> dict[str, Any]:
    concept = {"card": "concept-01", "share": 0.5, "object_share": object_share, "stability": 1.0, "crops": []}
    return {
        "concepts": {
            "class_names": ["cat", "cow", "dog"],
            "concepts": [{**concept, "on_background": object_share is not None}] * num,
            "head": [[0.5, -1.0, 2.0]] * num,
            "object_area": 0.4,
            "by_class": {"classes": [0, 2], "importance": [[1.0, -4.0], [2.0, 0.0]]},
        }
    }


def test_facts_name_the_classes_and_the_object(make_run: Any) -> None:
    run = make_run("1", "concepts", document(), images={"concept-01": "red"})
    choice = concept_choices([run])[0]
    assert choice.shown[0].facts == (
        "It holds 50% of the importance, speaks most for dog and most against cow. 25% of its activation lies on the "
        "object, which is 40% of the area. It is a concept of the background."
    )
    assert str(choice.shown[0].card).startswith("data:image/webp;base64,")
    unmasked = make_run("2", "concepts", document(object_share=None))
    assert concept_choices([unmasked])[0].shown[0].facts.endswith("most against cow.")


def test_a_run_with_fewer_concepts_says_so(make_run: Any) -> None:
    runs = [make_run("1", "concepts", document(num=2)), make_run("2", "concepts", document(num=1))]
    assert [choice.label for choice in concept_choices(runs)] == ["Concept 1", "Concept 2"]
    assert concept_choices(runs)[1].shown[1].facts == "This run has only 1 concept."


def test_table_has_the_classes_with_images(make_run: Any) -> None:
    table = class_table(make_run("1", "concepts", document()))
    assert [(head.name, head.on_background, head.on_object) for head in table.heads] == [
        ("1", True, "25%"),
        ("2", True, "25%"),
    ]
    assert [name for name, _ in table.rows] == ["cat", "dog"]
    assert [(cell.text, cell.strength, cell.is_against) for cell in table.rows[0][1]] == [
        ("+1.000", 0.25, False),
        ("−4.000", 1.0, True),  # noqa: RUF001
    ]
