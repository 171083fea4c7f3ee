"""The command that checks this machine, and a cluster."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.exit_codes import FAILED
from orchestrator.cli.options import DEFAULT_STORAGE, Address, Json, Storage, TrackingUri
from orchestrator.cli.output import print_json, say


def register(app: typer.Typer) -> None:
    """Add this file's command to `app`."""
    app.command()(doctor)


def doctor(
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of a data set that must be readable.", show_default=False),
    ] = None,
    ray: Annotated[bool, typer.Option("--ray", help="Check whether Ray starts on this machine.")] = False,
    storage: Storage = DEFAULT_STORAGE,
    tracking_uri: TrackingUri = None,
    address: Address = None,
    json: Json = False,
) -> None:
    """Check this machine and, with --address, a Ray cluster: what works, and what to do about what does not.

    The exit code is 1 if a check ends in an error. No file is left behind.

    Example: campaign doctor --data /data/pets --ray
    """
    from orchestrator.doctor.checks import DoctorOptions, run_checks

    states = []
    for state in run_checks(DoctorOptions(storage, tracking_uri, data, address, ray)):
        states.append(state)
        if not json:
            say(str(state))
    failed = [state.name for state in states if state.status == "error"]
    if json:
        print_json({"checks": [asdict(state) for state in states], "ok": not failed})
    if failed:
        raise typer.Exit(FAILED)
