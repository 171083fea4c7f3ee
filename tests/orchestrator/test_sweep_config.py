"""From a command's arguments to the frozen config of a sweep."""

from pathlib import Path

import pytest

from orchestrator.sweep_config import read_sweep_config, sweep_of_space, sweep_yaml
from search_spaces import SPACES
from trainables.config import ConfigError

SPACE = "digits-background-weight"
MINE = """
from search_spaces import Goal, Space
SPACE = Space(name="mine", summary="-", base="digits", suggest=print, num_trials=2, asha=True,
              goals=(Goal("val/accuracy", "max"),))
"""


def test_what_is_left_out_is_the_spaces_own() -> None:
    config = sweep_of_space(SPACE)
    assert (config.campaign, config.space, config.num_trials) == (SPACE, SPACE, SPACES[SPACE].num_trials)
    assert [(goal.metric, goal.direction) for goal in config.goals] == [("shift/random_background/accuracy", "max")]
    assert config.experiment().training.epochs == 8


def test_assignments_change_the_base_and_points_change_the_experiment() -> None:
    config = sweep_of_space(SPACE, assignments=["training.epochs=3", "seed=5"])
    experiment = config.experiment({"optim.learning_rate": 0.5})
    assert (experiment.training.epochs, experiment.seed, experiment.optim.learning_rate) == (3, 5, 0.5)


def test_name_follows_from_what_is_searched() -> None:
    name = sweep_of_space(SPACE).name
    assert name.startswith(f"{SPACE}-")
    assert sweep_of_space(SPACE, max_concurrent=1).name == name
    others = {
        sweep_of_space(SPACE, seed=1).name,
        sweep_of_space(SPACE, num_trials=3).name,
        sweep_of_space(SPACE, assignments=["seed=1"]).name,
        sweep_of_space(SPACE, asha=True).name,
    }
    assert len(others | {name}) == 5


def test_config_round_trips_through_its_file(tmp_path: Path) -> None:
    config = sweep_of_space(SPACE, name="a", num_trials=3, max_concurrent=2)
    path = tmp_path / "sweep.yaml"
    path.write_text(sweep_yaml(config), encoding="utf-8")
    assert read_sweep_config(path) == config


def test_space_file_is_kept_by_its_full_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text(MINE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    config = sweep_of_space("mine.py")
    assert config.space == str(tmp_path / "mine.py")
    assert config.campaign == "mine"
    assert config.asha
    assert not sweep_of_space("mine.py", asha=False).asha


@pytest.mark.parametrize("name", ["a/b", "", " a", "../a", ".hidden", "a b"])
def test_name_that_is_no_folder_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=r"sweep: campaign: found"):
        sweep_of_space(SPACE, name="a", campaign=name or " ")


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        (
            "optim.rate=1",
            r"space digits-background-weight: optim\.rate: unknown field .* valid fields: .*learning_rate",
        ),
        ("training.epochs=many", r"training\.epochs: found 'many'; "),
        ("optim.warmup_epochs=8", r"optim\.warmup_epochs = 8\.0 must be below training\.epochs = 8"),
    ],
)
def test_base_that_is_no_experiment_is_refused(assignment: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        sweep_of_space(SPACE, assignments=[assignment])


@pytest.mark.parametrize(
    ("space", "assignments", "message"),
    [
        ("pets-species", [], "space pets-species has 2 goals: val/accuracy"),
        (SPACE, ["training.epochs=2"], r"training\.epochs = 2 leaves nothing to stop; it needs at least 3"),
        (
            SPACE,
            ["evaluation.shift_every_epoch=false"],
            r"measured only at the end while evaluation\.shift_every_epoch",
        ),
    ],
)
def test_asha_that_could_stop_nothing_is_refused(space: str, assignments: list[str], message: str) -> None:
    assert not sweep_of_space(space, assignments=assignments).asha
    with pytest.raises(ConfigError, match=message):
        sweep_of_space(space, assignments=assignments, asha=True)


def test_file_with_another_field_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text(sweep_yaml(sweep_of_space(SPACE, name="a")) + "trials: 3\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"sweep\.yaml: trials: unknown field .*num_trials"):
        read_sweep_config(path)


def test_goal_that_nothing_reports_is_refused(tmp_path: Path) -> None:
    space = tmp_path / "typo.py"
    space.write_text(
        "from search_spaces import Goal, Space\n"
        "def suggest(trial): trial.suggest_float('optim.learning_rate', 1e-4, 1e-2)\n"
        "SPACE = Space(name='typo', summary='', base='digits', suggest=suggest, num_trials=1,\n"
        "              goals=(Goal('val/acuracy', 'max'),))\n"
    )
    with pytest.raises(ConfigError, match=r"val/acuracy is reported by nothing; valid metrics: .*val/accuracy"):
        sweep_of_space(str(space))
