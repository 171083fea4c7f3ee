"""A sweep's best configs at another scale."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from orchestrator.files.provenance import read_provenance
from orchestrator.files.search_metrics import is_reported
from orchestrator.files.sweep_config import SweepConfig, SweepGoal, sweep_from_tree
from orchestrator.files.sweep_folder import SweepFolder
from orchestrator.files.text import plural
from orchestrator.launch.sweep_request import SweepRequest
from orchestrator.launch.transfer import Scales, transfer
from orchestrator.results.trial_rows import TrialRow, best, is_feasible, ranked, trial_rows, why_none_is_feasible
from orchestrator.tracking import Store, find_sweep
from search_spaces import find_scale
from trainables.config import (
    ConfigError,
    ExperimentConfig,
    current_name,
    experiment_from_tree,
    flatten,
    leaves,
    override,
    with_current_names,
)


@dataclass(frozen=True, slots=True)
class Promotion:
    """Which trials are trained again, and as what."""

    source: SweepFolder
    name: str
    scale: str
    before: Mapping[str, ExperimentConfig]
    """Trial id -> config in the source sweep; the promoted trials keep their ids."""
    after: Mapping[str, ExperimentConfig]


@dataclass(frozen=True, slots=True)
class Choice:
    """Which trials to promote: the best `top`, the Pareto front, or those named; by default the best one."""

    top: int | None = None
    front: bool = False
    trial_ids: Sequence[str] = ()

    def __post_init__(self) -> None:
        if (self.top is not None) + self.front + bool(self.trial_ids) > 1:
            raise ConfigError("--top, --front and --trial each choose the trials; give one of them")

    def of(self, source: SweepFolder) -> list[str]:
        """Return the ids of the chosen trials; ConfigError where the sweep lacks them."""
        chosen = list(self.trial_ids) or (_front(source) if self.front else _best_trials(source, self.top or 1))
        unknown = sorted(set(chosen) - set(source.trial_ids()))
        if unknown:
            valid = ", ".join(source.trial_ids())
            raise ConfigError(f"sweep {source.path.name} has no trial {', '.join(unknown)}; valid ids: {valid}")
        return chosen


BEST = Choice()


def plan_promotion(
    source: SweepFolder,
    choice: Choice = BEST,
    *,
    scale: str,
    name: str | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Promotion:
    """Choose the trials and resolve their configs at `scale`.

    A scale file holds under `set` the fields that it changes, and under `transfer` the rules that adjust other fields.
    A field that `set` names is not transferred. `overrides` are applied last.

    Raises:
        ConfigError: No such scale or trial, nothing completed, or a config that does not work at that scale.
    """
    changes, rules = _scale(scale)
    before = {trial_id: source.trial(trial_id).config() for trial_id in choice.of(source)}
    after = {
        trial_id: _at_scale(
            config,
            changes,
            rules,
            overrides or {},
            storage=source.storage,
            source=f"trial {trial_id} at scale {scale}",
        )
        for trial_id, config in before.items()
    }
    name = f"{source.path.name}-{Path(scale).stem}" if name is None else name
    return Promotion(source, name, scale, before, after)


def differences(promotion: Promotion) -> list[str]:
    """Return a line for each field that changes, by trial."""
    lines = []
    for trial_id, config in promotion.before.items():
        old, new = flatten(config), flatten(promotion.after[trial_id])
        for field in dict.fromkeys([*old, *new]):
            if old.get(field) != new.get(field):
                lines.append(f"{trial_id}  {field}: {old.get(field)} -> {new.get(field)}")
    return lines


def sweep_of_promotion(promotion: Promotion, store: Store) -> SweepConfig:
    """Return the config of the new sweep, with the MLflow runs its trials come from.

    Raises:
        StoreError: MLflow does not answer.
    """
    source = promotion.source.config()
    created = read_provenance(promotion.source.path).created
    runs = find_sweep(store, source.campaign, source.name, created=created).trials
    return sweep_from_tree(
        {
            "name": promotion.name,
            "campaign": source.campaign,
            "base": next(iter(promotion.after.values())).model_dump(mode="json"),
            "goals": _goals(source.goals, promotion.after.values()),
            "constraints": source.constraints,
            "num_trials": len(promotion.after),
            "scale": promotion.scale,
            "promoted_from": {trial_id: runs[trial_id] for trial_id in promotion.after if trial_id in runs},
        },
        source="promotion",
    )


def prepare(promotion: Promotion, storage: Path, store: Store) -> SweepFolder:
    """Make the new sweep's folder, each trial's config in it, ready for `run_sweep`."""
    folder = SweepFolder.of(storage, promotion.name)
    folder.claim(sweep_of_promotion(promotion, store))
    for trial_id, experiment in promotion.after.items():
        folder.trial(trial_id).claim(experiment)
    return folder


def request_of_promotion(promotion: Promotion, store: Store, address: str | None) -> SweepRequest:
    """Return what runs the new sweep; StoreError where MLflow does not answer."""
    storage, config = promotion.source.storage, sweep_of_promotion(promotion, store)
    folder = SweepFolder.of(storage, promotion.name)
    return SweepRequest(
        folder=folder,
        config=config,
        store=store,
        address=address,
        check=lambda: folder.check_claim(config),
        change=lambda: prepare(promotion, storage, store),
        trials=promotion.after.values(),
    )


def _goals(goals: Iterable[SweepGoal], experiments: Collection[ExperimentConfig]) -> list[dict[str, str]]:
    """Return the goals that the new data can report; accuracy where none is left."""
    kept = [goal for goal in goals if all(is_reported(goal.metric, experiment) for experiment in experiments)]
    return [goal.model_dump() for goal in kept] or [{"metric": "val/accuracy", "direction": "max"}]


def _at_scale(
    config: ExperimentConfig,
    changes: Mapping[str, Any],
    rules: Iterable[str],
    overrides: Mapping[str, Any],
    *,
    storage: Path,
    source: str,
) -> ExperimentConfig:
    """Return `config` with the scale's changes, what goes with them, and what the user sets."""
    tree = override(config.model_dump(mode="json"), changes)
    scales = Scales(config, experiment_from_tree(tree, source=source), partial(_count_classes, storage=storage))
    named = {field for field, _ in (*leaves(changes), *leaves(overrides))}
    transferred = {field: value for field, value in transfer(list(rules), scales).items() if field not in named}
    return experiment_from_tree(override(override(tree, transferred), overrides), source=source)


