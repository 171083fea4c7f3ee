"""The leaderboard on trials whose order is known."""

import io

import pytest
from rich.console import Console

from orchestrator.files.sweep_config import SweepGoal
from orchestrator.reports.leaderboard import leaderboard, leaderboard_markdown, leaderboard_table
from orchestrator.results.trial_rows import TrialRow, with_front, with_violations
from search_spaces import Constraint
from trainables.standard_error import standard_error

GOAL = (SweepGoal(metric="val/accuracy", direction="max"),)


def row(trial_id: str, accuracy: float | None, *, status: str = "completed", **config: object) -> TrialRow:
    metrics = {"val/accuracy": accuracy, "val/faithfulness/max_logit_error": 2.4e-7}
    return TrialRow(trial_id=trial_id, run_id=None, status=status, epoch=2, config=dict(config), metrics=metrics)


def test_markdown_ranks_and_aligns() -> None:
    rows = [row("a", 0.5, **{"optim.learning_rate": 0.00123456}), row("b", 0.75, **{"optim.learning_rate": 0.01})]
    assert leaderboard_markdown(rows, GOAL) == (
        "| rank | trial | learning_rate | val/accuracy | val/faithfulness/max_logit_error |\n"
        "| ---: | --- | ---: | ---: | ---: |\n"
        "| 1 | b | 0.01 | 0.750 | 2.4e-07 |\n"
        "| 2 | a | 0.00123 | 0.500 | 2.4e-07 |\n"
    )


def test_trials_without_a_rank_come_last_with_their_status() -> None:
    rows = [row("a", None, status="failed"), row("b", 0.5), row("c", 0.9, status="stopped")]
    lines = leaderboard_markdown(rows, GOAL).splitlines()
    assert lines[0].startswith("| rank | trial | status |")
    assert lines[2:] == [
        "| 1 | b | completed | 0.500 | 2.4e-07 |",
        "| – | a | failed | – | 2.4e-07 |",  # noqa: RUF001
        "| – | c | stopped | 0.900 | 2.4e-07 |",  # noqa: RUF001
    ]


def test_feasible_trials_come_first_and_the_violation_is_shown() -> None:
    rows = [row("a", 0.9, rate=1), row("b", 0.5, rate=2)]
    judged = with_violations(rows, [Constraint("val/accuracy", "<=", 0.75)])
    assert leaderboard_markdown(judged, GOAL).splitlines()[0].startswith("| rank | trial | violation | rate |")
    assert leaderboard_markdown(judged, GOAL).splitlines()[2:] == [
        "| 1 | b | 0.000 | 2 | 0.500 | 2.4e-07 |",
        "| 2 | a | 0.150 | 1 | 0.900 | 2.4e-07 |",
    ]
    styles = [str(line[0].style) for line in leaderboard_table(judged[:1], GOAL).lines]
    assert (styles, str(leaderboard_table(judged, GOAL).lines[0][0].style)) == ([""], "bold")


def of_images(found: TrialRow, num: int) -> TrialRow:
    error = standard_error(found["metrics"]["val/accuracy"] or 0.0, num)
    return {**found, "num_images": {"val/accuracy": num}, "errors": {"val/accuracy": error}}


EXPLAINED = "± is the standard error of an accuracy (Wilson) for its number of images; it does not cover the seed."
TESTED = "(z test of two proportions at 5 %)."


def test_accuracies_have_errors_and_a_line_says_how_many_do_not_differ() -> None:
    """Of 100 images, 60 and 47 right do not differ by the z test (1.84), and 60 and 45 do (2.12)."""
    rows = [of_images(row(name, value), 100) for name, value in (("a", 0.45), ("b", 0.60), ("c", 0.47))]
    assert leaderboard_markdown(rows, GOAL) == (
        "| rank | trial | val/accuracy | val/faithfulness/max_logit_error |\n"
        "| ---: | --- | ---: | ---: |\n"
        "| 1 | b | 0.600 ± 0.049 | 2.4e-07 |\n"
        "| 2 | c | 0.470 ± 0.050 | 2.4e-07 |\n"
        "| 3 | a | 0.450 ± 0.050 | 2.4e-07 |\n"
        f"\n{EXPLAINED} By val/accuracy, the first 2 trials do not differ beyond noise {TESTED}\n"
    )


