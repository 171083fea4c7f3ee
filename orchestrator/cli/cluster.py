"""Commands on the file of a cluster."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.exit_codes import USAGE_ERROR
from orchestrator.cli.options import Json, Set
from orchestrator.cli.output import note, print_json, say

if TYPE_CHECKING:
    from trainables.config import ExperimentConfig

File = Annotated[Path, typer.Argument(metavar="[FILE]", help="The cluster file.")]
For = Annotated[
    str | None,
    typer.Option(
        "--for",
        metavar="CONFIG|SPACE",
        help="A YAML file, space or shipped base whose trials must fit. A space is taken before a base of its name.",
        show_default=False,
    ),
]
Scale = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|FILE",
        help="A scale at which these trials must fit, as in campaign promote.",
        show_default=False,
    ),
]

cluster = typer.Typer(help="Check the file with which ray up starts a cluster.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add this file's commands to `app`."""
    cluster.command()(check)
    app.add_typer(cluster, name="cluster")


def check(
    file: File = Path("cluster.yaml"),
    for_: For = None,
    scale: Scale = None,
    set_: Set = None,
    json: Json = False,
) -> None:
    """Check a cluster file offline: Ray's own schema and validator, and what a sweep needs. Nothing is started.

    Each finding names the field, what was found and what would be right. With a finding, the exit code is 2.

    Example: campaign cluster check cluster.yaml --for pets-species --scale imagenet-s50 --set resources.workers=2
    """
    from orchestrator.cluster_file.check import check_file
    from orchestrator.files.text import plural
    from trainables.config import ConfigError

    if set_ and for_ is None:
        raise ConfigError(f"--set {set_[0]} has no effect without --for, which names the trial that must fit")
    if scale and for_ is None:
        raise ConfigError(f"--scale {scale} has no effect without --for, which names the trial that must fit")
    checked = check_file(file, None if for_ is None else _experiment(for_, scale, set_ or []))
    for line in checked.to_do:
        note(f"before ray up: {line}")
    if json:
        findings = [asdict(finding) for finding in checked.findings]
        print_json({"file": str(file), "findings": findings, "ok": not findings})
    else:
        for finding in checked.findings:
            say(str(finding))
        say(f"{file}: {plural(len(checked.findings), 'finding') if checked.findings else 'nothing to change'}")
    if checked.findings:
        raise typer.Exit(USAGE_ERROR)


def _experiment(name: str, scale: str | None, assignments: list[str]) -> "ExperimentConfig":
    """Return the config of a space's trials, or that of a base or file, at a scale."""
    from search_spaces import SPACES, find_base, find_scale, find_space
    from trainables.config import ConfigError, experiment_from_tree, override, parse_assignments

    base = find_space(name).base if name in SPACES or Path(name).suffix == ".py" else name
    changes = find_scale(scale).get("set") if scale else {}
    if not isinstance(changes, dict):
        raise ConfigError(f"scale {scale}: found no mapping `set` of config fields")
    tree = override(override(find_base(base), changes), parse_assignments(assignments))
    return experiment_from_tree(tree, source=name if scale is None else f"{name} at scale {scale}")
