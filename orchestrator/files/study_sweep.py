"""A study as a sweep: a fixed list of trials, one for each arm and seed."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

from orchestrator.files.search_metrics import check_choice, is_reported
from orchestrator.files.study import TRAINED, Study
from orchestrator.files.sweep_config import SweepConfig, digest_of, sweep_from_tree
from orchestrator.files.sweep_folder import SweepFolder
from search_spaces import find_base
from trainables.config import (
    ConfigError,
    ExperimentConfig,
    config_hash,
    experiment_from_tree,
    network_files,
    override,
    parse_assignments,
)
from trainables.metric_names import SPLITS, of_split, without_split


def sweep_of_study(
    study: Study,
    *,
    name: str | None = None,
    campaign: str | None = None,
    assignments: Sequence[str] = (),
    max_concurrent: int | None = None,
) -> SweepConfig:
    """Return the config of the sweep that runs a study; `assignments` change every arm, below what it sets.

    Raises:
        ConfigError: An arm is no valid experiment, two arms are the same, trials would need different resources, or an
            evaluation or a metric is not there.
    """
    study = study.with_set(parse_assignments(assignments))
    base = override(find_base(study.base), study.set)
    experiment = experiment_from_tree(base, source=f"study {study.name}, base {study.base}")
    fields: dict[str, Any] = {
        "campaign": campaign or study.name,
        "base": experiment.model_dump(mode="json"),
        "goals": [_goal(study)],
        "num_trials": len(study.trials),
        "study": study.model_dump(mode="json"),
        "files": network_files([study.set, *study.arms.values()]),
    }
    config = sweep_from_tree(
        {"name": study.name if name is None else name, **fields, "max_concurrent": max_concurrent}, source="sweep"
    )
    experiments = study_trials(config)
    _check_metrics(study, experiments)
    _check_tuning(study, experiments)
    _check_resources(study, experiments)
    _check_different(study, experiments)
    if name is None:
        config = config.model_copy(update={"name": f"{study.name}-{digest_of(config.identity)}"})
    return config


def study_trials(config: SweepConfig) -> dict[str, ExperimentConfig]:
    """Return by trial id the experiments of a sweep that runs a study; ConfigError names the arm that is none."""
    assert config.study is not None
    return {trial_id: _experiment(config, config.study, *place) for trial_id, place in config.study.trials.items()}


def prepare_study(folder: SweepFolder, config: SweepConfig) -> None:
    """Make the sweep's folder with the config of every trial in it, where they are missing."""
    folder.claim(config)
    for trial_id, experiment in study_trials(config).items():
        folder.trial(trial_id).claim(experiment)


def study_evaluations(study: Study) -> tuple[str, ...]:
    """Return the evaluations to run on each trial; ConfigError lists the valid names where one is unknown.

    They include the quick suite, whose metrics a trial already has: its values by image are needed.
    """
    from trainables.evaluations import EVALUATIONS, QUICK, select

    chosen = set(QUICK)
    for name in study.evaluations:
        try:
            chosen |= set(select(name))
        except ValueError as error:
            raise ConfigError(f"study {study.name}: evaluations: {error}") from error
    return tuple(name for name in EVALUATIONS if name in chosen)


def _experiment(config: SweepConfig, study: Study, arm: str, seed: int) -> ExperimentConfig:
    source = f"study {study.name}, arm {arm}"
    try:
        tree = config.overridden(study.overrides(arm), dict.fromkeys(study.seed_fields, seed))
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}") from error
    return experiment_from_tree(tree, source=source)


def _goal(study: Study) -> dict[str, str]:
    """Return what the leaderboard ranks by: its first metric, of the validation split, that each epoch reports."""
    from trainables.evaluations import EPOCH_SUITE, direction, reports

    for metric in study.metrics:
        of_validation = of_split(without_split(metric)[0], "val")
        better = direction(of_validation)
        if "*" not in metric and better and reports(EPOCH_SUITE, of_validation, "val"):
            return {"metric": of_validation, "direction": better}
    return {"metric": "val/accuracy", "direction": "max"}


