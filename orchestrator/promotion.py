"""A sweep's best configs at another scale."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.results import ranked, trial_rows
from orchestrator.sweep_config import SweepConfig, sweep_from_tree
from orchestrator.sweep_folder import SweepFolder
from orchestrator.tracking import Store, find_sweep, kept_provenance
from search_spaces import find_scale
from trainables.config import ConfigError, ExperimentConfig, experiment_from_tree, flatten, override


@dataclass(frozen=True, slots=True)
class Promotion:
    """Which trials are trained again, and as what."""

    source: SweepFolder
    name: str
    scale: str
    before: Mapping[str, ExperimentConfig]
    """Trial id -> config in the source sweep; the promoted trials keep their ids."""
    after: Mapping[str, ExperimentConfig]


def plan_promotion(
    source: SweepFolder,
    *,
    scale: str,
    top: int = 1,
    trial_ids: Sequence[str] = (),
    name: str | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Promotion:
    """Choose the trials and resolve their configs at `scale`.

    A scale file holds under `set` the fields it changes; `overrides` come on top.

    Raises:
        ConfigError: No such scale or trial, nothing completed, or a config that does not work at that scale.
    """
    changes = _changes(scale)
    chosen = list(trial_ids) or _best_trials(source, top)
    unknown = sorted(set(chosen) - set(source.trial_ids()))
    if unknown:
        there = ", ".join(source.trial_ids())
        raise ConfigError(f"sweep {source.path.name} has no trial {', '.join(unknown)}; trials there: {there}")
    before = {trial_id: source.trial(trial_id).config() for trial_id in chosen}
    after = {
        trial_id: experiment_from_tree(
            override(override(config.model_dump(mode="json"), changes), overrides or {}),
            source=f"trial {trial_id} at scale {scale}",
        )
        for trial_id, config in before.items()
    }
    return Promotion(source, name or f"{source.path.name}-{Path(scale).stem}", scale, before, after)


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
    created = kept_provenance(promotion.source.path).created
    runs = find_sweep(store, source.campaign, source.name, created=created).trials
    return sweep_from_tree(
        {
            "name": promotion.name,
            "campaign": source.campaign,
            "base": next(iter(promotion.after.values())).model_dump(mode="json"),
            "goals": [goal.model_dump() for goal in source.goals],
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


def _changes(scale: str) -> dict[str, Any]:
    tree = find_scale(scale)
    changes = tree.get("set")
    if set(tree) != {"set"} or not isinstance(changes, dict):
        raise ConfigError(
            f"scale {scale}: expected one mapping `set` of config fields; found {', '.join(tree) or 'nothing'}"
        )
    return changes


def _best_trials(source: SweepFolder, top: int) -> list[str]:
    config = source.config()
    ranking = ranked(trial_rows(source, {}), config.goals)
    if len(ranking) < top:
        raise ConfigError(
            f"sweep {config.name} has {len(ranking)} completed trials, and --top is {top}; "
            f"finish it first with: campaign resume {config.name}"
        )
    return [row["trial_id"] for row in ranking[:top]]
