"""Which metrics a search may look at: those of its goals, its constraints and what ends it early."""

from collections.abc import Iterable

from orchestrator.files.study import TRAINED
from search_spaces import Space
from trainables.config import ConfigError, ExperimentConfig, SpuriousDigits, SupCon, Triplet
from trainables.metric_names import (
    GROUP_GAP,
    GROUP_METRICS,
    SHIFTED,
    current_metric,
    of_split,
    why_not_to_choose_by,
    without_split,
)


def check_metrics(space: Space, base: ExperimentConfig, ends: Iterable[str] = ()) -> None:
    """Check what the goals and the constraints of a space compare, and the metrics `ends` of --stop-when.

    Raises:
        ConfigError: Nothing may be chosen by one of them, or no trial reports it.
    """
    looked_at = [
        *((current_metric(goal.metric), f"space {space.name}: its goal") for goal in space.goals),
        *((each.metric, f"space {space.name}, constraint {each}: the metric") for each in space.constraints),
        *((metric, "--stop-when: the metric") for metric in ends),
    ]
    for metric, what in looked_at:
        check_choice(metric, what)
        if not is_reported(metric, base):
            raise ConfigError(
                f"{what} {metric} needs groups or a shifted validation set that data.kind = {base.data.kind} does not "
                "have; take val/accuracy"
            )


def check_choice(metric: str, what: str) -> None:
    """Check that trials may be chosen by a metric; ConfigError, which `what` begins, says why not and by which.

    A trial reports its training, and of the validation split what is evaluated after an epoch or at its end.
    """
    from trainables.evaluations import EVALUATIONS, QUICK, direction, reports

    if reason := why_not_to_choose_by(metric):
        raise ConfigError(f"{what} {reason}")
    if metric not in TRAINED and (direction(metric) is None or not reports(QUICK, metric, "val")):
        specs = [EVALUATIONS[name] for name in QUICK]
        known = [of_split(name, "val") for spec in specs for name, better in spec.directions.items() if better]
        raise ConfigError(
            f"{what} {metric} is reported by no trial, or neither direction of it is better; "
            f"valid metrics: {', '.join((*TRAINED, *known))}"
        )


def is_reported(metric: str, experiment: ExperimentConfig) -> bool:
    """Return whether the data have the groups or the shifted set that a metric needs."""
    name, split = without_split(metric)
    data = experiment.data
    if name.startswith(SHIFTED):
        return name.split("/")[1] in (data.shift_names if split == "test" else data.val_shift_names)
    if name.startswith(GROUP_GAP):
        return data.has_groups and not isinstance(data, SpuriousDigits)  # Whose groups say nothing of a class.
    return data.has_groups or name not in GROUP_METRICS


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
    if goal.metric.startswith("val/shift/") and not experiment.evaluation.shift_every_epoch:
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