@pytest.mark.parametrize(
    ("values", "goal", "said"),
    [
        ((0.60, 0.45), GOAL[0], f" By val/accuracy, the first trial differs from the second beyond noise {TESTED}"),
        ((0.60,), GOAL[0], ""),
        ((0.60, 0.45), SweepGoal(metric="val/faithfulness/max_logit_error", direction="min"), ""),
    ],
)
def test_what_is_said_of_noise(values: tuple[float, ...], goal: SweepGoal, said: str) -> None:
    rows = [of_images(row(str(value), value), 100) for value in values]
    assert leaderboard(rows, (goal,)).note == f"{EXPLAINED}{said}"
    assert printed(leaderboard_table(rows, (goal,)), 300)[-1] == f"{EXPLAINED}{said}"


def test_trials_that_break_a_constraint_are_not_compared() -> None:
    rows = [of_images(row(name, value), 100) for name, value in (("a", 0.9), ("b", 0.5), ("c", 0.49))]
    judged = with_violations(rows, [Constraint("val/accuracy", "<=", 0.75)])
    assert "the first 2 trials do not differ" in leaderboard(judged, GOAL).note


def test_with_several_goals_the_trials_best_in_the_first_are_compared() -> None:
    """b is second by its share alone; of 100 images, 60 and 55 right do not differ (0.71), and 60 and 45 do."""
    share = SweepGoal(metric="share", direction="min")
    rows = [of_images(row(name, value), 100) for name, value in (("a", 0.60), ("b", 0.45), ("c", 0.55))]
    for found, value in zip(rows, (0.5, 0.25, 0.75), strict=True):
        found["metrics"]["share"] = value
    board = leaderboard(rows, (*GOAL, share))
    assert [line.row["trial_id"] for line in board.lines] == ["a", "b", "c"]
    assert board.note == f"{EXPLAINED} By val/accuracy, the first 2 trials do not differ beyond noise {TESTED}"


def test_trials_that_did_not_record_their_images_are_shown_as_before() -> None:
    assert leaderboard([row("a", 0.60), row("b", 0.45)], GOAL).note == ""


def test_trials_of_the_front_are_marked() -> None:
    share = SweepGoal(metric="share", direction="min")
    rows = [row("a", 0.9), row("b", 0.8), row("c", 0.7), row("d", None, status="failed")]
    for found, value in zip(rows, (0.5, 0.25, 0.75, 0.0), strict=True):
        found["metrics"]["share"] = value
    lines = leaderboard_markdown(with_front(rows, [*GOAL, share]), (*GOAL, share)).splitlines()
    assert lines[0].startswith("| rank | trial | status | front | val/accuracy | share |")
    cells = [line.split(" | ")[1:4:2] for line in lines[2:]]
    assert cells == [["a", "yes"], ["b", "yes"], ["c", "–"], ["d", "–"]]  # noqa: RUF001
    assert "front" not in leaderboard_markdown(with_front(rows, GOAL), GOAL)


def test_a_metric_that_is_not_finite_has_no_rank() -> None:
    assert "| – | a | – |" in leaderboard_markdown([row("a", None), row("b", 0.1)], GOAL)  # noqa: RUF001


def test_goals_come_before_the_other_metrics() -> None:
    header = leaderboard_markdown([row("a", 0.5)], (SweepGoal(metric="other", direction="min"), *GOAL)).splitlines()[0]
    assert header == "| rank | trial | other | val/accuracy | val/faithfulness/max_logit_error |"


def test_no_rows_leave_the_header() -> None:
    assert leaderboard_markdown([], GOAL) == "| rank | trial | val/accuracy |\n| --- | --- | --- |\n"


@pytest.mark.parametrize(
    ("setting", "written"),
    [("a|b", "a\\|b"), ("<b>", "&lt;b>"), ("a\nb", "a b"), ("a\\|b", "a\\\\\\|b"), (True, "true"), (None, "–")],  # noqa: RUF001
)
def test_markdown_cells_are_escaped(setting: object, written: str) -> None:
    rows = [row("a", 0.5, field=setting), row("b", 0.4, field="plain")]
    assert f"| 1 | a | {written} |" in leaderboard_markdown(rows, GOAL)


