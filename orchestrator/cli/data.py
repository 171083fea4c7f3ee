"""Commands on data sets: prepare one, check one, compose one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from orchestrator.cli.compose import compose
from orchestrator.cli.exit_codes import USAGE_ERROR
from orchestrator.cli.options import Config, Json, Set, in_home, in_home_if_given
from orchestrator.cli.output import note, print_json, progress, say

MAX_SHOWN = 20
"""Problems of a set that are printed; --json has all."""
MAX_CLASSES = 12
"""Classes of a set whose images are counted one by one."""

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.data.check import Checked, SetCount
    from orchestrator.data.imagenet_s_tree import Tree
    from orchestrator.data.links import LinkKind

ImageNet = Annotated[
    Path, typer.Option(callback=in_home, help="ImageNet: train/<class>/*.JPEG, and val flat or in class folders.")
]
Annotations = Annotated[
    Path,
    typer.Option(callback=in_home, help="The unpacked masks: ImageNetS50, ImageNetS300, ImageNetS919 or all three."),
]
Full = Annotated[bool, typer.Option("--full", help="Read and compare every image and mask, and not only a sample.")]
Processes = Annotated[
    int | None,
    typer.Option(
        min=0, help="Processes that decode: by default one per core; 0 decodes in this process.", show_default=False
    ),
]
Sheet = Annotated[
    Path | None,
    typer.Option(
        metavar="PATH",
        callback=in_home_if_given,
        help="Where the contact sheet goes: by default CONFIG-data.png, next to a YAML file.",
        show_default=False,
    ),
]
Subset = Annotated[bool, typer.Option("--subset", help="Do not compare with the published counts.")]

data = typer.Typer(help="Prepare, check and compose data sets.", no_args_is_help=True)
prepare = typer.Typer(help="Make the folders of a data set from the published files.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add this file's commands to `app`."""
    prepare.command(name="imagenet-s")(prepare_imagenet_s)
    data.add_typer(prepare, name="prepare")
    data.command()(check)
    data.command()(compose)
    app.add_typer(data, name="data")


def prepare_imagenet_s(
    imagenet: ImageNet,
    annotations: Annotations,
    root: Annotated[Path, typer.Option(callback=in_home, help="The folder to make them in: data.root of a config.")],
    link: Annotated[
        Literal["hard", "symlink", "copy"],
        typer.Option(help="How to put images there. Hard links take no space and need one file system."),
    ] = "hard",
    skip_missing: Annotated[
        bool, typer.Option("--skip-missing", help="Leave out images that have masks but are missing in ImageNet.")
    ] = False,
    threads: Annotated[int, typer.Option(min=1, help="Folders to fill at the same time.")] = 16,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count; write nothing.")] = False,
    json: Json = False,
) -> None:
    """Make the folders of ImageNet-S from a copy of ImageNet and the published masks.

    The set of 919 classes merges five classes of ImageNet into others. Existing files stay, so an interrupted command
    can be repeated.

    Example: campaign data prepare imagenet-s --imagenet /data/imagenet --annotations /data/masks --root /data
    """
    from orchestrator.data.imagenet_s_tree import annotated_folders, plan_tree

    trees = [plan_tree(imagenet, folder, root) for folder in annotated_folders(annotations)]
    _report_missing(trees, imagenet, skip=skip_missing)
    documents = [_link(tree, root, link, threads, dry_run=dry_run, quiet=json) for tree in trees]
    if json:
        print_json({"root": str(root), "dry_run": dry_run, "sets": documents})


def _report_missing(trees: "Sequence[Tree]", imagenet: Path, *, skip: bool) -> None:
    """Raise ConfigError where images that have masks are missing, or only print them where they may be skipped."""
    from trainables.config import ConfigError
    from trainables.data.folders import first_few

    for tree in trees:
        if not tree.missing:
            continue
        text = f"{tree.folder}: images with masks that are not in {imagenet} ({len(tree.missing)}): "
        text += first_few(tree.missing)
        if not skip:
            raise ConfigError(f"--imagenet: {text}; add them, or pass --skip-missing to leave them out")
        note(text)


