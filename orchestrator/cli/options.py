"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer


def in_home(path: Path) -> Path:
    """Return `path` with a leading `~` read as a shell does, which leaves it in `--storage=~/x` and in variables."""
    return path.expanduser()


Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="SECTION.FIELD=VALUE", help="Set a field of the config; may be repeated.", show_default=False
    ),
]
Storage = Annotated[
    Path,
    typer.Option(
        envvar="CAMPAIGN_STORAGE",
        callback=in_home,
        help="Folder of sweeps, runs and, by default, the MLflow store.",
    ),
]
TrackingUri = Annotated[
    str | None,
    typer.Option(
        "--tracking-uri",
        envvar=["CAMPAIGN_TRACKING_URI", "MLFLOW_TRACKING_URI"],
        help="MLflow server or database; by default sqlite in the storage folder.",
        show_default=False,
    ),
]
Address = Annotated[
    str | None,
    typer.Option(envvar="RAY_ADDRESS", help="Ray cluster to use; by default one on this machine.", show_default=False),
]
Concurrent = Annotated[
    int | None,
    typer.Option(
        "--concurrent",
        "--max-concurrent",
        min=1,
        help="Most trials at a time, by default as many as fit; how many a cluster that adds nodes grows for.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]
Sweep = Annotated[
    str, typer.Argument(metavar="SWEEP", help="Name of a sweep in the storage folder.", show_default=False)
]
Run = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A trial's folder, SWEEP/TRIAL, SWEEP for its best, or an MLflow run id.",
        show_default=False,
    ),
]
Runs = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN...",
        help="A trial's folder, SWEEP/TRIAL, SWEEP for its best, or an MLflow run id.",
        show_default=False,
    ),
]
DEFAULT_STORAGE = Path("campaign-data")
