"""What ships loads and samples valid configs; what does not exist is refused with the names that do."""

from itertools import product
from pathlib import Path

import optuna
import pytest

import search_spaces
from orchestrator.launch.transfer import RULES
from search_spaces import SPACES, Space, find_base, find_scale, find_space, find_study, overrides_of
from trainables.config import ConfigError, experiment_from_tree, flatten, override, read_tree
from trainables.evaluations import direction

HERE = Path(search_spaces.__file__).parent
NUM_SAMPLES = 100


def shipped(folder: str) -> list[Path]:
    return sorted(path.relative_to(HERE) for path in (HERE / folder).rglob("*.yaml"))


@pytest.fixture(params=SPACES.values(), ids=SPACES.keys())
def space(request: pytest.FixtureRequest) -> Space:
    found: Space = request.param
    return found


def sample(space: Space, number: int) -> list[dict[str, object]]:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    points = []
    for _ in range(number):
        trial = study.ask()
        space.suggest(trial)
        points.append(overrides_of(trial.params))
    return points


def test_every_yaml_file_is_a_base_a_scale_or_a_study() -> None:
    assert shipped(".") == sorted([*shipped("bases"), *shipped("scales"), *shipped("studies")])
    assert shipped("bases")
    assert shipped("scales")


@pytest.mark.parametrize("path", shipped("bases"), ids=str)
def test_base_is_a_valid_experiment(path: Path) -> None:
    experiment_from_tree(find_base(path.stem), source=str(path))


@pytest.mark.parametrize("path", shipped("scales"), ids=str)
def test_scale_fits_some_base(path: Path) -> None:
    tree = find_scale(path.stem)
    assert {"set"} <= set(tree) <= {"set", "transfer"}
    assert set(tree.get("transfer", [])) <= set(RULES)
    fits = []
    for base in shipped("bases"):
        try:
            fits.append(experiment_from_tree(override(read_tree(HERE / base), tree["set"])))
        except ConfigError:
            continue
    assert fits


def test_space_is_found_by_its_name(space: Space) -> None:
    assert find_space(space.name) is space
    assert space.summary


def test_every_sample_is_a_valid_config_of_named_fields(space: Space) -> None:
    base = find_base(space.base)
    for point in sample(space, NUM_SAMPLES):
        config = flatten(experiment_from_tree(override(base, point), source=space.name))
        assert {field: config[field] for field in point} == point


def test_first_points_are_valid_and_complete(space: Space) -> None:
    study = optuna.create_study()
    for point in space.first_points:
        study.enqueue_trial(dict(point))
        trial = study.ask()
        space.suggest(trial)
        assert trial.params == point
        experiment_from_tree(override(find_base(space.base), overrides_of(point)), source=space.name)


def test_goals_are_metrics_in_their_better_direction(space: Space) -> None:
    for goal in space.goals:
        assert direction(goal.metric) == goal.direction


def test_a_parameter_is_there_only_where_its_part_is_on() -> None:
    sampled = sample(find_space("pets-objective"), NUM_SAMPLES)
    weighted = [point for point in sampled if "objective.background_weight" in point]
    assert {point["objective.kind"] for point in weighted} == {"contrastive"}
    parts = ("objective.divergence.weight", "objective.sliced_wasserstein.weight", "objective.background_noise")
    assert {tuple(part in point for part in parts) for point in sampled} == set(product([False, True], repeat=3))


def test_choices_of_the_space_s_own_are_no_fields() -> None:
    assert overrides_of({"seed": 3, "noise": True, "optim.learning_rate": 0.1}) == {
        "seed": 3,
        "optim.learning_rate": 0.1,
    }


def test_space_of_the_users_own_is_found_by_its_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "from search_spaces import Goal, Space\n"
        "def suggest(trial):\n"
        "    trial.suggest_float('optim.learning_rate', 0.1, 0.2)\n"
        "SPACE = Space(name='mine', summary='-', base='digits', suggest=suggest,\n"
        "              goals=(Goal('val/accuracy', 'max'),), num_trials=2)\n",
        encoding="utf-8",
    )
    found = find_space(str(path))
    (point,) = sample(found, 1)
    assert found.name == "mine"
    assert 0.1 <= float(str(point["optim.learning_rate"])) <= 0.2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\n", r"mine\.py defines no SPACE of type search_spaces\.Space; found NoneType"),
        ("SPACE = 3\n", "found int"),
        ("def suggest(:\n", r"mine\.py: SyntaxError: invalid syntax \(mine\.py, line 1\)"),
        ("import no_such_module\n", r"mine\.py, line 1: ModuleNotFoundError: No module named 'no_such_module'"),
        ("import sys\nsys.exit(1)\n", r"mine\.py, line 2: SystemExit: 1"),
        ("raise BaseException('two\\nlines')\n", r"mine\.py, line 1: BaseException: two lines$"),
        ("x = 1\n\n1 / 0\n", r"mine\.py, line 3: ZeroDivisionError: division by zero"),
    ],
)
def test_file_without_a_space_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.py"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        find_space(str(path))


def test_unknown_space_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ConfigError, match=r"no space 'digit'; valid names: .*digits-background-weight, .*pets-species"):
        find_space("digit")


def test_missing_space_file_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"space file absent\.py cannot be read: No such file"):
        find_space("absent.py")


@pytest.mark.parametrize(
    ("find", "message"),
    [
        (find_base, "no base config 'absent'; valid names: .*digits, .*or the path of a YAML file"),
        (find_scale, "no scale 'absent'; valid names: .*digits-full.*, or the path of a YAML file"),
        (find_study, "no study 'absent'; valid names: .*digits-shortcut.*, or the path of a YAML file"),
    ],
)
def test_unknown_yaml_is_refused_with_the_names_there_are(find: object, message: str) -> None:
    assert callable(find)
    with pytest.raises(ConfigError, match=message):
        find("absent")


def test_yaml_of_the_users_own_is_found_by_its_file(tmp_path: Path) -> None:
    path = tmp_path / "digits.yml"
    path.write_text("seed: 7\n", encoding="utf-8")
    assert find_base(str(path)) == find_scale(str(path)) == {"seed": 7}
    assert find_study(str(path)) == (path, {"seed": 7})