def _link(tree: "Tree", root: Path, kind: "LinkKind", threads: int, *, dry_run: bool, quiet: bool) -> dict[str, Any]:
    """Link a set's files; print and return how many of each split were linked and how many were there."""
    from contextlib import nullcontext

    from orchestrator.data.links import link_all
    from orchestrator.files.lock import locked

    counts = {job.split: {"linked": 0, "there": 0} for job in tree.jobs}
    target = root / tree.folder
    with nullcontext() if dry_run else locked(target / ".prepare.lock", f"data prepare of {target}"):
        done = link_all(tree.jobs, kind, dry_run=dry_run, threads=threads)
        for linked in progress()(done, tree.folder, len(tree.jobs)):
            counts[linked.split]["linked"] += linked.made
            counts[linked.split]["there"] += linked.there
    for split, count in counts.items() if not quiet else ():
        verb = "to link" if dry_run else "linked"
        say(f"{target / split}: {count['linked']} {verb}, {count['there']} already there")
    if not dry_run and not quiet:
        note(f"check it with: campaign data check imagenet-s --set data.root={root} --set data.folder={tree.folder}")
    missing = list(tree.missing)
    return {"folder": tree.folder, "classes": len(tree.class_names), "splits": counts, "missing": missing}


def check(
    config: Config,
    full: Full = False,
    processes: Processes = None,
    sheet: Sheet = None,
    subset: Subset = False,
    set_: Set = None,
    json: Json = False,
) -> None:
    """Check a config's data: count images, masks and classes, and find what is wrong with files and masks.

    A contact sheet shows images of each class with the outlines of their masks. Known data sets are compared with the
    published counts. The exit code is 2 if anything is wrong.

    Example: campaign data check imagenet-s --set data.root=/data --full
    """
    import os
    from dataclasses import asdict

    from search_spaces import find_experiment
    from trainables.config import ConfigError

    if processes is not None and not full:
        raise ConfigError(f"--processes {processes} has no effect without --full")
    experiment = find_experiment(config, set_ or [])
    from orchestrator.data.check import check_data_set  # Heavy: only for a config that is right.

    workers = (processes if processes is not None else os.cpu_count() or 1) if full else 0
    path = sheet or _sheet_of(config)
    checked = check_data_set(
        experiment.data, full=full, processes=workers, published=not subset, sheet=path, track=progress()
    )
    if json:
        document = {"config": config, "kind": experiment.data.kind, **asdict(checked), "sheet": str(path)}
        print_json({**document, "ok": not checked.findings})
    else:
        _say_checked(checked, path)
    if checked.findings:
        raise typer.Exit(USAGE_ERROR)


def _sheet_of(config: str) -> Path:
    """Return the contact sheet of a config: next to a YAML file, and in the current folder for a shipped base."""
    path = Path(config)
    return path.with_name(f"{path.stem}-data.png") if path.is_file() else Path(f"{config}-data.png")


def _say_checked(checked: "Checked", sheet: Path) -> None:
    from orchestrator.files.text import plural

    for name, count in checked.sets.items():
        say(_count_line(name, count))
        for note_ in (one.message for one in checked.notes if one.set == name):
            say(f"  {name}: note: {note_}")
        messages = [problem.message for problem in checked.findings if problem.set == name]
        for message in messages[:MAX_SHOWN]:
            say(f"  {name}: {message}")
        if len(messages) > MAX_SHOWN:
            say(f"  {name}: and {len(messages) - MAX_SHOWN} more; --json lists all")
    say(f"contact sheet: {sheet}")
    say(plural(len(checked.findings), "problem"))


def _count_line(name: str, count: "SetCount") -> str:
    """Return what a set holds, its classes one by one where they are few, and how many images were read."""
    from orchestrator.files.text import plural

    classes = ""
    if count.classes and len(count.classes) <= MAX_CLASSES:
        classes = f"; {', '.join(f'{class_name} {num}' for class_name, num in count.classes.items())}"
    elif count.classes:
        fewest, most = min(count.classes.values()), max(count.classes.values())
        classes = f"; {len(count.classes)} classes of {fewest} to {most} images"
    share = f"{count.with_mask / count.images:.0%}" if count.images else "none"
    return (
        f"{name}: {plural(count.images, 'image')}, {count.with_mask} with masks ({share}), {count.without_mask} "
        f"without{classes}; {count.read} read"
    )
