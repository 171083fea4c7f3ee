"""Serve MLflow for the nodes of a cluster."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.exit_codes import FAILED
from orchestrator.cli.options import DEFAULT_STORAGE, Host, Json, Port, Storage
from orchestrator.cli.output import note, print_json, say

if TYPE_CHECKING:
    from orchestrator.tracking.server import TrackingServer

OPEN_WARNING = (
    "warning: --host {host} lets other machines in, and MLflow asks for no password: whoever reaches port {port} can "
    "read, change and delete all runs. Open it to the cluster's nodes alone (firewall, security group); from elsewhere "
    "use ssh -L {port}:localhost:{port}"
)
BackendStore = Annotated[
    str | None,
    typer.Option(
        envvar="MLFLOW_BACKEND_STORE_URI",
        help="Database, such as postgresql://USER:PASSWORD@HOST/NAME; by default sqlite in the storage folder.",
        show_default=False,
    ),
]
Artifacts = Annotated[
    str | None,
    typer.Option(
        envvar="MLFLOW_ARTIFACTS_DESTINATION",
        help="Folder, or s3://BUCKET/FOLDER, for artifacts; by default in the storage folder.",
        show_default=False,
    ),
]
AllowName = Annotated[
    list[str] | None,
    typer.Option(
        help="A name by which clients call this machine; private addresses need none. May be repeated.",
        show_default=False,
    ),
]

group = typer.Typer(help="MLflow for several nodes.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add this file's commands to `app`."""
    app.add_typer(group, name="tracking")


@group.command()
def serve(
    backend_store_uri: BackendStore = None,
    artifacts_destination: Artifacts = None,
    host: Host = "127.0.0.1",
    port: Port = 5000,
    allow_name: AllowName = None,
    storage: Storage = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """Serve MLflow until Ctrl-C or SIGTERM, so that all nodes log over HTTP.

    Once it answers it prints the setting that sweeps and submitted commands need.

    Example: campaign tracking serve --host 0.0.0.0 --backend-store-uri postgresql://campaign@db.internal/mlflow
    """
    from orchestrator.tracking import resolve_store
    from orchestrator.tracking.server import TrackingServer, artifacts_of
    from trainables.config import ConfigError

    store = resolve_store(storage, backend_store_uri)
    if not store.is_database:
        raise ConfigError(f"--backend-store-uri {store} is no database; give postgresql://... or none")
    artifacts = artifacts_of(storage, artifacts_destination)
    _serve(TrackingServer(store, artifacts, host, port, tuple(allow_name or ())), json=json)


def _serve(server: "TrackingServer", *, json: bool) -> None:
    """Run the server until it is stopped; exit code 1 if it ends by itself."""
    if server.is_open:
        note(OPEN_WARNING.format(host=server.host, port=server.port))
    with server.running() as process:
        note(f"serving {server.store}, artifacts in {server.artifacts}; stop with Ctrl-C")
        if json:
            print_json({"tracking_uri": server.uri, "store": str(server.store), "artifacts": server.artifacts})
        else:
            say(f"CAMPAIGN_TRACKING_URI={server.uri}")
        sys.stdout.flush()
        try:
            code = process.wait()
        except KeyboardInterrupt:
            note("stopped")
            return
    note(f"error: the MLflow server ended by itself with exit code {code}; its last log lines are above")
    raise typer.Exit(FAILED)
