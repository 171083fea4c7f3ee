"""Commands that plan, run and continue sweeps."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from orchestrator.cli.launching import run_and_print
from orchestrator.cli.options import (
    DEFAULT_STORAGE,
    Address,
    Campaign,
    Concurrent,
    Json,
    Name,
    Seed,
    Set,
    Storage,
    Sweep,
    TimeBudget,
    TrackingUri,
    Trials,
    TrialTimeout,
)
from orchestrator.cli.output import note, print_json, say

if TYPE_CHECKING:
    from orchestrator.files.sweep_config import SweepConfig
    from orchestrator.launch.sweep_request import SweepRequest

Space = Annotated[
    str,
    typer.Argument(
        metavar="SPACE",
        help="A YAML file, a .py file that defines SPACE, or a shipped space's name, such as digits-background-weight. "
        "An unknown name lists the valid ones.",
        show_default=False,
    ),
]
Asha = Annotated[bool | None, typer.Option("--asha/--no-asha", help="Stop the worse trials early.", show_default=False)]
Sampler = Annotated[
    Literal["tpe", "gp", "cmaes", "nsga3", "random", "qmc", "grid"] | None,
    typer.Option(
        help="Optuna's sampler; by default the space's own, which is tpe unless it says otherwise.",
        show_default=False,
    ),
]
Constraints = Annotated[
    list[str] | None,
    typer.Option(
        "--constraint",
        metavar="'METRIC >= NUMBER'",
        help="What a trial must keep to be feasible; feasible trials rank first. May be repeated.",
        show_default=False,
    ),
]
StopWhen = Annotated[
    list[str] | None,
    typer.Option(
        metavar="RULE",
        help="End the search early: 'val/accuracy >= 0.95', or 'no improvement for 10' trials. May be repeated.",
        show_default=False,
    ),
]

MaxFailures = Annotated[int, typer.Option(min=0, help="Retries of a failed trial, or of one whose node was lost.")]
RetryFailed = Annotated[bool, typer.Option("--retry-failed", help="Run failed trials again.")]
Measure = Annotated[bool, typer.Option(help="Time some training steps to estimate the sweep's length.")]
MoreTrials = Annotated[int, typer.Option("--trials", min=1, help="Trials to add.")]
Scale = Annotated[str, typer.Option(help="A scale's name, or a YAML file.")]
Top = Annotated[int | None, typer.Option(min=1, help="How many of the best trials; by default 1.", show_default=False)]
Front = Annotated[bool, typer.Option("--front", help="The Pareto front instead.")]
Trial = Annotated[
    list[str] | None, typer.Option("--trial", help="A trial's id instead; may be repeated.", show_default=False)
]
PromotionName = Annotated[
    str | None, typer.Option(help="Name of the new sweep; by default SWEEP-SCALE.", show_default=False)
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")]


def register(app: typer.Typer) -> None:
    """Add this file's commands to `app`."""
    app.command()(plan)
    app.command()(sweep)
    app.command()(resume)
    app.command()(extend)
    app.command()(promote)


def plan(
    space: Space,
    trials: Trials = None,
    seed: Seed = 0,
    set_: Set = None,
    sampler: Sampler = None,
    constraint: Constraints = None,
    concurrent: Concurrent = None,
    address: Address = None,
    measure: Measure = True,
    json: Json = False,
) -> None:
    """Show what a sweep would run, without launching it.

    Example: campaign plan digits-background-weight --trials 20 --set training.epochs=30
    """
    from orchestrator.files.space_sweep import SearchOptions, sweep_of_space

    config = sweep_of_space(
        space,
        name="plan",
        num_trials=trials,
        seed=seed,
        assignments=set_ or [],
        search=SearchOptions(sampler=sampler, constraints=constraint or []),
        max_concurrent=concurrent,
    )
    from orchestrator.launch.plan import make_plan, plan_lines  # Heavy: only for a config that is right.

    document = make_plan(config, address=address, measure=measure)
    if json:
        print_json(document)
    else:
        for line in plan_lines(document):
            say(line)


