"""What becomes of every network that timm registers: as it is, edited, or refused, with the reason.

They are built on torch's meta device, where a forward pass computes shapes alone. Their heads are judged by numbers.
"""

import logging
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple

import timm
import torch

from trainables.models.fitted_map import features_of, finding_of, mixes_cells
from trainables.models.head_contract import HeadFinding
from trainables.models.map_layout import UnfitNetworkError
from trainables.models.timm_network import layout_of_timm, remove_linear_layer
from trainables.models.timm_weights import make_network

Verdict = Literal["as it is", "head on every cell", "mean as pooling", "refused"]
VERDICTS: tuple[Verdict, ...] = ("as it is", "head on every cell", "mean as pooling", "refused")
SHAPE = re.compile(r"\b\d+(x\d+)*\b")
"""Shapes in a reason, which differ from network to network."""
MAX_NAMED = 3
"""Kinds of layers, or reasons, that a row lists."""


class Judgement(NamedTuple):
    """What becomes of one network."""

    family: str
    """The file of timm that defines it."""
    verdict: Verdict
    what: str
    """The layers that are applied to every cell, or why the network is refused."""
    is_local: bool


def judge_all() -> dict[str, Judgement]:
    """Return the judgement of every registered network."""
    logging.getLogger("timm").setLevel(logging.ERROR)
    return {name: judge(name) for name in timm.list_models()}


def judge(name: str) -> Judgement:
    """Build a network on the meta device, for images of its own size, and judge it."""
    family = timm.model_entrypoint(name).__module__.rpartition(".")[2]
    try:
        with torch.device("meta"):
            network: Any = make_network(name, drop_rate=0.0)
            images_BCHW = torch.empty(2, *network.pretrained_cfg["input_size"])
        remove_linear_layer(network.eval())
        features = features_of(network, images_BCHW)
        layout = layout_of_timm(network, features)
    except UnfitNetworkError as error:
        return Judgement(family, "refused", str(error), is_local=True)
    return _judged(family, finding_of(network, features, layout), is_local=not mixes_cells(network, layout))


def _judged(family: str, finding: HeadFinding | None, *, is_local: bool) -> Judgement:
    if finding is None or not (finding.is_mean or finding.is_layers_on_mean):
        return Judgement(family, "mean as pooling", "", is_local)
    if finding.is_mean:
        return Judgement(family, "as it is", "", is_local)
    return Judgement(family, "head on every cell", ", ".join(finding.layers), is_local)


def rows(judgements: Iterable[Judgement]) -> Iterator[str]:
    """Yield a table with a row for each family: how many networks of it have each verdict, and what of it."""
    yield f"| family | {' | '.join(VERDICTS)} | layers on every cell, or reason | map |"
    yield "|---" * (len(VERDICTS) + 3) + "|"
    families: dict[str, list[Judgement]] = defaultdict(list)
    for judgement in judgements:
        families[judgement.family].append(judgement)
    for family, members in sorted(families.items()):
        verdicts = Counter(member.verdict for member in members)
        whats = Counter(SHAPE.sub("…", member.what) for member in members if member.what)
        local = {member.is_local for member in members if member.verdict != "refused"}
        shown = "local" if local == {True} else "not local" if local == {False} else "local or not" if local else ""
        cells = [str(verdicts[verdict] or "") for verdict in VERDICTS]
        yield f"| {family} | {' | '.join(cells)} | {_listing(whats)} | {shown} |"


def _listing(whats: Counter[str]) -> str:
    more = f"; and {len(whats) - MAX_NAMED} more" if len(whats) > MAX_NAMED else ""
    return "; ".join(what for what, _ in whats.most_common(MAX_NAMED)) + more
