"""MLflow's page over the runs."""

import typer

from orchestrator.cli.options import DEFAULT_STORAGE, Host, Port, Storage, TrackingUri
from orchestrator.cli.output import note


def register(app: typer.Typer) -> None:
    """Add this file's command to `app`."""
    app.command()(ui)


def ui(
    port: Port = 5000,
    host: Host = "127.0.0.1",
    storage: Storage = DEFAULT_STORAGE,
    tracking_uri: TrackingUri = None,
) -> None:
    """Serve MLflow's pages until Ctrl-C; the address of each experiment's runs is printed first.

    Example: campaign ui --port 5000
    """
    import os
    import sys

    from orchestrator.tracking import StoreError, resolve_store
    from orchestrator.tracking.pages import runs_pages
    from orchestrator.tracking.server import WITHOUT_JOBS
    from trainables.config import ConfigError

    store = resolve_store(storage, tracking_uri)
    if store.tracking_uri.startswith(("http:", "https:")):
        raise ConfigError(f"{store} is a server already; open it in a browser")
    if store.sqlite_file and not store.sqlite_file.exists():
        raise ConfigError(f"no runs in {storage} yet: {store.sqlite_file} does not exist")
    site = f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"
    try:
        pages = runs_pages(store, site)
    except StoreError as error:
        if not store.sqlite_file or "locked" not in str(error):
            raise  # The server would try for minutes.
        pages = {}
        note(f"warning: the addresses of the runs are unknown: {error}")
    note(f"MLflow answers at {site} in a few seconds; stop it with Ctrl-C")
    for experiment, address in pages.items():
        note(f"runs of {experiment}: {address}")
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", store.tracking_uri]
    command += ["--host", host, "--port", str(port), "--workers", "1"]
    if store.artifact_location:
        command += ["--default-artifact-root", store.artifact_location]
    os.execve(sys.executable, command, {**os.environ, **WITHOUT_JOBS})
