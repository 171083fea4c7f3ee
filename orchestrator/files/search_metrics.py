"""Which metrics a search may look at: those of its goals, its constraints and what ends it early."""

from collections.abc import Iterable

from search_spaces import Space
from trainables.config import ConfigError, ExperimentConfig, SupCon, Triplet


def check_metrics(space: Space, ends: Iterable[str] = ()) -> None:
    """Check what the goals and the constraints of a space compare, and the metrics `ends` of --stop-when.

    Raises:
        ConfigError: Nothing reports one of them in time, or neither direction of it is better.
    """
    for goal in space.goals:
        _check_metric(goal.metric, f"space {space.name}", "its goal")
    for constraint in space.constraints:
        _check_metric(constraint.metric, f"space {space.name}, constraint {constraint}", "the metric")
    for metric in ends:
        _check_metric(metric, "--stop-when", "the metric")


def check_asha(space: Space, experiment: ExperimentConfig) -> None:
    """Check that ASHA can compare the space's trials after an epoch; ConfigError says why not."""
    if len(space.goals) > 1:
        raise ConfigError(
            f"--asha compares trials by one metric, but space {space.name} has {len(space.goals)} goals: "
            f"{', '.join(map(str, space.goals))}"
        )
    if space.constraints:
        raise ConfigError(
            f"--asha compares trials by the goal alone, but space {space.name} has constraints: "
            f"{', '.join(map(str, space.constraints))}; leave --asha out"
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


def check_embedding(name: str, metrics: list[str], objective: SupCon | Triplet, *, asha: bool) -> None:
    """Check that trials of an embedding report the metrics of sweep `name` in time.

    Raises:
        ConfigError: They do not: not every epoch fits a classifier.
    """
    if "train/accuracy" in metrics:
        raise ConfigError(
            f"sweep {name}: its goal train/accuracy is not reported by objective.kind = {objective.kind}, which "
            "trains no classifier; take val/accuracy"
        )
    if asha and metrics != ["train/loss"] and objective.fit_every_epochs != 1:
        shown = "null" if objective.fit_every_epochs is None else objective.fit_every_epochs
        raise ConfigError(
            f"--asha compares trials by {metrics[0]} after each epoch, which objective.kind = {objective.kind} reports "
            f"only where a classifier is fitted, and objective.fit_every_epochs = {shown}; set it to 1"
        )


def _check_metric(metric: str, source: str, noun: str) -> None:
    from trainables.evaluations import EVALUATIONS, direction

    if direction(metric) is None and metric not in ("train/loss", "train/accuracy"):
        known = [name for spec in EVALUATIONS.values() for name, better in spec.directions.items() if better]
        raise ConfigError(
            f"{source}: nothing reports {noun} {metric}, or neither direction of it is better; valid metrics: "
            f"train/loss, train/accuracy, {', '.join(known)}"
        )
