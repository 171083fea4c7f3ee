"""Make the tables of docs/models.md: what is edited, every network's size, map and cost at 224 px, and timm's families.

No weights are drawn: the networks are on torch's meta device, where a forward pass computes shapes alone.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.harness.on_meta import OnMeta
from benchmarks.timm_networks import judge_all, rows
from trainables.config import Torchvision
from trainables.models import BuiltModel, build_model
from trainables.models.torchvision_network import ARCHITECTURES

PAGE = Path(__file__).resolve().parents[1] / "docs" / "models.md"
BEGIN, END = "<!-- begin: python -m benchmarks.models -->\n", "<!-- end -->\n"
BEGIN_TIMM, END_TIMM = "<!-- begin: timm, by python -m benchmarks.models -->\n", "<!-- end of timm -->\n"
IMAGE_SIZE = 224
STRIDES = (32, 16, 8, 4)
EXAMPLES = ("resnet50", "regnet_y_400mf", "convnext_tiny", "efficientnet_v2_s", "densenet121")
SWITCHES: tuple[dict[str, Any], ...] = (
    {"cam_stride": 16},
    {"final_norm": False},
    {"final_relu": False},
    {"norm": "group"},
    {"activation": "elu"},
)


def build(kind: str, **fields: Any) -> BuiltModel:
    config = Torchvision.model_validate({"kind": kind, "head_bias": True, **fields})
    with OnMeta():
        return build_model(config, num_classes=1000)


def cost(kind: str, cam_stride: int) -> tuple[int, float]:
    """Return the side of the map of an image, and the billions of multiplications that the image takes."""
    trunk = build(kind, cam_stride=cam_stride).model.trunk.eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        features_BFHW = trunk(torch.empty(1, 3, IMAGE_SIZE, IMAGE_SIZE, device="meta"))
    return features_BFHW.shape[-1], counter.get_total_flops() / 2e9


def edit_rows() -> Iterator[str]:
    yield "| kind | always | " + " | ".join(f"`{name}: {_yaml(value)}`" for name, value in _named_switches()) + " |"
    yield "|---" * (2 + len(SWITCHES)) + "|"
    for kind in EXAMPLES:
        always = build(kind).edits
        cells = [_listing(always)]
        for switch in SWITCHES:
            has_effect = not (kind.startswith("convnext") and switch == {"final_relu": False})
            edits = build(kind, **switch).edits if has_effect else ()
            cells.append(_listing([edit for edit in edits if edit not in always]) if has_effect else "refused")
        yield f"| {kind} | " + " | ".join(cells) + " |"


def size_rows() -> Iterator[str]:
    yield "| kind | features | parameters | map at stride 32, 16, 8, 4 | billions of multiplications |"
    yield "|---|---|---|---|---|"
    for kind in ARCHITECTURES:
        model = build(kind).model
        parameters = sum(parameter.numel() for parameter in model.parameters())
        sides, costs = zip(*(cost(kind, stride) for stride in STRIDES), strict=True)
        yield (
            f"| {kind} | {model.head.in_features} | {parameters:,} | {', '.join(map(str, sides))} | "
            f"{', '.join(f'{billions:.1f}' for billions in costs)} |"
        )


def with_tables(text: str, tables: str, begin: str = BEGIN, end: str = END) -> str:
    """Return the page with `tables` between its two marks."""
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n{tables}\n{end}{after}"


def _named_switches() -> list[tuple[str, Any]]:
    return [pair for switch in SWITCHES for pair in switch.items()]


def _yaml(value: Any) -> str:
    return str(value).lower()


def _listing(edits: Any) -> str:
    return "; ".join(edits) or "nothing"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--page", type=Path, default=PAGE, help="the page whose tables to write")
    page = parser.parse_args().page
    tables = "\n".join([*edit_rows(), "", *size_rows(), ""])
    text = with_tables(page.read_text(encoding="utf-8"), tables)
    of_timm = "\n".join([*rows(judge_all().values()), ""])
    page.write_text(with_tables(text, of_timm, BEGIN_TIMM, END_TIMM), encoding="utf-8")


if __name__ == "__main__":
    main()
