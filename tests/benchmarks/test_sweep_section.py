"""A sweep's section of docs/results.md, from trials worked out by hand."""

from typing import Any

from benchmarks.sweep_section import changes, chosen, section

EXTRA = {"accuracy": "test/accuracy", "shift": "shift/far/accuracy"}


def trial(trial_id: str, kind: str, worst: float, **reported: float) -> dict[str, Any]:
    metrics = {"val/worst_group_accuracy": worst, **{EXTRA[name]: value for name, value in reported.items()}}
    config = {"objective.kind": kind, "optim.learning_rate": 0.001 * (1 + int(trial_id))}
    return {"trial_id": trial_id, "status": "completed", "epoch": 2, "config": config, "metrics": metrics}


def sweep(*trials: dict[str, Any], metric: str = "val/worst_group_accuracy") -> dict[str, Any]:
    goals = [{"metric": metric, "direction": "max"}]
    return {"sweep": "mine-0123", "command": "campaign sweep mine", "goals": goals, "trials": list(trials)}


FIRST = sweep(
    trial("0000", "cross_entropy", 0.1, accuracy=0.75, shift=0.25),
    trial("0001", "contrastive", 0.5, accuracy=0.5, shift=0.5),
    trial("0002", "contrastive", 0.25),
    trial("0003", "cross_entropy", 0.3, accuracy=0.8, shift=0.375),
)
SECOND = sweep(
    trial("0000", "cross_entropy", 0.2, accuracy=0.5, shift=0.25),
    trial("0001", "contrastive", 0.4, accuracy=0.75, shift=0.75),
)
FACTS = {
    "uses_masks": {"cross-entropy": False, "contrastive": True},
    "num_images": {"val/accuracy": 10, "test/accuracy": 100},
}


def test_first_point_and_best_of_each_objective_are_shown() -> None:
    found = {name: row["trial_id"] for name, row in chosen(FIRST).items()}
    assert found == {"first point (cross-entropy)": "0000", "best cross-entropy": "0003", "best contrastive": "0001"}


def test_trial_that_failed_is_never_the_best() -> None:
    failed = {**trial("0004", "contrastive", 0.9), "status": "failed"}
    assert chosen({**FIRST, "trials": [*FIRST["trials"], failed]})["best contrastive"]["trial_id"] == "0001"


def test_several_seeds_have_mean_and_range() -> None:
    text = section({"command": "python -m benchmarks.results sweep mine", "sweeps": [FIRST, SECOND], **FACTS})
    assert text.startswith("## Sweep mine\n\n```\npython -m benchmarks.results sweep mine\n```\n\nA row is")
    assert "| trial | `val/worst_group_accuracy` | `test/accuracy` | `shift/far/accuracy` |" in text
    assert "| best contrastive | 0.450 (0.400, 0.500) | 0.625 (0.500, 0.750) | 0.625 (0.500, 0.750) |" in text
    assert "by `val/worst_group_accuracy` (max). That metric reads the groups of the validation images." in text
    assert "Seeds: 2, each with a search of 4 trials." in text
    assert "Trials to choose the best from, by seed: contrastive 2 and 1; cross-entropy 2 and 1. The best of" in text
    assert "The test images were read after the search alone." in text
    assert "| best contrastive | 0001 | contrastive | 0.002 |" in text


def test_one_seed_has_the_errors_that_the_trials_recorded() -> None:
    trials = [{**row, "errors": {"test/accuracy": 0.04}} for row in FIRST["trials"]]
    text = section({"sweeps": [{**FIRST, "trials": trials}], **FACTS})
    assert "| best cross-entropy | 0.300 | 0.800 ± 0.040 | 0.375 |" in text
    assert "± is the standard error of an accuracy" in text
    assert "± is" not in section({"sweeps": [FIRST], **FACTS})


def test_metric_that_some_shown_trial_lacks_is_left_out() -> None:
    lacking = sweep(trial("0000", "cross_entropy", 0.1), trial("0001", "contrastive", 0.5, accuracy=0.5))
    assert "test/accuracy" not in section({"sweeps": [lacking]}).partition("The trials behind")[0]


def test_a_setting_that_one_shown_trial_alone_has_is_shown() -> None:
    weighted = trial("0001", "contrastive", 0.5)
    weighted["config"]["objective.background_weight"] = 0.1
    text = section({"sweeps": [sweep(trial("0000", "cross_entropy", 0.1), weighted)]})
    shown = text.partition("The trials behind")[2]
    assert "| best contrastive | 0001 | contrastive | 0.1 | 0.002 |" in shown


def test_changes_are_said_in_two_sentences() -> None:
    earlier = sweep(
        {**trial("0000", "cross_entropy", 0.0), "metrics": {"val/accuracy": 0.875, "shift/far/accuracy": 0.125}},
        {**trial("0001", "contrastive", 0.0), "metrics": {"val/accuracy": 1.0, "shift/far/accuracy": 0.625}},
        metric="shift/far/accuracy",
    )
    assert changes({"sweeps": [earlier]}, {"sweeps": [SECOND]}) == (
        "Under the earlier protocol the rows had 0.125, 0.125 and 0.625 in `shift/far/accuracy` and 0.875, 0.875 and "
        "1.000 in `val/accuracy`, with the goal `shift/far/accuracy`. Now they have 0.250, 0.250 and 0.750 in "
        "`shift/far/accuracy` and 0.500, 0.500 and 0.750 in `test/accuracy`, with the goal `val/worst_group_accuracy`."
    )
    assert changes({"sweeps": [earlier]}, {"sweeps": [sweep(trial("0000", "triplet", 0.5, accuracy=0.5))]}) == ""
