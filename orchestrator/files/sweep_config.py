"""The frozen config of a sweep: written once to `sweep.yaml`, read by every command that continues the sweep."""

import hashlib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, field_validator

from orchestrator.files.study import NAME, Study
from search_spaces import SPACES, Space, draw_points, find_base, find_space
from trainables.config import (
    ConfigError,
    ExperimentConfig,
    SupCon,
    Triplet,
    as_first_written,
    experiment_from_tree,
    flatten,
    override,
    parse_assignments,
    read_tree,
    with_current_names,
    with_first_names,
)
from trainables.config.explain import explain
from trainables.config.section import Section

MAX_NAME = 200
"""Characters of a name. A file's may have 255 and a tag's 250, of which what is appended to a name takes some."""
NUM_DRAWN = 64
"""How many points are drawn to find out which fields a space searches."""


class SweepGoal(Section):
    """A metric the sweep optimises."""

    metric: str
    direction: Literal["max", "min"]


class SweepConfig(Section):
    """What a sweep runs. Two sweeps with the same config are the same sweep."""

    name: str = Field(pattern=NAME)
    """Its folder and its MLflow parent run."""
    campaign: str = Field(pattern=NAME)
    """Its MLflow experiment."""
    space: str | None = None
    """The search space's name or file; null for a fixed list of trials, whose folders are then made beforehand."""
    base: dict[str, Any]
    """The experiment that points are overrides of, with the user's own overrides applied."""
    set: dict[str, Any] = Field(default_factory=dict)
    """The user's overrides of sections whose kind a point chooses. They are set at each point, below what it sets."""
    goals: tuple[SweepGoal, ...]
    num_trials: int = Field(ge=1)
    seed: int = Field(default=0, ge=0)
    """Seed of the sampler; `base.seed` is that of the training."""
    asha: bool = False
    """Stop the worse trials early by the single goal."""
    max_concurrent: int | None = Field(default=None, ge=1)
    """Trials at a time; null fills the cluster."""
    max_failures: int = Field(default=1, ge=0)
    """How often a failed trial is tried again, from its last epoch. A drained node is no failure, a lost one is."""
    trial_timeout_s: float | None = Field(default=None, gt=0)
    """Seconds without a report after which a trial is ended and counts as failed; null sets no limit."""
    scale: str | None = None
    """The scale to which the trials were promoted."""
    promoted_from: dict[str, str] = Field(default_factory=dict)
    """Trial id -> MLflow run id of the trial it was promoted from."""
    study: Study | None = None
    """The study whose arms and seeds the trials are; null for any other sweep."""

    @field_validator("base", "set", mode="before")
    @classmethod
    def _renamed(cls, tree: Any) -> Any:
        return with_current_names(tree) if isinstance(tree, dict) else tree

    @property
    def identity(self) -> dict[str, Any]:
        """What decides which trials the sweep runs: not how many at a time, how often again, or what is measured."""
        tree = self.model_dump(mode="json", exclude={"max_concurrent", "max_failures", "trial_timeout_s"})
        tree["base"] = _as_first_written(self.base)
        if self.study is not None:
            tree["study"] = {key: tree["study"][key] for key in ("set", "arms", "seeds", "seed_fields")}
            del tree["goals"]
        return tree

    def experiment(self, point: dict[str, Any] | None = None) -> ExperimentConfig:
        """Return the validated experiment at `point`; ConfigError also where it does not report what is compared."""
        tree = override(self.base, {**self.set, **(point or {})})
        experiment = experiment_from_tree(tree, source=f"sweep {self.name}")
        if self.space is not None and isinstance(experiment.objective, SupCon | Triplet):
            _check_embedding(self, experiment.objective)
        return experiment


def read_sweep_config(path: Path) -> SweepConfig:
    """Read a `sweep.yaml`; ConfigError names what is wrong with it."""
    return sweep_from_tree(read_tree(path), source=str(path))


def sweep_yaml(config: SweepConfig) -> str:
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)


def sweep_of_space(
    space_name: str,
    *,
    name: str | None = None,
    campaign: str | None = None,
    num_trials: int | None = None,
    seed: int = 0,
    assignments: Sequence[str] = (),
    asha: bool | None = None,
    max_concurrent: int | None = None,
    max_failures: int = 1,
) -> SweepConfig:
    """Return the config of a sweep over a space; an argument that is None takes the space's own value.

    Raises:
        ConfigError: No such space, its base with the assignments is no valid experiment, or an assignment sets a field
            that the space searches.
    """
    space = find_space(space_name)
    base, set_ = _assigned(space, parse_assignments(assignments))
    _check_goals(space)
    use_asha = space.asha if asha is None else asha
    if use_asha:
        _check_asha(space, base)
    fields = {
        "campaign": campaign or space.name,
        "space": space_name if space_name in SPACES else str(Path(space_name).absolute()),
        "base": base.model_dump(mode="json"),
        "set": set_,
        "goals": [{"metric": goal.metric, "direction": goal.direction} for goal in space.goals],
        "num_trials": num_trials or space.num_trials,
        "seed": seed,
        "asha": use_asha,
    }
    name = f"{space.name}-{digest_of(fields)}" if name is None else name
    limits = {"max_concurrent": max_concurrent, "max_failures": max_failures}
    return sweep_from_tree({"name": name, **fields, **limits}, source="sweep")


