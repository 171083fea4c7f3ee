"""What `campaign study` refuses, in one clear line and before anything is left behind."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli import launching
from orchestrator.launch.study import StudyOutcome
from orchestrator.launch.sweep import SweepOutcome

Cli = Callable[..., Any]
SHORTCUT = "digits-shortcut"
TUNED = """
name: tuned
summary: Does it help?
base: digits
arms: {plain: {}, penalty: {objective.kind: contrastive}}
tuning:
  metric: val/loss
  seed: 7
  settings: {plain: [{}], penalty: [{}]}
metrics: [test/accuracy]
"""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("digits",), "no study 'digits'; valid names: composed-pets, composed-pets-masks, digits-budget, "),
        ((SHORTCUT, "--arms", "corn"), "study digits-shortcut has no arm corn; its arms: cross-entropy, edits, corm, "),
        ((SHORTCUT, "--arms", "corm"), "--arms corm leaves out cross-entropy, which the arms of study digits-shortcut"),
        ((SHORTCUT, "--seeds", "0;1"), "--seeds: found '0;1'; expected whole numbers joined by commas"),
        ((SHORTCUT, "--seeds", ""), "--seeds: found ''"),
        ((SHORTCUT, "--seeds", "1,1"), "seeds has 1 twice"),
        ((SHORTCUT, "--seeds", "-1"), "seeds.0: found -1"),
        ((SHORTCUT, "--set", "optim.rate=1"), "study digits-shortcut, base digits: optim.rate: unknown field"),
        ((SHORTCUT, "--name", "a/b"), "name: found 'a/b'"),
        ((SHORTCUT, "--set", "resources.gpus=100"), "needs 100 GPU where the cluster has"),
        (("pets-species", "--set", "data.root=/absent"), "/absent"),
        ((SHORTCUT, "--tracking-uri", "http://127.0.0.1:9"), "MLflow store http://127.0.0.1:9"),
    ],
)
def test_users_error_is_one_clear_line(arguments: tuple[str, ...], message: str, cli: Cli, tmp_path: Path) -> None:
    ran = cli("study", *arguments, "--storage", tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err.splitlines()[-1]
    assert "Traceback" not in ran.err
    assert list(tmp_path.iterdir()) == []


def test_study_needs_a_name(cli: Cli) -> None:
    assert cli("study").code == 2


def test_arm_whose_candidates_all_failed_is_a_failure_and_no_users_error(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tuned.yaml").write_text(TUNED)
    trained = _candidates(plain=None, penalty=0.5)
    monkeypatch.setattr(launching, "_run", lambda *_: trained)
    ran = cli("study", tmp_path / "tuned.yaml", "--name", "mine", "--storage", tmp_path)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.splitlines() == [
        "1 trial failed; try again with: campaign resume mine-tuning --retry-failed",
        "error: study tuned: no candidate of arm plain has completed with val/loss; see why with: "
        "campaign leaderboard mine-tuning",
    ]


def _candidates(**losses: float | None) -> StudyOutcome:
    """Return candidates of which each arm has one; None where its training failed."""
    arms = [{"arm": f"{arm}.1", "figures": {"val/loss": {"mean": loss}}} for arm, loss in losses.items()]
    result: Any = {"sweep": "mine-tuning", "arms": arms}
    failed = sum(loss is None for loss in losses.values())
    return StudyOutcome(SweepOutcome(document={}, unfinished=0, failed=failed), result, document={}, not_evaluated={})
