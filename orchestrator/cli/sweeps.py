"""Commands that plan, run and continue sweeps."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import DEFAULT_STORAGE, Address, Concurrent, Json, Set, Storage, Sweep, TrackingUri
from orchestrator.cli.output import note, print_json, print_table, say
from orchestrator.cli.studies import run_and_print

if TYPE_CHECKING:
    from orchestrator.files.sweep_config import SweepConfig
    from orchestrator.files.sweep_folder import SweepFolder
    from orchestrator.launch.sweep import SweepRun
    from orchestrator.tracking import Store
    from trainables.config import ExperimentConfig

Space = Annotated[
    str,
    typer.Argument(
        metavar="SPACE", help="A search space's name, or a .py file that defines SPACE.", show_default=False
    ),
]
Trials = Annotated[
    int | None, typer.Option(min=1, help="Number of trials; by default the space's own.", show_default=False)
]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the sampler; set seed=N sets that of the training.")]
Asha = Annotated[bool | None, typer.Option("--asha/--no-asha", help="Stop the worse trials early.", show_default=False)]


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
    concurrent: Concurrent = None,
    address: Address = None,
    measure: Annotated[bool, typer.Option(help="Time some training steps to estimate the sweep's length.")] = True,
    json: Json = False,
) -> None:
    """Show what a sweep would run, without launching it.

    Example: campaign plan digits-background-weight --trials 20 --set training.epochs=30
    """
    from orchestrator.files.sweep_config import sweep_of_space
    from orchestrator.launch.plan import make_plan, plan_lines

    config = sweep_of_space(
        space, name="plan", num_trials=trials, seed=seed, assignments=set_ or [], max_concurrent=concurrent
    )
    document = make_plan(config, address=address, measure=measure)
    if json:
        print_json(document)
    else:
        for line in plan_lines(document):
            say(line)


def sweep(
    space: Space,
    name: Annotated[
        str | None, typer.Option(help="Name of the sweep; by default the space's, with a hash.", show_default=False)
    ] = None,
    campaign: Annotated[
        str | None, typer.Option(help="MLflow experiment; by default the space's name.", show_default=False)
    ] = None,
    trials: Trials = None,
    seed: Seed = 0,
    set_: Set = None,
    asha: Asha = None,
    concurrent: Concurrent = None,
    max_failures: Annotated[
        int, typer.Option(min=0, help="How often a failed trial, or one whose node was lost, goes on again.")
    ] = 1,
    storage: Storage = DEFAULT_STORAGE,
    tracking_uri: TrackingUri = None,
    address: Address = None,
    json: Json = False,
) -> None:
    """Search a space with Ray Tune and Optuna; the same command again continues the same sweep.

    Example: campaign sweep digits-background-weight --trials 8 --name first
    """
    from orchestrator.files.sweep_config import sweep_of_space
    from orchestrator.files.sweep_folder import SweepFolder
    from orchestrator.tracking import resolve_store

    config = sweep_of_space(
        space,
        name=name,
        campaign=campaign,
        num_trials=trials,
        seed=seed,
        assignments=set_ or [],
        asha=asha,
        max_concurrent=concurrent,
        max_failures=max_failures,
    )
    store, folder = resolve_store(storage, tracking_uri), SweepFolder.of(storage, config.name)
    _run(folder, config, store, address=address, json=json, change=lambda: folder.claim(config))


def resume(
    sweep: Sweep,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Run failed trials again.")] = False,
    storage: Storage = DEFAULT_STORAGE,
    tracking_uri: TrackingUri = None,
    address: Address = None,
    json: Json = False,
) -> None:
    """Continue a sweep or a study whose driver was interrupted or died.

    Example: campaign resume first
    """
    from orchestrator.files.sweep_folder import SweepFolder
    from orchestrator.tracking import resolve_store

    store, folder = resolve_store(storage, tracking_uri), SweepFolder.find(storage, sweep)
    change = folder.forget_failures if retry_failed else None
    run = _run if folder.config().study is None else run_and_print
    run(folder, folder.config(), store, address=address, json=json, change=change, retry=retry_failed)


def extend(
    sweep: Sweep,
    trials: Annotated[int, typer.Option(min=1, help="Trials to add.")],
    storage: Storage = DEFAULT_STORAGE,
    tracking_uri: TrackingUri = None,
    address: Address = None,
    json: Json = False,
) -> None:
    """Add trials to a sweep; the search goes on with what it has learnt.

    Example: campaign extend first --trials 4
    """
    from orchestrator.files.sweep_folder import SweepFolder
    from orchestrator.tracking import resolve_store

    store, folder = resolve_store(storage, tracking_uri), SweepFolder.find(storage, sweep)
    _run(folder, folder.extended(trials), store, address=address, json=json, change=lambda: folder.extend(trials))


def promote(
    sweep: Sweep,
    scale: Annotated[str, typer.Option(help="A scale's name, or a YAML file.")],
    top: Annotated[
        int | None, typer.Option(min=1, help="How many of the best trials; by default 1.", show_default=False)
    ] = None,
    front: Annotated[bool, typer.Option("--front", help="The Pareto front instead.")] = False,
    trial: Annotated[
        list[str] | None, typer.Option(help="A trial's id instead; may be repeated.", show_default=False)
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the new sweep; by default SWEEP-SCALE.", show_default=False)
    ] = None,
    set_: Set = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
    storage: Storage = DEFAULT_STORAGE,
    tracking_uri: TrackingUri = None,
    address: Address = None,
    json: Json = False,
) -> None:
    """Train a sweep's best configs again at another scale.

    Example: campaign promote first --scale digits-full --top 2
    """
    from orchestrator.files.sweep_folder import SweepFolder
    from orchestrator.launch.promote import differences, plan_promotion, prepare, sweep_of_promotion
    from orchestrator.tracking import resolve_store
    from trainables.config import parse_assignments

    source = SweepFolder.find(storage, sweep)
    promotion = plan_promotion(
        source,
        scale=scale,
        top=top,
        front=front,
        trial_ids=trial or [],
        name=name,
        overrides=parse_assignments(set_ or []),
    )
    for line in differences(promotion):
        note(line)
    if dry_run:
        if json:
            print_json({"sweep": promotion.name, "differences": differences(promotion)})
        return
    store = resolve_store(storage, tracking_uri)
    _run(
        SweepFolder.of(storage, promotion.name),
        sweep_of_promotion(promotion, store),
        store,
        address=address,
        json=json,
        change=lambda: prepare(promotion, storage, store),
        trials=promotion.after.values(),
    )


def _run(
    folder: "SweepFolder",
    config: "SweepConfig",
    store: "Store",
    *,
    address: str | None,
    json: bool,
    change: Callable[[], object] | None = None,
    trials: "Iterable[ExperimentConfig]" = (),
    retry: bool = False,
) -> None:
    """Run the sweep's remaining trials and print what came out; exit code 1 if not every trial ended well.

    Args:
        config: The sweep's config after `change`.
        change: What the command changes in the folder, once all that can be checked before is checked.
        trials: The configs of a fixed list of trials that `change` makes.
        retry: Whether `change` leaves trials to run though all have ended.
    """
    from orchestrator.launch.preflight import check_sweep
    from orchestrator.launch.sweep import run_sweep

    if retry or folder.num_finished() < config.num_trials:
        check_sweep(folder, config, store, trials=trials, address=address)
    if change:
        change()
    note(f"sweep {folder.path.name} in {folder.path}, tracked in {store}")
    run = run_sweep(folder, store, address=address)
    _print_run(folder, run, json=json)
    if run.unfinished:
        note(f"{run.unfinished} trials are left; continue with: campaign resume {folder.path.name}")
        raise typer.Exit(130)
    if run.failed:
        note(f"{run.failed} trials failed; try them again with: campaign resume {folder.path.name} --retry-failed")
        raise typer.Exit(1)


def _print_run(folder: "SweepFolder", run: "SweepRun", *, json: bool) -> None:
    from orchestrator.reports import leaderboard_table

    if json:
        print_json(run.document)
    else:
        print_table(leaderboard_table(run.document["trials"], folder.config().goals))
