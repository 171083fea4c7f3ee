"""Serve MLflow for the nodes of a cluster."""

from typing import Annotated

import typer

from orchestrator.cli.options import DEFAULT_STORAGE, Json, Storage
from orchestrator.cli.output import note, print_json, say

group = typer.Typer(help="MLflow for several nodes.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add this file's commands to `app`."""
    app.add_typer(group, name="tracking")


@group.command()
def serve(
    backend_store_uri: Annotated[
        str | None,
        typer.Option(
            envvar="MLFLOW_BACKEND_STORE_URI",
            help="Database, such as postgresql://USER:PASSWORD@HOST/NAME; by default sqlite in the storage folder.",
            show_default=False,
        ),
    ] = None,
    artifacts_destination: Annotated[
        str | None,
        typer.Option(
            envvar="MLFLOW_ARTIFACTS_DESTINATION",
            help="Folder, or s3://BUCKET/FOLDER, for artifacts; by default in the storage folder.",
            show_default=False,
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all of this machine's.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 5000,
    allow_name: Annotated[
        list[str] | None,
        typer.Option(
            help="A name by which clients call this machine; private addresses need none. May be repeated.",
            show_default=False,
        ),
    ] = None,
    storage: Storage = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """Serve MLflow until Ctrl-C or SIGTERM, so that all nodes log over HTTP.

    Once it answers it prints the setting that sweeps and submitted commands need.

    Example: campaign tracking serve --host 0.0.0.0 --backend-store-uri postgresql://campaign@db.internal/mlflow
    """
    import signal
    import sys

    from orchestrator.tracking import resolve_store
    from orchestrator.tracking.server import TrackingServer, artifacts_of
    from trainables.config import ConfigError

    store = resolve_store(storage, backend_store_uri)
    if not store.is_database:
        raise ConfigError(f"--backend-store-uri {store} is no database; give postgresql://... or none")
    server = TrackingServer(store, artifacts_of(storage, artifacts_destination), host, port, tuple(allow_name or ()))
    if server.is_open:
        note(
            f"warning: --host {host} lets other machines in, and MLflow asks for no password: whoever reaches port "
            f"{port} can read, change and delete all runs. Open it to the cluster's nodes alone (firewall, security "
            f"group); from elsewhere use ssh -L {port}:localhost:{port}"
        )
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with server.running() as process:
        note(f"serving {store}, artifacts in {server.artifacts}; stop with Ctrl-C")
        if json:
            print_json({"tracking_uri": server.uri, "store": str(store), "artifacts": server.artifacts})
        else:
            say(f"CAMPAIGN_TRACKING_URI={server.uri}")
        sys.stdout.flush()
        try:
            code = process.wait()
        except KeyboardInterrupt:
            note("stopped")
            return
    note(f"error: the MLflow server ended by itself with exit code {code}; its last words are above")
    raise typer.Exit(1)