def sweep(
    space: Space,
    name: Name = None,
    campaign: Campaign = None,
    trials: Trials = None,
    seed: Seed = 0,
    set_: Set = None,
    asha: Asha = None,
    sampler: Sampler = None,
    constraint: Constraints = None,
    time_budget: TimeBudget = None,
    stop_when: StopWhen = None,
    concurrent: Concurrent = None,
    max_failures: MaxFailures = 1,
    trial_timeout: TrialTimeout = None,
    storage: Storage = DEFAULT_STORAGE,
    tracking_uri: TrackingUri = None,
    address: Address = None,
    json: Json = False,
) -> None:
    """Search a space with Ray Tune and Optuna; the same command again continues the same sweep.

    Example: campaign sweep digits-background-weight --trials 8 --name first
    """
    from orchestrator.files.space_sweep import SearchOptions, sweep_of_space

    config = sweep_of_space(
        space,
        name=name,
        campaign=campaign,
        num_trials=trials,
        seed=seed,
        assignments=set_ or (),
        asha=asha,
        search=SearchOptions(sampler, constraint or (), time_budget, stop_when or ()),
        max_concurrent=concurrent,
        max_failures=max_failures,
    )
    request = _request(config, storage, tracking_uri, address)
    run_and_print(request, json=json, trial_timeout=trial_timeout)


def _request(config: "SweepConfig", storage: Path, tracking_uri: str | None, address: str | None) -> "SweepRequest":
    from orchestrator.files.sweep_folder import SweepFolder
    from orchestrator.launch.sweep_request import SweepRequest
    from orchestrator.tracking import resolve_store

    folder, store = SweepFolder.of(storage, config.name), resolve_store(storage, tracking_uri)
    check, claim = partial(folder.check_claim, config), partial(folder.claim, config)
    return SweepRequest(folder=folder, config=config, store=store, address=address, check=check, change=claim)


def resume(
    sweep: Sweep,
    retry_failed: RetryFailed = False,
    trial_timeout: TrialTimeout = None,
    storage: Storage = DEFAULT_STORAGE,
    tracking_uri: TrackingUri = None,
    address: Address = None,
    json: Json = False,
) -> None:
    """Continue a sweep or a study whose driver was interrupted or died.

    Example: campaign resume first
    """
    from orchestrator.files.sweep_folder import SweepFolder
    from orchestrator.launch.sweep_request import SweepRequest
    from orchestrator.tracking import resolve_store

    store, folder = resolve_store(storage, tracking_uri), SweepFolder.find(storage, sweep)
    request = SweepRequest(folder=folder, config=folder.config(), store=store, address=address)
    if retry_failed:
        request = replace(request, change=folder.forget_failures, retry=True)
    run_and_print(request, json=json, trial_timeout=trial_timeout)


def extend(
    sweep: Sweep,
    trials: MoreTrials,
    trial_timeout: TrialTimeout = None,
    storage: Storage = DEFAULT_STORAGE,
    tracking_uri: TrackingUri = None,
    address: Address = None,
    json: Json = False,
) -> None:
    """Add trials to a sweep; the search continues with its history.

    Example: campaign extend first --trials 4
    """
    from orchestrator.files.sweep_folder import SweepFolder
    from orchestrator.launch.sweep_request import SweepRequest
    from orchestrator.tracking import resolve_store

    store, folder = resolve_store(storage, tracking_uri), SweepFolder.find(storage, sweep)
    request = SweepRequest(
        folder=folder,
        config=folder.extended(trials),
        store=store,
        address=address,
        change=lambda: folder.extend(trials),
    )
    run_and_print(request, json=json, trial_timeout=trial_timeout)


def promote(
    sweep: Sweep,
    scale: Scale,
    top: Top = None,
    front: Front = False,
    trial: Trial = None,
    name: PromotionName = None,
    set_: Set = None,
    dry_run: DryRun = False,
    trial_timeout: TrialTimeout = None,
    storage: Storage = DEFAULT_STORAGE,
    tracking_uri: TrackingUri = None,
    address: Address = None,
    json: Json = False,
) -> None:
    """Train a sweep's best configs again at another scale.

    Example: campaign promote first --scale digits-full --top 2
    """
    from orchestrator.files.sweep_folder import SweepFolder
    from orchestrator.launch.promote import Choice, differences, plan_promotion, request_of_promotion
    from orchestrator.tracking import resolve_store
    from trainables.config import parse_assignments

    choice, source = Choice(top, front, tuple(trial or ())), SweepFolder.find(storage, sweep)
    promotion = plan_promotion(source, choice, scale=scale, name=name, overrides=parse_assignments(set_ or []))
    lines = differences(promotion)
    for line in lines:
        note(line)
    if not dry_run:
        request = request_of_promotion(promotion, resolve_store(storage, tracking_uri), address)
        run_and_print(request, json=json, trial_timeout=trial_timeout)
    elif json:
        print_json({"sweep": promotion.name, "differences": lines})