def _count_classes(config: ExperimentConfig, *, storage: Path) -> int:
    from orchestrator.data.index import file_index_in
    from trainables.data import build_data

    return len(build_data(config.data, file_index_in(storage)).class_names)


def _scale(scale: str) -> tuple[dict[str, Any], list[str]]:
    """Return the fields that a scale sets, and the names of its rules."""
    tree = find_scale(scale)
    changes, rules = tree.get("set"), tree.get("transfer", [])
    if not {"set"} <= set(tree) <= {"set", "transfer"} or not isinstance(changes, dict):
        raise ConfigError(
            f"scale {scale}: expected a mapping `set` of config fields and, if need be, a list `transfer` of rules; "
            f"found {', '.join(tree) or 'nothing'}"
        )
    if not isinstance(rules, list) or not all(isinstance(rule, str) for rule in rules):
        raise ConfigError(
            f"scale {scale}: transfer = {rules!r}; expected a list of rules, such as [learning_rate_with_batch]"
        )
    return with_current_names(changes), [current_name(rule) for rule in rules]


def _front(source: SweepFolder) -> list[str]:
    config, rows = source.config(), _rows(source)
    front = [row["trial_id"] for row in best(rows, config.goals)]
    if not front:
        raise ConfigError(f"sweep {config.name} has no completed trial; finish it with: campaign resume {config.name}")
    return front


def _best_trials(source: SweepFolder, top: int) -> list[str]:
    config, rows = source.config(), _rows(source)
    ranking = list(filter(is_feasible, ranked(rows, config.goals)))
    if len(ranking) < top:
        kind = "feasible trial" if config.constraints else "completed trial"
        raise ConfigError(
            f"sweep {config.name} has {plural(len(ranking), kind)}, and --top is {top}; "
            f"finish it first with: campaign resume {config.name}"
        )
    return [row["trial_id"] for row in ranking[:top]]


def _rows(source: SweepFolder) -> list[TrialRow]:
    """Return the trials of a sweep; ConfigError where all of them break its constraints."""
    config, rows = source.config(), trial_rows(source, {})
    if why := why_none_is_feasible(rows, config.goals, config.constraints):
        raise ConfigError(f"sweep {config.name}: {why}; choose it with --trial, or add trials: campaign extend")
    return rows
