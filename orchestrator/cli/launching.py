"""Run a sweep or a study, and print what came out."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

from orchestrator.cli.exit_codes import FAILED, INTERRUPTED
from orchestrator.cli.output import command_line, continued_with, note, print_json, print_table, say

if TYPE_CHECKING:
    from orchestrator.files.study import Study
    from orchestrator.files.sweep_folder import SweepFolder
    from orchestrator.launch.study import StudyOutcome
    from orchestrator.launch.sweep import SweepOutcome
    from orchestrator.launch.sweep_request import SweepRequest
    from orchestrator.tracking import Store


def run_and_print(request: "SweepRequest", *, json: bool, trial_timeout: float | None = None) -> None:
    """Run the remaining trials and print the result; the exit code is 1 if a trial or an evaluation failed.

    Args:
        trial_timeout: Seconds without a report after which a trial is ended; None leaves it to the sweep's config.
    """
    from orchestrator.launch.sweep import SweepOutcome

    folder, store = request.folder, request.store
    resume = f"campaign resume {folder.path.name}"
    with continued_with(lambda: command_line() if folder.is_new else resume):
        outcome = _run(request, trial_timeout)
        if isinstance(outcome, SweepOutcome):
            _print_sweep(folder, outcome, json=json)
            _end(folder, store, outcome, {})
        else:
            _print_study(folder, outcome, json=json)
            _end(folder, store, outcome.sweep, outcome.not_evaluated)


def run_candidates(request: "SweepRequest", study: "Study", trial_timeout: float | None) -> "Study":
    """Train the candidates of a study's tuning, say what is chosen, and return the study with the chosen settings."""
    from orchestrator.files.study import with_chosen
    from orchestrator.launch.study import StudyOutcome, chosen_settings

    with continued_with(command_line):
        outcome = _run(request, trial_timeout)
        assert isinstance(outcome, StudyOutcome)
        if outcome.sweep.unfinished or outcome.sweep.interrupted:
            raise KeyboardInterrupt
    _note_failed(request.folder, outcome.sweep)
    chosen = chosen_settings(study, outcome.result)
    for arm, settings in chosen.items():
        note(f"arm {arm} takes settings {settings.number} of {len(settings.values)}")
    return with_chosen(study, chosen)


def _run(request: "SweepRequest", trial_timeout: float | None) -> "SweepOutcome | StudyOutcome":
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


def _print_sweep(folder: "SweepFolder", outcome: "SweepOutcome", *, json: bool) -> None:
    from orchestrator.reports.leaderboard import leaderboard_table

    if json:
        print_json(outcome.document)
    else:
        print_table(leaderboard_table(outcome.document["trials"], folder.config().goals))
    note_search(outcome.document)


def note_search(document: Mapping[str, Any]) -> None:
    """Say that no trial of a sweep is feasible, and that its search ended early, where that is so."""
    if document["infeasible"]:
        note(document["infeasible"])
    if document["ended"]:
        note(f"ended early by {document['ended']}; add trials with: campaign extend {document['sweep']} --trials N")


def _print_study(folder: "SweepFolder", outcome: "StudyOutcome", *, json: bool) -> None:
    from orchestrator.reports.study_table import study_rich, study_table

    if json:
        print_json(outcome.document)
        return
    table = study_table(outcome.result)
    say(f"{table.title}: {table.summary}")
    print_table(study_rich(outcome.result))
    for line in (*table.warnings, *table.notes, *table.arms, f"The table as Markdown: {folder.path / 'study.md'}"):
        say(line)


def _note_failed(folder: "SweepFolder", outcome: "SweepOutcome") -> None:
    from orchestrator.files.text import plural

    if outcome.failed:
        again = f"campaign resume {folder.path.name} --retry-failed"
        note(f"{plural(outcome.failed, 'trial')} failed; try again with: {again}")


def _end(
    folder: "SweepFolder", store: "Store", outcome: "SweepOutcome", not_evaluated: Mapping[str, Exception]
) -> None:
    """Say where the runs are and what is missing, and end with the exit code that says so too."""
    from orchestrator.files.text import plural
    from orchestrator.tracking.pages import where_runs_are

    name = folder.path.name
    note(where_runs_are(store, outcome.document["experiment_id"]))
    for trial_id, error in not_evaluated.items():
        note(f"error: {trial_id} is not evaluated: {error}")
    if outcome.interrupted:
        raise KeyboardInterrupt
    if outcome.unfinished:
        note(f"{plural(outcome.unfinished, 'trial')} left; continue with: campaign resume {name}")
        raise typer.Exit(INTERRUPTED)
    _note_failed(folder, outcome)
    if outcome.failed or not_evaluated:
        raise typer.Exit(FAILED)
