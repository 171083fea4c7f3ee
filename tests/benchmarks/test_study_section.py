"""A study's section of docs/results.md, from the file that holds its result."""

from typing import Any

from benchmarks.study_section import changes, section


def metric(mean: float, difference: float | None = None, *, apart: bool = True) -> dict[str, Any]:
    found = None
    if difference is not None:
        found = {
            "mean": difference,
            "low": difference - 0.01,
            "high": difference + 0.01,
            "covers": "seeds",
            "num_seeds": 3,
            "num_pictures": None,
            "is_apart_from_zero": apart,
        }
    return {"mean": mean, "std": 0.02, "num_seeds": 3, "by_seed": {}, "difference": found}


def arm(name: str, figures: dict[str, Any], **changes: list[Any]) -> dict[str, Any]:
    return {"arm": name, "num_seeds": 3, "train_s": 61.0, "changes": changes, "trials": [], "figures": figures}


def result(split: str, other: float, *, apart: bool = True) -> dict[str, Any]:
    name, share = f"{split}/accuracy", f"{split}/background/influence_share"
    study = {
        "study": "pair",
        "summary": "Does it help?",
        "sweep": "pair-1",
        "reference": "plain",
        "seeds": [0, 1, 2],
        "metrics": [{"metric": name, "better": "max"}, {"metric": share, "better": "min"}],
        "arms": [
            arm("plain", {name: metric(0.5), share: metric(0.75)}),
            arm("other", {name: metric(other, other - 0.5), share: metric(0.25, -0.5, apart=apart)}, seed=[1, 0]),
        ],
        "budget": "Budget and augmentation are the same in every arm: training.epochs 2.",
        "warnings": [],
    }
    return {"command": "campaign study pair --set data.root=../data", "study": study}


def test_section_has_command_question_protocol_table_and_budget() -> None:
    facts = {"uses_masks": {"plain": False, "other": True}, "num_images": {"val/accuracy": 10, "test/accuracy": 20}}
    text = section({**result("test", 0.6), **facts})
    assert text.startswith("## Study pair\n\n```\ncampaign study pair --set data.root=../data\n```\n\nDoes it help?\n")
    assert "Nothing is searched or chosen" in text
    assert "Trained with masks: other. Trained without: plain. No training uses groups." in text
    assert "| plain | 3 | 0.500 ± 0.020 | 0.750 ± 0.020 | 1m01s |" in text
    assert "| other | 3 | 0.600 ± 0.020<br>**+0.100 (+0.090 to +0.110)** |" in text
    assert "Budget and augmentation are the same in every arm" in text
    assert text.endswith("- other changes `seed: 0 -> 1`.")
    assert "\n\n\n" not in text


def test_a_study_run_with_other_settings_has_its_own_title() -> None:
    assert section({"title": "pair-95", **result("test", 0.6)}).startswith("## Study pair-95\n")


def test_earlier_result_claims_nothing_of_test_images() -> None:
    assert "Nothing is searched or chosen" not in section(result("val", 0.6))


def test_changes_are_said_in_two_sentences() -> None:
    assert changes(result("val", 0.75), result("test", 0.25, apart=False)) == (
        "Of 2 differences that the table of the earlier protocol has too, 2 were apart from zero then and 1 are now: 1 "
        "of them in both, of which 1 with another sign. The accuracy that moved most is that of other in "
        "`test/accuracy`: 0.750 then, 0.250 now."
    )


def test_tables_without_a_common_arm_say_nothing_of_changes() -> None:
    before = result("val", 0.75)
    before["study"]["arms"] = [arm("gone", before["study"]["arms"][1]["figures"])]
    assert changes(before, result("test", 0.25)) == ""
