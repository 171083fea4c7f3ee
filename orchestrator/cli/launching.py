"""Run a sweep or a study, and print what came out."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

from orchestrator.cli.exit_codes import FAILED, INTERRUPTED
from orchestrator.cli.output import command_line, continued_with, note, print_json, print_table, say

if TYPE_CHECKING:
    from orchestrator.files.study import Study
    from orchestrator.files.sweep_folder import SweepFolder
    from orchestrator.launch.study import StudyRun
    from orchestrator.launch.sweep import SweepRun
    from orchestrator.launch.sweep_request import SweepRequest
    from orchestrator.tracking import Store


def run_and_print(request: "SweepRequest", *, json: bool, trial_timeout: float | None = None) -> None:
    """Run the remaining trials and print the result; the exit code is 1 if a trial or an evaluation failed.

    Args:
        trial_timeout: Seconds without a report after which a trial is ended; None leaves it to the sweep's config.
    """
    from orchestrator.launch.sweep import SweepRun

    folder, store = request.folder, request.store
    resume = f"campaign resume {folder.path.name}"
    with continued_with(lambda: command_line() if folder.is_new else resume):
        run = _run(request, trial_timeout)
        if isinstance(run, SweepRun):
            _print_sweep(folder, run, json=json)
            _end(folder, store, run, {})
        else:
            _print_study(folder, run, json=json)
            _end(folder, store, run.sweep, run.not_evaluated)


def run_candidates(request: "SweepRequest", study: "Study", trial_timeout: float | None) -> "Study":
    """Train the candidates of a study's tuning, say what is chosen, and return the study with the chosen settings."""
    from orchestrator.files.study import with_chosen
    from orchestrator.launch.study import StudyRun, chosen_settings

    with continued_with(command_line):
        run = _run(request, trial_timeout)
        assert isinstance(run, StudyRun)
        if run.sweep.unfinished or run.sweep.interrupted:
            raise KeyboardInterrupt
    _note_failed(request.folder, run.sweep)
    chosen = chosen_settings(study, run.result)
    for arm, settings in chosen.items():
        note(f"arm {arm} takes settings {settings.number} of {len(settings.values)}")
    return with_chosen(study, chosen)


def _run(request: "SweepRequest", trial_timeout: float | None) -> "SweepRun | StudyRun":
    from orchestrator.launch.preflight import check_request, started
    from orchestrator.launch.study import run_study
    from orchestrator.launch.sweep import run_sweep

    folder, store = request.folder, request.store
    check_request(request)
    noun = "sweep" if request.config.study is None else "study"
    note(f"{noun} {folder.path.name} in {folder.path}, tracked in {store}")
    with started(request):
        if trial_timeout is not None:
            folder.set_trial_timeout(trial_timeout)
        return (run_sweep if request.config.study is None else run_study)(folder, store, address=request.address)


def _print_sweep(folder: "SweepFolder", run: "SweepRun", *, json: bool) -> None:
    from orchestrator.reports.leaderboard import leaderboard_table

    if json:
        print_json(run.document)
    else:
        print_table(leaderboard_table(run.document["trials"], folder.config().goals))
    note_search(run.document)


def note_search(document: Mapping[str, Any]) -> None:
    """Say that no trial of a sweep is feasible, and that its search ended early, where that is so."""
    if document["infeasible"]:
        note(document["infeasible"])
    if document["ended"]:
        note(f"ended early by {document['ended']}; add trials with: campaign extend {document['sweep']} --trials N")


def _print_study(folder: "SweepFolder", run: "StudyRun", *, json: bool) -> None:
    from orchestrator.reports.study_table import study_rich, study_table

    if json:
        print_json(run.document)
        return
    table = study_table(run.result)
    say(f"{table.title}: {table.summary}")
    print_table(study_rich(run.result))
    for line in (*table.warnings, *table.notes, *table.arms, f"The table as Markdown: {folder.path / 'study.md'}"):
        say(line)


def _note_failed(folder: "SweepFolder", run: "SweepRun") -> None:
    from orchestrator.files.text import plural

    if run.failed:
        note(f"{plural(run.failed, 'trial')} failed; try again with: campaign resume {folder.path.name} --retry-failed")


def _end(folder: "SweepFolder", store: "Store", run: "SweepRun", not_evaluated: Mapping[str, Exception]) -> None:
    """Say where the runs are and what is missing, and end with the exit code that says so too."""
    from orchestrator.files.text import plural
    from orchestrator.tracking.pages import where_runs_are

    name = folder.path.name
    note(where_runs_are(store, run.document["experiment_id"]))
    for trial_id, error in not_evaluated.items():
        note(f"error: {trial_id} is not evaluated: {error}")
    if run.interrupted:
        raise KeyboardInterrupt
    if run.unfinished:
        note(f"{plural(run.unfinished, 'trial')} left; continue with: campaign resume {name}")
        raise typer.Exit(INTERRUPTED)
    _note_failed(folder, run)
    if run.failed or not_evaluated:
        raise typer.Exit(FAILED)
