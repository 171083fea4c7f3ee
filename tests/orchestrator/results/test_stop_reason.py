"""A rule is reached by the trials that ended, worked out by hand."""

import pytest

from orchestrator.files.stop_rule import NoImprovement, StopRule, parse_stop_rule
from orchestrator.files.sweep_config import SweepGoal
from orchestrator.results.stop_reason import stop_reason
from orchestrator.results.trial_rows import TrialRow, with_violations
from search_spaces import Constraint
from trainables.config import ConfigError

MAX = SweepGoal(metric="accuracy", direction="max")
MIN = SweepGoal(metric="share", direction="min")
TARGET = Constraint("accuracy", ">=", 0.75)


def rows(*pairs: tuple[float | None, float | None], failed: int | None = None) -> list[TrialRow]:
    return [
        TrialRow(
            trial_id=f"{number:04d}",
            run_id=None,
            status="failed" if number == failed else "completed",
            epoch=1,
            config={},
            metrics={"accuracy": accuracy, "share": share},
        )
        for number, (accuracy, share) in enumerate(pairs)
    ]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("no improvement for 10", NoImprovement(10)),
        (" no improvement for 1 trial", NoImprovement(1)),
        ("val/accuracy >= 0.95", Constraint("val/accuracy", ">=", 0.95)),
    ],
)
def test_rule_is_read_and_written_again(text: str, rule: StopRule) -> None:
    assert parse_stop_rule(text) == rule
    assert parse_stop_rule(str(rule)) == rule


@pytest.mark.parametrize("text", ["no improvement for 0", "no improvement", "val/accuracy"])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(
        ConfigError, match=r"--stop-when: found .* such as 'val/accuracy >= 0.9', or 'no improvement for 10'"
    ):
        parse_stop_rule(text)


def test_target_is_reached_by_the_first_trial_that_has_it() -> None:
    found = rows((0.5, 0.5), (0.75, 0.5), (1.0, 0.5))
    assert stop_reason(TARGET, found[:1], [MAX]) is None
    assert stop_reason(TARGET, found, [MIN]) == "trial 0001 has 0.750"
    assert stop_reason(TARGET, rows((1.0, 0.5), failed=0), [MAX]) is None


def test_target_counts_for_feasible_trials_alone() -> None:
    found = with_violations(rows((0.75, 0.5), (0.75, 0.25)), [Constraint("share", "<=", 0.25)])
    assert stop_reason(TARGET, found, [MAX]) == "trial 0001 has 0.750"


def test_trials_without_improvement_are_counted_from_the_best() -> None:
    found = rows((0.5, 0.5), (0.75, 0.5), (0.75, 0.5), (0.25, 0.5))
    assert stop_reason(NoImprovement(2), found, [MAX]) == "trial 0001 was the last to improve"
    assert stop_reason(NoImprovement(3), found, [MAX]) is None
    assert stop_reason(NoImprovement(2), [*found[:3], *rows(*[(0.0, 0.0)] * 4, failed=3)[3:]], [MAX]) is None
    assert stop_reason(NoImprovement(1), [], [MAX]) is None


def test_of_several_goals_a_new_point_of_the_front_is_an_improvement() -> None:
    found = rows((0.5, 0.25), (0.25, 0.5), (0.75, 0.5), (0.75, 0.5))
    assert stop_reason(NoImprovement(1), found, [MAX, MIN]) == "trial 0002 was the last to improve"
    assert stop_reason(NoImprovement(2), found, [MAX, MIN]) is None


def test_without_a_feasible_trial_a_smaller_violation_is_an_improvement() -> None:
    found = with_violations(rows((0.5, 0.5), (0.25, 0.75), (0.75, 1.0)), [Constraint("share", "<=", 0.25)])
    assert stop_reason(NoImprovement(2), found, [MAX]) == "trial 0000 was the last to improve"
    assert stop_reason(NoImprovement(1), found[:1], [MAX]) is None
