"""Lines of trials."""

from orchestrator.reports.line_styles import line_styles
from orchestrator.reports.theme import LIGHT
from orchestrator.results.trial_rows import TrialRow


def row(kind: str) -> TrialRow:
    config = {"objective.kind": kind}
    return TrialRow(trial_id="a", run_id=None, status="completed", epoch=1, config=config, metrics={})


def test_cross_entropy_is_broken_and_in_ink_and_no_two_runs_look_alike() -> None:
    styles = line_styles(list(map(row, ("contrastive", "cross_entropy", "contrastive", "cross_entropy", "other"))))
    assert [(style.colour, style.dash) for style in styles] == [
        ("accent", "solid"),
        ("ink", "dash"),
        ("scale_middle", "solid"),
        ("muted", "dot"),
        ("scale_low", "solid"),
    ]


def test_cross_entropy_with_a_part_is_no_reference() -> None:
    noisy = row("cross_entropy")
    noisy["config"]["objective.background_noise"] = 0.5
    assert [style.colour for style in line_styles([noisy, row("cross_entropy")])] == ["accent", "ink"]


def test_more_runs_than_styles_start_again() -> None:
    styles = line_styles([row("contrastive")] * 5)
    assert styles[4] == styles[0]


def test_figure_and_key_show_the_same_line() -> None:
    (style,) = line_styles([row("cross_entropy")])
    assert style.plotly == {"color": LIGHT["ink"], "dash": "dash"}
    assert style.css == "--line: var(--ink); --dash: dashed"
