"""MLflow's page over the runs."""

from typing import Annotated

import typer

from orchestrator.cli.options import DEFAULT_STORAGE, Storage, TrackingUri
from orchestrator.cli.output import note


def register(app: typer.Typer) -> None:
    """Add this file's command to `app`."""
    app.command()(ui)


def ui(
    port: Annotated[int, typer.Option(help="Port on this machine.")] = 5000,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    storage: Storage = DEFAULT_STORAGE,
    tracking_uri: TrackingUri = None,
) -> None:
    """Serve MLflow's page until Ctrl-C.

    Example: campaign ui --port 5000
    """
    import os
    import sys

    from orchestrator.tracking import resolve_store
    from trainables.config import ConfigError

    store = resolve_store(storage, tracking_uri)
    if store.tracking_uri.startswith(("http:", "https:")):
        raise ConfigError(f"{store} is a server already; open it in a browser")
    if store.sqlite_file and not store.sqlite_file.exists():
        raise ConfigError(f"no runs in {storage} yet: {store.sqlite_file} does not exist")
    note(f"MLflow's page is at http://{host}:{port} as soon as it answers; stop it with Ctrl-C")
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", store.tracking_uri]
    command += ["--host", host, "--port", str(port), "--workers", "1"]
    if store.artifact_location:
        command += ["--default-artifact-root", store.artifact_location]
    os.execv(sys.executable, command)
