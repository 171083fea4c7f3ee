"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.files.text import parse_seconds


def in_home(path: Path) -> Path:
    """Return `path` with a leading `~` read as a shell does, which leaves it in `--storage=~/x` and in variables."""
    return path.expanduser()


def in_home_if_given(path: Path | None) -> Path | None:
    """Return the same for an option that may be left out."""
    return None if path is None else in_home(path)


def parse_duration(text: str) -> float:
    """Return seconds; typer.BadParameter for what is no duration."""
    try:
        return parse_seconds(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


RUN_HELP = "A trial's folder, SWEEP/TRIAL, SWEEP for its best trial, or an MLflow run id."

Config = Annotated[
    str,
    typer.Argument(
        metavar="CONFIG",
        help="A YAML file, or a shipped base's name, such as digits. An unknown name lists the valid ones.",
        show_default=False,
    ),
]
Name = Annotated[
    str | None,
    typer.Option(help="Name of its folder; by default made of what is run and a hash.", show_default=False),
]
Campaign = Annotated[
    str | None, typer.Option(help="MLflow experiment; by default named after what is run.", show_default=False)
]
Trials = Annotated[
    int | None, typer.Option(min=1, help="Number of trials; by default the space's own.", show_default=False)
]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the sampler; --set seed=N sets that of the training.")]
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
        help="Maximum trials at a time; by default as many as fit. A cluster that adds nodes grows for this many.",
        show_default=False,
    ),
]
TrialTimeout = Annotated[
    float | None,
    typer.Option(
        parser=parse_duration,
        metavar="DURATION",
        help="End a trial that reports no epoch for so long, such as 90s, 30m or 2h; it counts as failed and is tried "
        "again. By default there is no limit.",
        show_default=False,
    ),
]
TimeBudget = Annotated[
    float | None,
    typer.Option(
        parser=parse_duration,
        metavar="DURATION",
        help="Start no trial after so long, such as 2h, over all drivers of the sweep; those that run go on to their "
        "end.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]
Sweep = Annotated[
    str, typer.Argument(metavar="SWEEP", help="Name of a sweep in the storage folder.", show_default=False)
]
Run = Annotated[
    str,
    typer.Argument(metavar="RUN", help=RUN_HELP, show_default=False),
]
Runs = Annotated[
    list[str],
    typer.Argument(metavar="RUN...", help=RUN_HELP, show_default=False),
]
Host = Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all of this machine's.")]
Port = Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")]
DEFAULT_STORAGE = Path("campaign-data")