def digest_of(sweep: Mapping[str, Any]) -> str:
    """Return 8 hex digits of what makes a sweep, with its fields as the versions that first had them wrote them."""
    tree = {**sweep, "base": with_first_names(_as_first_written(sweep["base"]))}
    if "set" in sweep:
        tree["set"] = with_first_names(sweep["set"])
    if study := sweep.get("study"):
        arms = {arm: with_first_names(overrides) for arm, overrides in study["arms"].items()}
        tree["study"] = {**study, "set": with_first_names(study["set"]), "arms": arms}
    return hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()[:8]


def _as_first_written(base: Mapping[str, Any]) -> dict[str, Any]:
    return as_first_written(experiment_from_tree(base, source="base"))


def _assigned(space: Space, assigned: Mapping[str, Any]) -> tuple[ExperimentConfig, dict[str, Any]]:
    """Return the space's base with the assignments, and those of them that have to be set at each point again."""
    at_each_point = _set_at_each_point(space, assigned)
    base = experiment_from_tree(override(find_base(space.base), assigned), source=f"space {space.name}")
    values = flatten(base)
    return base, {field: values.get(field, assigned[field]) for field in at_each_point}


def _set_at_each_point(space: Space, assigned: Collection[str]) -> list[str]:
    """Return the assigned fields of sections whose kind the space chooses; ConfigError if it searches one of them."""
    if not assigned:
        return []
    points = draw_points(space, NUM_DRAWN, seed=0)
    searched = {name for point in points for name in point}
    sometimes = {name.rpartition(".")[0] for name in searched if any(name not in point for point in points)}
    switched = {section for section in sometimes if "." in section}
    for field in assigned:
        own = {name for name in searched if _is_within(name, field) or _is_within(field, name)}
        for section in switched:
            if _is_within(field, section):
                own |= {name for name in searched if _is_within(name, section)}
        if own:
            raise ConfigError(
                f"--set {field}: space {space.name} searches {', '.join(sorted(own))}; leave it out, or write a space "
                "of your own that does not"
            )
    return [field for field in assigned if f"{field.partition('.')[0]}.kind" in searched]


def _is_within(name: str, section: str) -> bool:
    return f"{name}.".startswith(f"{section}.")


def check_name(name: str, option: str = "--name") -> None:
    """Check the name of a new run, sweep or experiment, which `option` gave; ConfigError states the rule."""
    if len(name) > MAX_NAME:
        raise ConfigError(
            f"{option}: found {name[:20]}... of {len(name)} characters; a name has at most {MAX_NAME}, since files and "
            "MLflow's tags are named after it"
        )
    if not re.fullmatch(NAME, name):
        raise ConfigError(
            f"{option}: found {name!r}; expected letters, digits, dots, underscores and hyphens, a letter or digit "
            "first"
        )


def _check_goals(space: Space) -> None:
    from trainables.evaluations import EVALUATIONS, direction

    for goal in space.goals:
        if direction(goal.metric) is None and goal.metric not in ("train/loss", "train/accuracy"):
            known = [name for spec in EVALUATIONS.values() for name, better in spec.directions.items() if better]
            raise ConfigError(
                f"space {space.name}: nothing reports its goal {goal.metric}, or neither direction of it is better; "
                f"valid metrics: train/loss, train/accuracy, {', '.join(known)}"
            )


def _check_asha(space: Space, experiment: ExperimentConfig) -> None:
    if len(space.goals) > 1:
        raise ConfigError(
            f"--asha compares trials by one metric, but space {space.name} has {len(space.goals)} goals: "
            f"{', '.join(map(str, space.goals))}"
        )
    if experiment.training.epochs < 3:
        raise ConfigError(
            f"--asha stops trials before their end, and training.epochs = {experiment.training.epochs} leaves nothing "
            "to stop; it needs at least 3"
        )
    (goal,) = space.goals
    if goal.metric.startswith("shift/") and not experiment.evaluation.shift_every_epoch:
        raise ConfigError(
            f"--asha compares trials by {goal.metric} after each epoch, which is measured only at the end while "
            "evaluation.shift_every_epoch = false; set it to true"
        )


def _check_embedding(sweep: SweepConfig, objective: SupCon | Triplet) -> None:
    """Check that trials of an embedding report the goals in time: not every epoch fits a classifier."""
    metrics = [goal.metric for goal in sweep.goals]
    if "train/accuracy" in metrics:
        raise ConfigError(
            f"sweep {sweep.name}: its goal train/accuracy is not reported by objective.kind = {objective.kind}, which "
            "trains no classifier; take val/accuracy"
        )
    if sweep.asha and metrics != ["train/loss"] and objective.fit_every_epochs != 1:
        shown = "null" if objective.fit_every_epochs is None else objective.fit_every_epochs
        raise ConfigError(
            f"--asha compares trials by {metrics[0]} after each epoch, which objective.kind = {objective.kind} reports "
            f"only where a classifier is fitted, and objective.fit_every_epochs = {shown}; set it to 1"
        )


def sweep_from_tree(tree: Mapping[str, Any], *, source: str) -> SweepConfig:
    """Validate `tree`; ConfigError names what is wrong with it."""
    try:
        return SweepConfig.model_validate(tree)
    except ValidationError as error:
        lines = [explain(problem, SweepConfig, source=source) for problem in error.errors()]
        raise ConfigError("\n".join(lines)) from error
