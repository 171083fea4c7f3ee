"""The `campaign` command. Nothing heavy is imported before a command has been chosen."""

import errno
import os
import signal
import sys
from typing import Annotated

import typer

from orchestrator.cli import cluster, data, doctor, results, runs, studies, submit, sweeps, tracking, ui
from orchestrator.cli.exit_codes import FAILED, USAGE_ERROR
from orchestrator.cli.output import escape_what_cannot_be_shown, log_to_stderr, note
from orchestrator.cli.stop_signals import StopSignals

FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What a write fails with where there is no room, or no more for this user or file."""

app = typer.Typer(
    name="campaign",
    help="Train image classifiers to decide by the object: sweeps on Ray, tracked in MLflow.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def configure(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show INFO lines on standard error.")] = False,
) -> None:
    """Train image classifiers to decide by the object: sweeps on Ray, tracked in MLflow."""
    log_to_stderr(verbose=verbose)


for module in (sweeps, studies, runs, results, submit, cluster, data, doctor, tracking, ui):
    module.register(app)


def main() -> None:
    """Run the command line; what stops it early has an exit code as in a shell."""
    escape_what_cannot_be_shown()
    _restore_stop_signal_of_a_job()
    signals = StopSignals()
    with signals.handled():
        try:
            _run()
        except (KeyboardInterrupt, SystemExit) as end:  # Typer makes a SystemExit of nearly every KeyboardInterrupt.
            was_served = isinstance(end, SystemExit) and not end.code
            if was_served or signals.exit_code is None:
                raise
            sys.exit(signals.exit_code)
        finally:
            _flush()


def _flush() -> None:
    """Write what is left of the output; exit code 1 where that fails, without a word if its reader has ended."""
    try:
        if sys.stdout is not None:  # As after `>&-`.
            sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more at its end.
        if not isinstance(error, BrokenPipeError):
            note(f"error: standard output: {error}")
        sys.exit(FAILED)


def _run() -> None:
    """Run the command; a user's error ends with its message and exit code 2, without a traceback."""
    try:
        app()
    except (FloatingPointError, MemoryError) as error:
        note(f"error: {error}")
        sys.exit(FAILED)
    except (ValueError, RuntimeError, OSError) as error:
        if not _is_users_error(error):
            raise
        note(f"error: {error}")
        sys.exit(_exit_code(error))


def _restore_stop_signal_of_a_job() -> None:
    """Let SIGINT stop a job, even if Ray was started in a script's background and so ignores SIGINT."""
    if os.environ.get("RAY_JOB_STOP_SIGNAL") == "SIGINT" and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _exit_code(error: Exception) -> int:
    is_full = isinstance(error, OSError) and error.errno in FULL_DISK
    return FAILED if is_full or _has_failed(error) else USAGE_ERROR


def _is_users_error(error: Exception) -> bool:
    """Return whether the message suffices without a traceback; the imports wait for an error that needs them."""
    from orchestrator.tracking import StoreError
    from trainables.config import ConfigError
    from trainables.json_file import BrokenFileError

    if _has_failed(error) or isinstance(error, BrokenFileError | ConfigError | OSError | StoreError):
        return True
    from trainables.data import ImageError  # It imports torch.

    return isinstance(error, ImageError)


def _has_failed(error: Exception) -> bool:
    """Return whether something failed at run time, with nothing wrong in the command."""
    from orchestrator.files.tuning import CandidatesFailedError
    from orchestrator.launch.failed_workers import WorkersFailedError
    from trainables.trial_folder import FolderGoneError

    return isinstance(error, CandidatesFailedError | FolderGoneError | WorkersFailedError)
