"""The config that reads composed data, and the contact sheet of what it reads."""

from pathlib import Path

import yaml

from orchestrator.data.compose.plan import SHIFTED
from orchestrator.data.compose.writing import SHIFTED_TABLE, TABLE
from orchestrator.data.contact_sheet import choose, draw_contact_sheet
from trainables.config import experiment_from_tree
from trainables.data import Draw, build_data
from trainables.data.image_files import ImageFiles

CONFIG, SHEET = "config.yaml", "contact-sheet.png"


def write_config(folder: Path, root: str, image_size: int, made_by: str) -> None:
    """Write the config.

    Args:
        folder: Where it is written.
        root: The folder of the composed data.
        image_size: Side of the square image that a network sees, in pixels.
        made_by: The command, for a comment at its head.
    """
    sources = {"source": "source"}
    data = {
        "kind": "table",
        "root": root,
        "table": TABLE,
        "columns": dict(sources),
        "groups": ["label", "kind"],
        "masks": {"kind": "soft"},
        "image_size": image_size,
        "shift": {
            name: {
                "kind": "table",
                "table": SHIFTED_TABLE,
                "split": name,
                "columns": dict(sources),
                "masks": {"kind": "soft"},
            }
            for name in SHIFTED
        },
    }
    head = f"# Made by: {made_by}\n" if made_by else ""
    (folder / CONFIG).write_text(head + yaml.safe_dump({"data": data}, sort_keys=False), encoding="utf-8")


def write_sheet(folder: Path) -> None:
    """Draw some images of each group and each shifted set, as the config of this folder reads them."""
    tree = yaml.safe_load((folder / CONFIG).read_text(encoding="utf-8"))
    tree["data"]["root"] = str(folder)
    bundle, drawn = build_data(experiment_from_tree(tree).data), {}
    for name, images in bundle.named().items():
        assert isinstance(images, ImageFiles), "a table lists files"
        groups_N = images.groups()
        strata_N = images.labels_N if groups_N is None else groups_N
        batch = images.__getitems__([Draw(index, 0) for index in choose(list(enumerate(strata_N.tolist())))])
        drawn[name] = (f"{name}: {len(images)} images", batch)
    draw_contact_sheet("composed data: masks on images", drawn, bundle.class_names).save(folder / SHEET)
