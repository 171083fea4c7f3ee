"""Commands on data sets: make one ready, check one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from orchestrator.cli.options import Json, Set, in_home
from orchestrator.cli.output import note, print_json, say

NUM_SHOWN = 20
"""Findings of a set that are printed; --json has all."""

if TYPE_CHECKING:
    from orchestrator.data.check import Checked
    from orchestrator.data.files import Track
    from orchestrator.data.imagenet_s_tree import Tree
    from orchestrator.data.links import LinkKind

data = typer.Typer(help="Prepare and check data sets.", no_args_is_help=True)
prepare = typer.Typer(help="Make the folders of a data set from what its publishers give out.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add this file's commands to `app`."""
    prepare.command(name="imagenet-s")(prepare_imagenet_s)
    data.add_typer(prepare, name="prepare")
    data.command()(check)
    app.add_typer(data, name="data")


def prepare_imagenet_s(
    imagenet: Annotated[
        Path,
        typer.Option(callback=in_home, help="ImageNet: train/<class>/*.JPEG, and val flat or in class folders."),
    ],
    annotations: Annotated[
        Path,
        typer.Option(callback=in_home, help="The unpacked masks: ImageNetS50, ImageNetS300, ImageNetS919 or all."),
    ],
    root: Annotated[Path, typer.Option(callback=in_home, help="Where the folders are made: data.root of a config.")],
    link: Annotated[
        Literal["hard", "symlink", "copy"],
        typer.Option(help="How an image comes there; hard links take no room, and stay within a file system."),
    ] = "hard",
    skip_missing: Annotated[
        bool, typer.Option("--skip-missing", help="Go on without images that ImageNet lacks and masks name.")
    ] = False,
    threads: Annotated[int, typer.Option(min=1, help="Folders filled at a time.")] = 16,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count, and write nothing.")] = False,
    json: Json = False,
) -> None:
    """Make the folders of ImageNet-S from a copy of ImageNet and the published masks.

    The set of 919 classes merges five classes of ImageNet into others. What is there already stays, so that the same
    command goes on after it was cut off.

    Example: campaign data prepare imagenet-s --imagenet /data/imagenet --annotations /data/masks --root /data
    """
    from orchestrator.data.imagenet_s_tree import annotated_folders, plan_tree
    from trainables.config import ConfigError
    from trainables.data.folders import first_few

    trees = [plan_tree(imagenet, folder, root) for folder in annotated_folders(annotations)]
    missing = {tree.folder: tree.missing for tree in trees if tree.missing}
    for folder, names in missing.items():
        text = f"{folder}: {len(names)} images that have masks are not in {imagenet}: {first_few(list(names))}"
        if not skip_missing:
            raise ConfigError(f"--imagenet: {text}; add them, or go on without them with --skip-missing")
        note(text)
    documents = []
    for tree in trees:
        parts = _link(tree, root, link, threads, dry_run=dry_run, quiet=json)
        counts = {"folder": tree.folder, "classes": len(tree.class_names), "parts": parts}
        documents.append({**counts, "missing": list(tree.missing)})
    if json:
        print_json({"root": str(root), "dry_run": dry_run, "sets": documents})


def _link(
    tree: "Tree", root: Path, kind: "LinkKind", threads: int, *, dry_run: bool, quiet: bool
) -> dict[str, dict[str, int]]:
    """Link a set's files, and say and return how many of each part were linked and how many were there."""
    from contextlib import nullcontext

    from orchestrator.data.links import link_all
    from orchestrator.files.lock import locked

    parts = {job.part: {"linked": 0, "there": 0} for job in tree.jobs}
    target = root / tree.folder
    hold = nullcontext() if dry_run else locked(target / ".prepare.lock", f"data prepare of {target}")
    with hold:
        done = link_all(tree.jobs, kind, dry_run=dry_run, threads=threads)
        for linked in _progress()(done, tree.folder, len(tree.jobs)):
            parts[linked.part]["linked"] += linked.made
            parts[linked.part]["there"] += linked.there
    for part, counts in parts.items() if not quiet else ():
        verb = "to be linked" if dry_run else "linked"
        say(f"{target / part}: {counts['linked']} {verb}, {counts['there']} there before")
    if not dry_run and not quiet:
        note(f"check it with: campaign data check imagenet-s --set data.root={root} --set data.folder={tree.folder}")
    return parts


def check(
    config: Annotated[
        str, typer.Argument(metavar="CONFIG", help="A YAML file, or a shipped base's name.", show_default=False)
    ],
    decode: Annotated[bool, typer.Option("--decode", help="Decode every image and mask too.")] = False,
    processes: Annotated[
        int | None,
        typer.Option(min=0, help="Processes that decode; by default one a core, 0 for none.", show_default=False),
    ] = None,
    subset: Annotated[bool, typer.Option("--subset", help="Do not compare with the publisher's counts.")] = False,
    set_: Set = None,
    json: Json = False,
) -> None:
    """Check a config's data: count images, masks and classes, look whether each file is there, say what to do.

    Known data sets are compared with their publishers' counts. The exit code is 2 if anything is wrong.

    Example: campaign data check imagenet-s --set data.root=/data --decode
    """
    import os
    from dataclasses import asdict

    from orchestrator.data.check import check_data_set
    from search_spaces import find_base
    from trainables.config import ConfigError, experiment_from_tree, override, parse_assignments

    if processes is not None and not decode:
        raise ConfigError(f"--processes {processes} has no effect without --decode")
    experiment = experiment_from_tree(override(find_base(config), parse_assignments(set_ or [])), source=config)
    workers = (processes if processes is not None else os.cpu_count() or 1) if decode else None
    checked = check_data_set(experiment.data, processes=workers, published=not subset, track=_progress())
    if json:
        print_json({"config": config, "kind": experiment.data.kind, **asdict(checked), "ok": not checked.findings})
    else:
        _say_checked(checked)
    if checked.findings:
        raise typer.Exit(2)


def _say_checked(checked: "Checked") -> None:
    for name, count in checked.sets.items():
        classes = ""
        if count.classes:
            least, most = min(count.classes.values()), max(count.classes.values())
            classes = f"; {len(count.classes)} classes of {least} to {most}"
        say(f"{name}: {count.images} images, {count.with_mask} with masks, {count.without_mask} without{classes}")
        found = [finding.message for finding in checked.findings if finding.set == name]
        for message in found[:NUM_SHOWN]:
            say(f"  {name}: {message}")
        if len(found) > NUM_SHOWN:
            say(f"  {name}: and {len(found) - NUM_SHOWN} more, which --json lists")
    say("nothing to change" if not checked.findings else f"{len(checked.findings)} findings")


def _progress() -> "Track":
    """Return what shows steps on a terminal's standard error as they pass."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return lambda steps, what, num: track(steps, what, num, console=console, disable=not console.is_terminal)
