"""The frozen config of a sweep: written once to `sweep.yaml`, read by every command that continues the sweep."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, Field, ValidationError, field_validator

from orchestrator.files.search_metrics import check_embedding
from orchestrator.files.stop_rule import StopRule, parse_stop_rule
from orchestrator.files.study import NAME, Study
from search_spaces import Constraint, SamplerName, Space, find_space
from trainables.config import (
    ConfigError,
    ExperimentConfig,
    SupCon,
    Triplet,
    as_first_written,
    experiment_from_tree,
    override,
    read_tree,
    with_current_names,
    with_first_names,
)
from trainables.config.explain import explain
from trainables.config.section import ADDED_LATER, Section, marks
from trainables.metric_names import current_metric

MAX_NAME = 200
"""Characters of a name. A file's may have 255 and a tag's 250, of which what is appended to a name takes some."""
LIMITS = {"max_concurrent", "max_failures", "trial_timeout_s", "time_budget_s", "stop_when"}
"""Fields that do not decide which trials the sweep runs: how many at a time, how often again, or when to end."""


class SweepGoal(Section):
    """A metric the sweep optimises."""

    metric: Annotated[str, AfterValidator(current_metric)]
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
    files: dict[str, dict[str, str]] = Field(default={}, json_schema_extra=ADDED_LATER)
    """The name, in an arm or a point, of a file of networks -> `file` and `source` as the sweep was made."""
    goals: tuple[SweepGoal, ...]
    constraints: tuple[Constraint, ...] = Field(default=(), json_schema_extra=ADDED_LATER)
    """What a trial must keep to be feasible; feasible trials rank first."""
    sampler: SamplerName = Field(default="tpe", json_schema_extra=ADDED_LATER)
    """Which of Optuna's samplers draws the points."""
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
    time_budget_s: float | None = Field(default=None, gt=0, json_schema_extra=ADDED_LATER)
    """Seconds, over all drivers, after which no trial is started; null sets no limit."""
    stop_when: tuple[str, ...] = Field(default=(), json_schema_extra=ADDED_LATER)
    """Rules that end the search early: `val/accuracy >= 0.95`, or `no improvement for 10`."""
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
        """What decides which trials the sweep runs, as the versions that first had its fields wrote it."""
        fields = type(self).model_fields.items()
        new = {name for name, field in fields if marks(field) and getattr(self, name) == field.default}
        tree = self.model_dump(mode="json", exclude={*LIMITS, *new})
        tree["base"] = _as_first_written(self.base)
        if self.study is not None:
            tree["study"] = {key: tree["study"][key] for key in ("set", "arms", "seeds", "seed_fields")}
            del tree["goals"]
        return tree

    @property
    def searched_space(self) -> Space:
        """The sweep's space, with the sampler and the constraints that the sweep has."""
        assert self.space is not None
        return replace(find_space(self.space), sampler=self.sampler, constraints=self.constraints, asha=self.asha)

    @property
    def stop_rules(self) -> tuple[StopRule, ...]:
        """What ends the search early."""
        return tuple(map(parse_stop_rule, self.stop_when))

    def overridden(self, *overrides: Mapping[str, Any]) -> dict[str, Any]:
        """Return the tree of the base with overrides, one after the other; a file of networks is not read again."""
        tree = self.base
        for each in overrides:
            tree = override(tree, each)
        model = tree.get("model")
        if isinstance(model, dict) and not model.get("source"):
            return {**tree, "model": {**model, **self.files.get(str(model.get("file")), {})}}
        return tree

    def experiment(self, point: dict[str, Any] | None = None) -> ExperimentConfig:
        """Return the validated experiment at `point`; ConfigError also where it does not report what is compared."""
        tree = self.overridden({**self.set, **(point or {})})
        experiment = experiment_from_tree(tree, source=f"sweep {self.name}")
        if self.space is not None and isinstance(experiment.objective, SupCon | Triplet):
            check_embedding(self.name, [goal.metric for goal in self.goals], experiment.objective, asha=self.asha)
        return experiment


def read_sweep_config(path: Path) -> SweepConfig:
    """Read a `sweep.yaml`; ConfigError names what is wrong with it."""
    return sweep_from_tree(read_tree(path), source=str(path))


def sweep_yaml(config: SweepConfig) -> str:
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)


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


def sweep_from_tree(tree: Mapping[str, Any], *, source: str) -> SweepConfig:
    """Validate `tree`; ConfigError names what is wrong with it."""
    try:
        return SweepConfig.model_validate(tree)
    except ValidationError as error:
        lines = [explain(problem, SweepConfig, source=source) for problem in error.errors()]
        raise ConfigError("\n".join(lines)) from error
