"""Commands that read the files of sweeps."""

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.exit_codes import FAILED
from orchestrator.cli.launching import note_search
from orchestrator.cli.options import DEFAULT_STORAGE, Json, Run, Runs, Storage, Sweep, TrackingUri
from orchestrator.cli.output import command_line, note, print_json, print_table, say

SyncName = Annotated[
    str, typer.Argument(metavar="NAME", help="Name of a sweep, or of a run of campaign train.", show_default=False)
]


def register(app: typer.Typer) -> None:
    """Add this file's commands to `app`."""
    app.command()(leaderboard)
    app.command()(status)
    app.command()(report)
    app.command()(compare)
    app.command()(sync)


def leaderboard(
    sweep: Sweep,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a Markdown table.")] = False,
    storage: Storage = DEFAULT_STORAGE,
    tracking_uri: TrackingUri = None,
    json: Json = False,
) -> None:
    """Rank a sweep's trials; with several goals the Pareto front comes first.

    Example: campaign leaderboard first
    """
    from orchestrator.files.sweep_folder import SweepFolder
    from orchestrator.reports.leaderboard import leaderboard_markdown, leaderboard_table
    from orchestrator.results.trial_rows import HELD_OUT, is_held_out, sweep_document
    from orchestrator.tracking import ids_in_mlflow, resolve_store

    folder = SweepFolder.find(storage, sweep)
    document = sweep_document(folder, ids_in_mlflow(resolve_store(storage, tracking_uri), folder))
    if is_held_out(document["trials"]):
        note(f"sweep {folder.path.name}: {HELD_OUT}")
    if json:
        print_json(document)
    elif markdown:
        say(leaderboard_markdown(document["trials"], folder.config().goals))
    else:
        print_table(leaderboard_table(document["trials"], folder.config().goals))
    note_search(document)


def status(sweep: Sweep, storage: Storage = DEFAULT_STORAGE, json: Json = False) -> None:
    """Show the progress of a sweep.

    Example: campaign status first
    """
    from orchestrator.files.sweep_folder import SweepFolder
    from orchestrator.launch.status import status_lines, sweep_status

    document = sweep_status(SweepFolder.find(storage, sweep))
    if json:
        print_json(document)
        return
    for line in status_lines(document):
        say(line)


def report(
    sweep: Sweep,
    output: Annotated[
        Path | None, typer.Option(help="The page; by default report.html in the sweep's folder.", show_default=False)
    ] = None,
    storage: Storage = DEFAULT_STORAGE,
    tracking_uri: TrackingUri = None,
    json: Json = False,
) -> None:
    """Write a page to read: comparison, trade-off, curves, CAM panels, leaderboard.

    Example: campaign report first
    """
    from orchestrator.files.provenance import read_provenance
    from orchestrator.files.sweep_folder import SweepFolder
    from orchestrator.results.trial_rows import sweep_document
    from orchestrator.tracking import ids_in_mlflow, resolve_store

    folder = SweepFolder.find(storage, sweep)
    document = sweep_document(folder, ids_in_mlflow(resolve_store(storage, tracking_uri), folder))
    from orchestrator.reports.report import write_report  # Heavy: only for a sweep that can be read.

    command = read_provenance(folder.path).tags.get("campaign.command", "")
    path = write_report(folder, document["trials"], command=command, path=output)
    if json:
        print_json({"sweep": sweep, "report": str(path)})
    else:
        say(str(path))


def compare(
    run: Run,
    others: Runs,
    output: Annotated[Path, typer.Option(help="The page.")] = Path("comparison.html"),
    storage: Storage = DEFAULT_STORAGE,
    tracking_uri: TrackingUri = None,
    json: Json = False,
) -> None:
    """Write a page with the evaluations of runs side by side: metrics, curves, images, settings.

    Differences are from the first run. Runs are paired over the images of both; metrics of maps are paired over
    those that both predict right.

    Example: campaign compare first/0000 first/0003 --output comparison.html
    """
    from orchestrator.launch.find_run import find_run, run_name
    from orchestrator.tracking import resolve_store
    from trainables.config import ConfigError

    store = resolve_store(storage, tracking_uri)
    found = {
        run_name(folder, storage): folder for folder in (find_run(name, storage, store) for name in (run, *others))
    }
    if len(found) <= len(others):
        raise ConfigError(f"a run is given twice: {', '.join([run, *others])} mean only {', '.join(found)}")
    from orchestrator.reports.run_comparison import comparison_document, evaluation_section, write_comparison
    from orchestrator.results.evaluated import read_run  # Both are heavy: only for runs that there are.

    section = evaluation_section([read_run(folder, name) for name, folder in found.items()])
    write_comparison(section, command=command_line(), path=output)
    for line in (*section.warnings, *section.hints):
        note(line)
    if json:
        print_json({**comparison_document(section), "page": str(output)})
    else:
        say(str(output))


def sync(
    name: SyncName, storage: Storage = DEFAULT_STORAGE, tracking_uri: TrackingUri = None, json: Json = False
) -> None:
    """Send to MLflow what it misses of a sweep, or of a run of campaign train.

    Example: campaign sync first --tracking-uri http://head:5000
    """
    from orchestrator.files.text import plural
    from orchestrator.launch.sync import sync_named
    from orchestrator.tracking import resolve_store

    synced = sync_named(name, storage, resolve_store(storage, tracking_uri))
    num_sent = synced.num_trials - len(synced.left)
    if json:
        print_json({synced.kind: name, "synced": num_sent, "left": synced.left})
    else:
        say(f"in MLflow: {num_sent} of {plural(synced.num_trials, 'trial')}")
    if synced.left:
        note(f"not sent: {', '.join(synced.left)}")
        raise typer.Exit(FAILED)
