"""A study's section of docs/results.md, from the file that holds its result."""

from typing import Any

from benchmarks.results import study_section


def figure(mean: float, difference: float | None) -> dict[str, Any]:
    found = None
    if difference is not None:
        found = {
            "mean": difference,
            "low": difference - 0.01,
            "high": difference + 0.01,
            "covers": "seeds",
            "num_seeds": 3,
            "num_pictures": None,
            "is_apart_from_zero": True,
        }
    return {"mean": mean, "std": 0.02, "num_seeds": 3, "by_seed": {}, "difference": found}


def arm(name: str, mean: float, difference: float | None = None, **changes: list[Any]) -> dict[str, Any]:
    figures = {"val/accuracy": figure(mean, difference)}
    return {"arm": name, "num_seeds": 3, "train_s": 61.0, "changes": changes, "trials": [], "figures": figures}


RESULT: dict[str, Any] = {
    "made": {"version.torch": "2.0", "hardware.cpu": "a processor"},
    "command": "campaign study pair --set data.root=../data",
    "study": {
        "study": "pair",
        "summary": "Does it help?",
        "sweep": "pair-1",
        "reference": "plain",
        "seeds": [0, 1, 2],
        "metrics": [{"metric": "val/accuracy", "better": "max"}],
        "arms": [arm("plain", 0.5), arm("other", 0.6, 0.1, seed=[1, 0])],
        "budget": "Budget and augmentation are the same in every arm: training.epochs 2.",
        "warnings": [],
    },
}


def test_section_has_command_question_table_budget_and_machine() -> None:
    section = study_section(RESULT, "")
    assert section.startswith(
        "## Study pair\n\n```\ncampaign study pair --set data.root=../data\n```\n\nDoes it help?\n"
    )
    assert "| plain | 3 | 0.500 ± 0.020 | 1m01s |" in section
    assert "| other | 3 | 0.600 ± 0.020<br>**+0.100 (+0.090 to +0.110)** | 1m01s |" in section
    assert RESULT["study"]["budget"] in section
    assert section.endswith("Made with torch 2.0. Machine: cpu a processor.")
    assert "\n\n\n" not in section


def test_remarks_stand_between_table_and_machine() -> None:
    section = study_section(RESULT, "It wins because of the masks.\n")
    assert "- other has `seed` 1 (not 0).\n\nIt wins because of the masks.\n\nMade with" in section
