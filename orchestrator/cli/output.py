"""What commands print: results on standard output, everything else on standard error."""

import io
import json
import logging
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainables.json_file import finite

if TYPE_CHECKING:
    from orchestrator.data.files import Track


def escape_what_cannot_be_shown() -> None:
    """Print a character that the terminal or a file's encoding lacks as an escape, such as `\\xe9`."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def print_json(document: Any) -> None:
    """Print one strict JSON document; a number that is not finite becomes null."""
    print(json.dumps(finite(document), indent=2))


def say(line: str) -> None:
    """Print a line for people."""
    print(line)


def note(line: str) -> None:
    """Print a line about the work itself."""
    print(line, file=sys.stderr)


def command_line() -> str:
    """Return the command as it was given, to be shown with what it makes."""
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])


@contextmanager
def continued_with(command: Callable[[], str]) -> Iterator[None]:
    """Say after an interruption which command continues the work."""
    try:
        yield
    except KeyboardInterrupt:
        note(f"interrupted; continue with: {command()}")
        raise


def print_table(table: Any) -> None:
    """Print a rich table, wide enough for its columns where the output is no terminal."""
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else 200)
    console.print(table)


def progress() -> "Track":
    """Return a function that shows progress on a terminal's standard error."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return lambda steps, what, num: track(steps, what, num, console=console, disable=not console.is_terminal)


def log_to_stderr(*, verbose: bool) -> None:
    """Send log lines to standard error: warnings, with `verbose` also our own INFO lines and MLflow's."""
    if not verbose:
        os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")  # For an MLflow that is yet to be imported.
        logging.getLogger("mlflow").setLevel(logging.WARNING)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    for package in ("orchestrator", "trainables", "search_spaces"):
        logging.getLogger(package).setLevel(logging.INFO if verbose else logging.WARNING)
