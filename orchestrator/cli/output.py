"""What commands print: results on standard output, everything else on standard error."""

import json
import logging
import math
import shlex
import sys
from pathlib import Path
from typing import Any


def print_json(document: Any) -> None:
    """Print one strict JSON document; a number that is not finite becomes null."""
    print(json.dumps(_finite(document), indent=2))


def say(line: str) -> None:
    """Print a line for people."""
    print(line)


def note(line: str) -> None:
    """Print a line about the work itself."""
    print(line, file=sys.stderr)


def command_line() -> str:
    """Return the command as it was given, to be shown with what it makes."""
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])


def print_table(table: Any) -> None:
    """Print a rich table, wide enough for its columns where the output is no terminal."""
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else 200)
    console.print(table)


def log_to_stderr(*, verbose: bool) -> None:
    """Send our own log lines to standard error, the libraries' from warnings on."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    for package in ("orchestrator", "trainables", "search_spaces"):
        logging.getLogger(package).setLevel(logging.INFO if verbose else logging.WARNING)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
