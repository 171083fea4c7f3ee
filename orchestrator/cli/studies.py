"""The command that runs a study."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import DEFAULT_STORAGE, Address, Concurrent, Json, Set, Storage, TrackingUri
from orchestrator.cli.output import note, print_json, print_table, say

if TYPE_CHECKING:
    from orchestrator.files.sweep_config import SweepConfig
    from orchestrator.files.sweep_folder import SweepFolder
    from orchestrator.launch.study import StudyRun
    from orchestrator.tracking import Store


def register(app: typer.Typer) -> None:
    """Add this file's command to `app`."""
    app.command()(study)


def study(
    study: Annotated[str, typer.Argument(metavar="STUDY", help="A study's name, or a YAML file.", show_default=False)],
    name: Annotated[
        str | None, typer.Option(help="Name of the sweep; by default the study's, with a hash.", show_default=False)
    ] = None,
    campaign: Annotated[
        str | None, typer.Option(help="MLflow experiment; by default the study's name.", show_default=False)
    ] = None,
    arms: Annotated[
        str | None, typer.Option(help="Some of the arms, joined by commas, the reference arm too.", show_default=False)
    ] = None,
    seeds: Annotated[
        str | None, typer.Option(help="Other seeds than the study's, joined by commas.", show_default=False)
    ] = None,
    set_: Set = None,
    concurrent: Concurrent = None,
    storage: Storage = DEFAULT_STORAGE,
    tracking_uri: TrackingUri = None,
    address: Address = None,
    json: Json = False,
) -> None:
    """Train arms on the same seeds, evaluate them, and compare each with the reference arm in one table.

    A study is a sweep with a fixed list of trials: the same command again continues it, and so does campaign resume.

    Example: campaign study digits-shortcut --seeds 0,1,2,3,4 --name five
    """
    from orchestrator.files.study import read_study
    from orchestrator.files.study_sweep import sweep_of_study
    from orchestrator.files.sweep_folder import SweepFolder
    from orchestrator.tracking import resolve_store

    chosen = read_study(study).only(arms=_names(arms), seeds=_numbers(seeds))
    config = sweep_of_study(chosen, name=name, campaign=campaign, assignments=set_ or [], max_concurrent=concurrent)
    store, folder = resolve_store(storage, tracking_uri), SweepFolder.of(storage, config.name)
    run_and_print(folder, config, store, address=address, json=json)


def run_and_print(
    folder: "SweepFolder",
    config: "SweepConfig",
    store: "Store",
    *,
    address: str | None,
    json: bool,
    change: Callable[[], object] | None = None,
    retry: bool = False,
) -> None:
    """Run what is left of a study and print its table; exit code 1 if a trial or an evaluation failed.

    Args:
        config: The config of the study's sweep.
        change: What the command changes in the folder, once all that can be checked before is checked.
        retry: Whether `change` leaves trials to run though all have ended.
    """
    from orchestrator.files.study_sweep import prepare_study, study_trials
    from orchestrator.launch.preflight import check_sweep
    from orchestrator.launch.study import run_study

    if retry or folder.num_finished() < config.num_trials:
        check_sweep(folder, config, store, trials=study_trials(config).values(), address=address)
    if change:
        change()
    prepare_study(folder, config)
    note(f"study {folder.path.name} in {folder.path}, tracked in {store}")
    run = run_study(folder, store, address=address)
    _print_result(folder, run, json=json)
    _end(folder, run)


def _print_result(folder: "SweepFolder", run: "StudyRun", *, json: bool) -> None:
    from orchestrator.reports.study_table import study_rich, study_table

    if json:
        print_json(run.document)
        return
    table = study_table(run.result)
    say(f"{table.title}: {table.summary}")
    print_table(study_rich(run.result))
    for line in (*table.warnings, *table.notes, *table.arms, f"The table as Markdown: {folder.path / 'study.md'}"):
        say(line)


def _end(folder: "SweepFolder", run: "StudyRun") -> None:
    """Say what is missing, and end with the exit code that says so too."""
    name = folder.path.name
    for trial_id, error in run.not_evaluated.items():
        note(f"error: {trial_id} is not evaluated: {error}")
    if run.sweep.unfinished:
        note(f"{run.sweep.unfinished} trials are left; continue with: campaign resume {name}")
        raise typer.Exit(130)
    if run.sweep.failed:
        note(f"{run.sweep.failed} trials failed; try them again with: campaign resume {name} --retry-failed")
    if run.sweep.failed or run.not_evaluated:
        raise typer.Exit(1)


def _names(text: str | None) -> list[str] | None:
    return None if text is None else [part.strip() for part in text.split(",")]


def _numbers(text: str | None) -> list[int] | None:
    from trainables.config import ConfigError

    try:
        return None if text is None else [int(part) for part in text.split(",")]
    except ValueError as error:
        raise ConfigError(f"--seeds: found {text!r}; expected whole numbers joined by commas, such as 0,1,2") from error
