"""A space in YAML is the one that Python would define, and an error names its file and key."""

import pickle
from pathlib import Path
from typing import Any

import optuna
import pytest

from search_spaces import Constraint, Goal, Space, draw_points, find_space
from trainables.config import ConfigError

SPACE = """
base: digits
goals: {val/accuracy: max, val/loss: min}
constraints: [val/accuracy >= 0.9]
sampler: gp
num_trials: 12
parameters:
  objective.kind: {type: categorical, choices: [cross_entropy, contrastive]}
  objective.background_weight: {type: float, low: 1e-2, high: 10, log: true, when: {objective.kind: contrastive}}
  noise: {type: categorical, choices: [false, true]}
  objective.background_noise:
    {type: float, low: 0, high: 1, step: 0.25, when: {noise: true, objective.kind: [contrastive, cross_entropy]}}
  training.epochs: {type: int, low: 2, high: 8, step: 2}
first_points:
  - {objective.kind: cross_entropy, noise: false, training.epochs: 8}
"""


def suggest(trial: optuna.Trial) -> None:
    """The same in Python."""
    kind = trial.suggest_categorical("objective.kind", ["cross_entropy", "contrastive"])
    if kind == "contrastive":
        trial.suggest_float("objective.background_weight", 0.01, 10, log=True)
    if trial.suggest_categorical("noise", [False, True]):
        trial.suggest_float("objective.background_noise", 0, 1, step=0.25)
    trial.suggest_int("training.epochs", 2, 8, step=2)


def write(folder: Path, text: str = SPACE) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_file_is_the_space_that_python_defines(tmp_path: Path) -> None:
    found = find_space(str(write(tmp_path)))
    first = ({"objective.kind": "cross_entropy", "noise": False, "training.epochs": 8},)
    goals = (Goal("val/accuracy", "max"), Goal("val/loss", "min"))
    constraints = (Constraint("val/accuracy", ">=", 0.9),)
    python = Space(
        name="mine", summary="", base="digits", suggest=suggest, goals=goals, constraints=constraints, sampler="gp",
        num_trials=12, first_points=first,
    )  # fmt: skip
    fields = ("name", "summary", "base", "goals", "constraints", "sampler", "num_trials", "asha", "first_points")
    assert [getattr(found, field) for field in fields] == [getattr(python, field) for field in fields]
    assert draw_points(found, 40, seed=3) == draw_points(python, 40, seed=3)


def test_space_can_be_pickled_as_tune_does(tmp_path: Path) -> None:
    found = find_space(str(write(tmp_path)))
    assert draw_points(pickle.loads(pickle.dumps(found)), 4, seed=0) == draw_points(found, 4, seed=0)


def test_base_lies_next_to_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, SPACE.replace("base: digits", "base: sub/base.yaml"))
    assert find_space(str(path)).base == str(tmp_path / "sub" / "base.yaml")


def parameter(**fields: Any) -> str:
    inner = ", ".join(f"{name}: {value}" for name, value in fields.items())
    return (
        f"base: digits\nnum_trials: 1\ngoals: {{val/accuracy: max}}\nparameters:\n  optim.learning_rate: {{{inner}}}\n"
    )


RATE = "parameters.optim.learning_rate"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("base: digits\n", "goals: required, but not given"),
        (f"{SPACE}trials: 3\n", "trials: unknown field"),
        (SPACE.replace("gp", "gpp"), "sampler: found 'gpp'; input should be 'tpe', 'gp', 'cmaes'"),
        (SPACE.replace(": max", ": up"), "goals.val/accuracy: found 'up'; input should be 'max' or 'min'"),
        (SPACE.replace(">= 0.9", "> 0.9"), r"constraints\[0\]: found 'val/accuracy > 0.9'; expected a metric, >= or"),
        (SPACE.replace("goals: {val/accuracy: max, val/loss: min}", "goals: {}"), "needs at least one goal"),
        (SPACE.replace("num_trials: 12", "asha: true\nnum_trials: 12"), "space mine: asha compares trials by"),
        (
            SPACE.replace("when: {objective.kind: contrastive}", "when: {objective.kid: contrastive}"),
            "parameters.objective.background_weight.when: objective.kid is no parameter above it; those are objective",
        ),
        (
            SPACE.replace("when: {objective.kind: contrastive}", "when: {objective.kind: constrastive}"),
            "background_weight.when.objective.kind: found 'constrastive', which objective.kind never is; its",
        ),
        (parameter(type="real", low=1, high=2), f"{RATE}.type: found 'real'; input should be 'float', 'int' or 'categ"),
        (parameter(type="float", low=1), f"{RATE}: type = float takes low and high, and may take .*; found low"),
        (parameter(type="float", low=2, high=1), f"{RATE}: found low = 2 and high = 1; expected low <= high"),
        (parameter(type="float", low=0, high=1, log="true"), f"{RATE}: .* expected 0 < low <= high"),
        (parameter(type="float", low=1, high=2, log="true", step=1), f"{RATE}: log and step exclude each other"),
        (parameter(type="float", low="small", high=2), f"{RATE}.low: found 'small'; input should be a valid number"),
        (parameter(type="int", low=1, high=2.5), f"{RATE}: type = int takes integers; found .* = 1.0, 2.5"),
        (parameter(type="categorical", choices="[]"), f"{RATE}.choices: choices takes single values, at least one"),
        (parameter(type="categorical", choices="[[1]]"), f"{RATE}.choices: choices takes single values"),
        (parameter(type="categorical", low=1, high=2), f"{RATE}: type = categorical takes choices; found low, high"),
        (parameter(type="int", low=1, high=2, lag=3), f"{RATE}.lag: unknown field .*did you mean log"),
    ],
)  # fmt: skip
def test_error_names_the_file_and_the_key(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError, match=f"^{path}: .*{message}"):
        find_space(str(path))


def test_first_point_that_the_parameters_lack_is_refused_with_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, SPACE.replace("training.epochs: 8}", "training.epocs: 8}"))
    with pytest.raises(ConfigError, match=rf"space mine \({path}\): first_points\[0\] sets training.epocs"):
        draw_points(find_space(str(path)), 1, seed=0)