def _check_resources(study: Study, experiments: dict[str, ExperimentConfig]) -> None:
    (first, expected), *others = experiments.items()
    for trial_id, experiment in others:
        for field, value in experiment.resources.model_dump().items():
            first_value = getattr(expected.resources, field)
            if value != first_value:
                arm, _ = study.trials[trial_id]
                raise ConfigError(
                    f"study {study.name}, arm {arm}: resources.{field} = {value}, and arm "
                    f"{study.trials[first][0]} has {first_value}; all trials of a study get the same resources: put "
                    "them under `set`, or give them with --set"
                )


def _check_tuning(study: Study, experiments: dict[str, ExperimentConfig]) -> None:
    if study.tuning is None:
        return
    metric = study.tuning.metric
    check_choice(metric, f"study {study.name}: tuning.metric")
    if not all(is_reported(metric, experiment) for experiment in experiments.values()):
        raise ConfigError(
            f"study {study.name}: tuning.metric {metric} needs groups or a shifted validation set that the data do "
            "not have; take val/accuracy"
        )


def _check_different(study: Study, experiments: dict[str, ExperimentConfig]) -> None:
    seen: dict[str, str] = {}
    for trial_id, experiment in experiments.items():
        earlier = seen.setdefault(config_hash(experiment), trial_id)
        if earlier != trial_id:
            raise ConfigError(
                f"study {study.name}: trials {earlier} and {trial_id} are the same experiment; each arm must change "
                f"something, and seed_fields = {', '.join(study.seed_fields)} must name a field that decides training"
            )


def _check_metrics(study: Study, experiments: dict[str, ExperimentConfig]) -> None:
    from trainables.evaluations import EVALUATIONS, QUICK

    chosen = set(study_evaluations(study))
    held_out = any(experiment.data.validation.source == "held_out" for experiment in experiments.values())
    reported = {
        name: [
            of_split(pattern, split)
            for pattern in spec.directions
            for split in SPLITS
            if split == "test" or name in QUICK or held_out
        ]
        for name, spec in EVALUATIONS.items()
    }
    for metric in study.metrics:
        reporting = [each for each, names in reported.items() if any(_meet(metric, name) for name in names)]
        if not reporting and not any(_meet(metric, name) for name in TRAINED):
            of_test = of_split(without_split(metric)[0], "test")
            if any(_meet(of_test, name) for names in reported.values() for name in names):
                raise ConfigError(
                    f"study {study.name}: metric {metric} is measured of the test images alone, at the study's end; "
                    f"write {of_test}"
                )
            valid = [*TRAINED, *(name for names in reported.values() for name in names)]
            raise ConfigError(f"study {study.name}: nothing reports metric {metric}; valid metrics: {', '.join(valid)}")
        if reporting and not chosen.intersection(reporting):
            raise ConfigError(
                f"study {study.name}: metric {metric} is reported by {' or '.join(reporting)}, which evaluations = "
                f"{', '.join(study.evaluations) or 'none'} does not name; add it there, or drop the metric"
            )
    _check_shift(study, {name for experiment in experiments.values() for name in experiment.data.shift_names})


def _check_shift(study: Study, names: set[str]) -> None:
    from trainables.evaluations import EVALUATIONS

    of_sets = [f"shift/{name}/accuracy" for name in sorted(names)]
    of_any = [name for spec in EVALUATIONS.values() for name in spec.directions if "*" not in name]
    for metric in study.metrics:
        if metric.startswith("shift/") and metric not in of_any and not any(_meet(metric, name) for name in of_sets):
            raise ConfigError(
                f"study {study.name}: metric {metric} names no shifted test set of the data; they report "
                f"{', '.join(of_sets) or 'none'}"
            )


def _meet(metric: str, known: str) -> bool:
    """Return whether one of two names, both of which may be patterns, is an instance of the other."""
    return fnmatchcase(metric, known) or fnmatchcase(known, metric)
