"""A constrained sweep on real pets: of the networks that are right often enough, the one with the least share."""

import json
import statistics
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from orchestrator.files.sweep_folder import SweepFolder
from orchestrator.tracking import connect
from tests.integration.conftest import Shell

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.data, pytest.mark.timeout(1200)]

ACCURACY, SHARE = "val/accuracy", "val/background/influence_share"
NUM_TRIALS = 6
SPACE = {
    "base": "pets-species",
    "goals": {SHARE: "min"},
    "num_trials": NUM_TRIALS,
    "parameters": {
        "objective.kind": {"type": "categorical", "choices": ["cross_entropy", "contrastive"]},
        "objective.background_weight": {
            "type": "float",
            "low": 0.01,
            "high": 3.0,
            "log": True,
            "when": {"objective.kind": "contrastive"},
        },
        "optim.learning_rate": {"type": "float", "low": 0.0005, "high": 0.003, "log": True},
    },
}
LEAN = (
    "--set=data.image_size=32",
    "--set=model.kind=small_cnn",
    "--set=model.width=8",
    "--set=evaluation.panel_images=0",
    "--set=training.epochs=3",
)


@dataclass(frozen=True)
class Constrained:
    """A sweep whose constraint about half of the points keep, by a sweep of the same points without it."""

    shell: Shell
    bound: float
    document: dict[str, Any]

    @property
    def folder(self) -> SweepFolder:
        return self.shell.sweep("bound")

    @property
    def table(self) -> dict[str, dict[str, float]]:
        """Trial id -> its metrics, read from the files and by nothing of ours."""
        return {path.name: measured(path) for path in sorted(self.folder.trials_path.iterdir())}

    @property
    def ranking(self) -> list[str]:
        """The trials by brute force: those that keep the bound by their share, then the others by how far they miss."""
        table = self.table
        missing = {trial_id: max(0.0, self.bound - row[ACCURACY]) for trial_id, row in table.items()}
        return sorted(table, key=lambda trial_id: (missing[trial_id], table[trial_id][SHARE]))


def measured(trial: Any) -> dict[str, float]:
    last = (trial / "metrics.jsonl").read_text(encoding="utf-8").splitlines()[-1]
    return {**json.loads(last), **json.loads((trial / "evaluation.json").read_text(encoding="utf-8"))}


@pytest.fixture(scope="module")
def constrained(real_images_root: str, tmp_path_factory: pytest.TempPathFactory) -> Constrained:
    shell = Shell(tmp_path_factory.mktemp("constrained"))
    (shell.storage / "share.yaml").write_text(yaml.safe_dump(SPACE, sort_keys=False), encoding="utf-8")
    options = ("share.yaml", f"--set=data.root={real_images_root}", "--json", *LEAN)
    free = shell.run("sweep", "--name=free", *options)
    assert free.code == 0, free.err
    bound = statistics.median_high(trial["metrics"][ACCURACY] for trial in free.document["trials"])
    ran = shell.run("sweep", "--name=bound", f"--constraint={ACCURACY} >= {bound}", *options)
    assert ran.code == 0, ran.err
    return Constrained(shell, bound, ran.document)


def test_best_is_the_feasible_trial_with_the_least_share_by_brute_force(constrained: Constrained) -> None:
    table = constrained.table
    shares = {trial_id: row[SHARE] for trial_id, row in table.items() if row[ACCURACY] >= constrained.bound}
    assert 0 < len(shares) < len(table) == NUM_TRIALS
    (best,) = constrained.document["best"]
    assert best["trial_id"] == min(shares, key=shares.__getitem__) == constrained.ranking[0]
    assert best["metrics"][SHARE] == min(shares.values())


def test_leaderboard_promotion_and_champion_agree_with_it(constrained: Constrained) -> None:
    shell, first = constrained.shell, constrained.ranking[0]
    board = shell.run("leaderboard", "bound", "--json").document
    assert [trial["trial_id"] for trial in board["best"]] == [first]
    lines = [line.split() for line in shell.run("leaderboard", "bound").out.splitlines()]
    shown = [word for line in lines for word in line if word in constrained.table]
    assert list(dict.fromkeys(shown)) == constrained.ranking
    dry = shell.run("promote", "bound", "--scale=imagenet-s-mini", "--dry-run", "--json").document
    assert {line.split()[0] for line in dry["differences"]} == {first}
    client, campaign = connect(shell.store), constrained.folder.config().campaign
    (best,) = board["best"]
    assert client.get_model_version_by_alias(campaign, "champion").run_id == best["run_id"]
