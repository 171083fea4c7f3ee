"""A space as a sweep: what the space says, and what the command line changes."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from orchestrator.files.search_metrics import check_asha, check_metrics
from orchestrator.files.stop_rule import StopRule, parse_stop_rule
from orchestrator.files.sweep_config import SweepConfig, digest_of, sweep_from_tree
from search_spaces import (
    SPACES,
    Constraint,
    SamplerName,
    Space,
    check_grid,
    check_sampler,
    draw_distributions,
    draw_points,
    find_base,
    find_space,
    grid_size,
    parse_constraint,
)
from trainables.config import (
    ConfigError,
    ExperimentConfig,
    experiment_from_tree,
    flatten,
    network_files,
    override,
    parse_assignments,
)
from trainables.metric_names import current_metric

NUM_DRAWN = 64
"""How many points are drawn to find out which fields a space searches."""


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """How a space is searched and what ends that early; what is None is the space's own."""

    sampler: SamplerName | None = None
    constraints: Sequence[str] = ()
    """Those on top of the space's own, such as `val/accuracy >= 0.9`."""
    time_budget_s: float | None = None
    stop_when: Sequence[str] = ()

    @property
    def rules(self) -> list[StopRule]:
        return [parse_stop_rule(text) for text in self.stop_when]

    @property
    def limits(self) -> dict[str, Any]:
        """The fields of a sweep's config that end it early."""
        return {"time_budget_s": self.time_budget_s, "stop_when": [str(rule) for rule in self.rules]}

    def of(self, space: Space) -> Space:
        """Return the space with these options; ConfigError where they do not fit together."""
        own = (parse_constraint(text, source="--constraint") for text in self.constraints)
        return replace(
            space,
            asha=False,
            sampler=self.sampler or space.sampler,
            constraints=tuple(dict.fromkeys((*space.constraints, *own))),
        )

    def check(self, space: Space, base: ExperimentConfig) -> None:
        """Check that the metrics are reported and that the sampler fits; ConfigError says what is wrong."""
        check_metrics(space, base, [rule.metric for rule in self.rules if isinstance(rule, Constraint)])
        check_sampler(space)


def sweep_of_space(
    space_name: str,
    *,
    name: str | None = None,
    campaign: str | None = None,
    num_trials: int | None = None,
    seed: int = 0,
    assignments: Sequence[str] = (),
    asha: bool | None = None,
    search: SearchOptions = SearchOptions(),
    max_concurrent: int | None = None,
    max_failures: int = 1,
) -> SweepConfig:
    """Return the config of a sweep over a space; an argument that is None takes the space's own value.

    Raises:
        ConfigError: No such space, its base with the assignments is no valid experiment, an assignment sets a field
            that the space searches, or the search's options do not fit.
    """
    found = find_space(space_name)
    space, use_asha = search.of(found), found.asha if asha is None else asha
    base, set_ = _assigned(space, parse_assignments(assignments))
    search.check(space, base)
    if use_asha:
        check_asha(space, base)
    fields = {
        "campaign": campaign or space.name,
        "space": space_name if space_name in SPACES else str(Path(space_name).absolute()),
        "base": base.model_dump(mode="json"),
        "set": set_,
        "goals": [{"metric": current_metric(goal.metric), "direction": goal.direction} for goal in space.goals],
        "num_trials": _num_trials(space, num_trials, seed),
        "seed": seed,
        "asha": use_asha,
        **_added_later(space),
        **({"files": files} if (files := _searched_files(space)) else {}),
    }
    name = f"{space.name}-{digest_of(fields)}" if name is None else name
    limits = {"max_concurrent": max_concurrent, "max_failures": max_failures, **search.limits}
    return sweep_from_tree({"name": name, **fields, **limits}, source="sweep")


def _searched_files(space: Space) -> dict[str, dict[str, str]]:
    """Return by name the files of networks among which the space chooses, as they are now."""
    distributions = [each for point in draw_distributions(space, NUM_DRAWN) for each in point.items()]
    choices = {
        (name, choice)
        for name, distribution in distributions
        if name in {"model.kind", "model.file"}
        for choice in getattr(distribution, "choices", ())
    }
    return network_files([{name: choice} for name, choice in sorted(choices, key=str)])


def _added_later(space: Space) -> dict[str, Any]:
    """Return the fields that earlier versions did not have: left out at their defaults, they change no sweep's name."""
    sampler = {} if space.sampler == "tpe" else {"sampler": space.sampler}
    constraints = [asdict(constraint) for constraint in space.constraints]
    return sampler | ({"constraints": constraints} if constraints else {})


def _num_trials(space: Space, wanted: int | None, seed: int) -> int:
    """Return how many trials a sweep has: by default the whole grid, or what the space says."""
    if space.sampler != "grid":
        return wanted or space.num_trials
    check_grid(space, wanted or 1, seed=seed)
    return wanted or grid_size(space, seed=seed)


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