def test_a_setting_of_a_nested_section_is_named_with_that_section() -> None:
    first, second = (row(name, 0.5, **{"training.jtt.epochs": n, "optim.kind": name}) for n, name in enumerate("ab"))
    header = leaderboard_markdown([first, second], GOAL).splitlines()[0]
    assert header.startswith("| rank | trial | jtt.epochs | optim | ")


def test_a_kind_is_named_by_its_section_and_equal_names_stay_whole() -> None:
    first = {"objective.kind": "x", "optim.kind": "x", "data.seed": 1, "seed": 1}
    second = {"objective.kind": "y", "optim.kind": "y", "data.seed": 2, "seed": 2}
    header = leaderboard_markdown([row("a", 0.5, **first), row("b", 0.4, **second)], GOAL).splitlines()[0]
    assert header.startswith("| rank | trial | objective | optim | data.seed | seed | val/accuracy |")


def printed(table: object, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines() if line.strip()]


KIND = {"objective.kind": "contrastive", "objective.background_weight": 0.123, "model.architecture": "resnet18"}
OTHER = {"objective.kind": "cross_entropy", "objective.background_weight": 4.0, "model.architecture": "small_cnn"}


def test_a_narrow_terminal_leaves_out_metrics_that_are_no_goals() -> None:
    rows = [row("a" * 9, 0.5, **KIND, **{"optim.learning_rate": 0.001}), row("b", 0.75, **OTHER)]
    assert any("2.4e-07" in line for line in printed(leaderboard_table(rows, GOAL), 120))
    lines = printed(leaderboard_table(rows, GOAL), 80)
    assert max(map(len, lines)) <= 80
    assert lines[-1] == "Not shown at this width: val/faithfulness/max_logit_error."
    assert ["2", "a" * 9, "contrastive", "0.123", "resnet18", "0.001", "0.500"] in [line.split() for line in lines]


def test_trials_with_long_names_are_blocks_at_80_columns() -> None:
    names = {f"data.a_rather_long_setting_{index}": f"value-of-some-{index}-length" for index in range(5)}
    rows = [row("trial-of-a-long-name", 0.5, **names), row("b", 0.75, **dict.fromkeys(names, "x"))]
    lines = printed(leaderboard_table(rows, GOAL), 80)
    assert lines[:2] == ["1  b", "  a_rather_long_setting_0: x"]
    start = lines.index("2  trial-of-a-long-name")
    assert lines[start + 1 :] == [
        *(f"  a_rather_long_setting_{index}: value-of-some-{index}-length" for index in range(5)),
        "  val/accuracy: 0.500",
        "  val/faithfulness/max_logit_error: 2.4e-07",
    ]


def test_terminal_table_shows_the_same_cells_and_no_markup() -> None:
    console = Console(file=io.StringIO(), width=200)
    console.print(leaderboard_table([row("[red]a", 0.5), row("b", 0.75)], GOAL))
    assert isinstance(console.file, io.StringIO)
    lines = [line.split() for line in console.file.getvalue().splitlines() if line.strip()]
    assert ["1", "b", "0.750", "2.4e-07"] in lines
    assert ["2", "[red]a", "0.500", "2.4e-07"] in lines


def test_the_epoch_is_shown_where_a_trial_chooses_it() -> None:
    best = row("a", 0.5, **{"training.epochs": 30})
    best["kept_epoch"] = 7
    stopped = row("b", 0.75, **{"training.epochs": 30, "training.early_stopping.metric": "val/loss"})
    lines = leaderboard_markdown([best, stopped, row("c", 0.25, **{"training.epochs": 30})], GOAL).splitlines()
    assert lines[0].startswith("| rank | trial | early_stopping.metric | epoch | val/accuracy | ")
    assert [line.split(" | ")[1::2][:2] for line in lines[2:]] == [["b", "2 of 30"], ["a", "7 of 30"], ["c", "2"]]
