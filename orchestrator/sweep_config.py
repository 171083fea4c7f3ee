"""The frozen config of a sweep: written once to `sweep.yaml`, read by everything that continues it."""

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError

from search_spaces import Goal
from trainables.config import ConfigError, ExperimentConfig, experiment_from_tree, override
from trainables.config.explain import explain
from trainables.config.loading import read_tree
from trainables.config.section import Section


class SweepGoal(Section):
    """A metric the sweep optimises."""

    metric: str
    direction: Literal["max", "min"]

    def goal(self) -> Goal:
        return Goal(self.metric, self.direction)


class SweepConfig(Section):
    """What a sweep runs. Two sweeps with the same config are the same sweep."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Its folder and its MLflow parent run."""
    campaign: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Its MLflow experiment."""
    space: str | None = None
    """The search space's name or file; null for a fixed list of trials, whose folders are then made beforehand."""
    base: dict[str, Any]
    """The experiment that points are overrides of, with the user's own overrides applied."""
    goals: tuple[SweepGoal, ...]
    num_trials: int = Field(ge=1)
    seed: int = Field(default=0, ge=0)
    """Seed of the sampler; `base.seed` is that of the training."""
    asha: bool = False
    """Stop the worse trials early by the single goal."""
    max_concurrent: int | None = Field(default=None, ge=1)
    """Trials at a time; null fills the cluster."""
    max_failures: int = Field(default=1, ge=0)
    """How often a failed trial is tried again, from its last epoch."""
    scale: str | None = None
    """The scale to which the trials were promoted."""
    promoted_from: dict[str, str] = Field(default_factory=dict)
    """Trial id -> MLflow run id of the trial it was promoted from."""

    def experiment(self, point: dict[str, Any] | None = None) -> ExperimentConfig:
        """Return the validated experiment at `point`."""
        return experiment_from_tree(override(self.base, point or {}), source=f"sweep {self.name}")


def read_sweep_config(path: Path) -> SweepConfig:
    """Read a `sweep.yaml`; ConfigError names what is wrong with it."""
    try:
        return SweepConfig.model_validate(read_tree(path))
    except ValidationError as error:
        lines = [explain(problem, SweepConfig, source=str(path)) for problem in error.errors()]
        raise ConfigError("\n".join(lines)) from error


def sweep_yaml(config: SweepConfig) -> str:
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)
