"""`campaign data compose`: objects of one data set before scenes of another."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from orchestrator.cli.options import Config, Json, Set, in_home, in_home_if_given
from orchestrator.cli.output import command_line, note, print_json, progress, say

if TYPE_CHECKING:
    from orchestrator.data.compose.compose import Composed
    from orchestrator.data.compose.scenes import KindsBy as KindsByName

DEFAULT_SHARES, DEFAULT_KINDS = (0.6, 0.2, 0.2), 2
MAX_SHOWN = 12
"""Groups of a split, and classes, that are printed; --json has all."""

Scenes = Annotated[
    Path,
    typer.Option(
        callback=in_home,
        help="The scenes: a folder of images, or a .csv or .parquet file with the columns path and mask, and perhaps "
        "kind.",
        show_default=False,
    ),
]
Out = Annotated[Path, typer.Option(callback=in_home, help="The folder to make.", show_default=False)]
SceneMasks = Annotated[
    Path | None,
    typer.Option(
        callback=in_home_if_given,
        help="A folder with masks of the scenes, of the same names: objects, where a mask is not black, are taken out.",
        show_default=False,
    ),
]
KindsBy = Annotated[
    Literal["folder", "column", "colour"] | None,
    typer.Option(
        help="What says which kind a scene is: its sub-folder, the table's column kind, or its colour. By default the "
        "sub-folder or the column.",
        show_default=False,
    ),
]
Kinds = Annotated[
    int | None,
    typer.Option(
        min=2, help=f"With --kinds-by colour, the number of kinds: by default {DEFAULT_KINDS}.", show_default=False
    ),
]
Clearest = Annotated[
    float,
    typer.Option(
        min=0.01,
        max=1,
        help="With --kinds-by colour, the share of each kind's scenes that is used: the clearest in colour.",
    ),
]
Agreement = Annotated[
    float,
    typer.Option(
        min=0, max=1, help="Share of a class's training images that stand before the class's own kind of scene."
    ),
]
SceneShares = Annotated[
    tuple[float, float, float],
    typer.Option(metavar="TRAIN VAL TEST", help="Shares of the scenes for training, validation and test."),
]
ImageSize = Annotated[
    int | None,
    typer.Option(
        min=32, help="Pixels of an image's shorter side; by default images keep their size.", show_default=False
    ),
]
Feather = Annotated[float, typer.Option(min=0, max=16, help="Blur of an object's edge, in pixels; 0 for none.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of every choice.")]


def compose(
    config: Config,
    scenes: Scenes,
    out: Out,
    scene_masks: SceneMasks = None,
    kinds_by: KindsBy = None,
    kinds: Kinds = None,
    clearest: Clearest = 1.0,
    agreement: Agreement = 0.95,
    scene_shares: SceneShares = DEFAULT_SHARES,
    image_size: ImageSize = None,
    feather: Feather = 1.0,
    seed: Seed = 0,
    set_: Set = None,
    json: Json = False,
) -> None:
    """Put the objects of a config's data before other scenes: a data set whose background misleads as much as you say.

    The new folder has images, masks, a table, a config that trains on it, and a contact sheet.

    Example: campaign data compose pets.yaml --scenes places --agreement 0.95 --out composed
    """
    from search_spaces import find_experiment

    experiment = find_experiment(config, set_ or [])
    from orchestrator.data.compose.compose import Options, compose_data  # Heavy: only for options that are right.

    options = Options(
        scenes=scenes,
        scene_masks=scene_masks,
        kinds_by=_kinds_by(scenes, kinds_by, kinds=kinds, clearest=clearest),
        kinds=kinds or DEFAULT_KINDS,
        clearest=clearest,
        agreement=agreement,
        scene_shares=scene_shares,
        image_size=image_size,
        feather=feather,
        seed=seed,
    )
    _say(compose_data(experiment.data, options, out, made_by=command_line(), track=progress()), out, json=json)


def _kinds_by(scenes: Path, given: "KindsByName | None", *, kinds: int | None, clearest: float) -> "KindsByName":
    """Return what says the kinds of scenes; ConfigError where an option about their colours has no effect."""
    from trainables.config import ConfigError
    from trainables.config.table import TABLE_SUFFIXES

    by = given or ("column" if scenes.suffix.lower() in TABLE_SUFFIXES else "folder")
    for option, is_set in ((f"--kinds {kinds}", kinds is not None), (f"--clearest {clearest:g}", clearest < 1)):
        if is_set and by != "colour":
            raise ConfigError(f"{option} has no effect with --kinds-by {by}, which says the kinds itself")
    return by


def _say(composed: "Composed", out: Path, *, json: bool) -> None:
    from orchestrator.data.compose.config_file import CONFIG, SHEET
    from orchestrator.files.text import plural

    if json:
        print_json({"out": str(out), **composed.document()})
        return
    for split, groups in composed.groups.items():
        shown = _some([f"{group} {num}" for group, num in groups.items()], "groups")
        left_out, fill = composed.without_mask[split], composed.without_scene[split]
        without = f"; {plural(left_out, 'image')} without a mask left out" if left_out else ""
        say(f"{split}: {plural(sum(groups.values()), 'image')}; {shown}{without}")
        say(f"  scenes: {', '.join(f'{kind} {num}' for kind, num in composed.scenes[split].items())}")
        if fill:
            say(f"  objects that fill their image, so that no scene shows: {fill}")
    say(f"own kinds of scenes: {_some([f'{name} {kind}' for name, kind in composed.own_kind.items()], 'classes')}")
    say(f"shifted sets: {', '.join(f'{name} {num}' for name, num in composed.shifted.items())}")
    if composed.scenes_left_out:
        say(f"scenes left out (little around the object, a copy, or no clear colour): {composed.scenes_left_out}")
    if composed.in_two_splits:
        num = plural(composed.in_two_splits, "image")
        note(f"warning: {num} in two splits of the data; campaign data check --full names them")
    say(f"agreement in training: {composed.measured_agreement:.4f}")
    say(f"contact sheet: {out / SHEET}")
    note(f"train on it with: campaign train {out / CONFIG}")


def _some(texts: list[str], what: str) -> str:
    more = f", and {len(texts) - MAX_SHOWN} more {what}" if len(texts) > MAX_SHOWN else ""
    return f"{', '.join(texts[:MAX_SHOWN])}{more}"
