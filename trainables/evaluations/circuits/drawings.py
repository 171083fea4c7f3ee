"""A circuit's graph, and pairs of images, for people."""

from collections.abc import Mapping, Sequence

import torch
from PIL.Image import Image
from torch import Tensor

from trainables.drawing.colours import to_image
from trainables.drawing.layered_graph import Layer, Link, draw_layered_graph
from trainables.drawing.sheet import Row, Tile, draw_sheet, slot_width
from trainables.drawing.tile import tile_image
from trainables.evaluations.circuits.circuit import Circuit
from trainables.evaluations.circuits.findings import Findings
from trainables.evaluations.circuits.pairs import KINDS, Kind, Pairs
from trainables.evaluations.circuits.stage_ends import StagedNetwork

NUM_SHOWN = 8
"""Pairs on the sheet."""
GRAPH_NOTE = (
    "Each column is the end of a stage, each circle a channel with its number. Red: the margin falls where the channel "
    "alone has its value of the corrupt image; blue: it rises. The strongest colour is {effect:.2g} logits. Lines are "
    "what a channel takes from the margin through one of the next column, by gradients; the strongest is {edge:.2g}."
)
NO_EFFECT = (
    "The margin does not fall beyond noise from clean to corrupt on both halves of the pairs, so there is nothing to "
    "explain."
)
HEADINGS: Mapping[Kind, str] = {
    "background": "The same object, the partner's background",
    "object": "The partner's object, the same background",
}


def draw_graph(kind: Kind, network: StagedNetwork, circuit: Circuit, findings: Findings) -> Image:
    """Draw the tested nodes, those of each stage by falling score, and the edges between them."""
    tested, places = circuit.scores.tested, network.places
    strongest_node = max((abs(effect.value) for effect in findings.effects), default=0.0) or 1.0
    strongest_edge = max((abs(signed) for _, signed in circuit.edges.values()), default=0.0) or 1.0
    columns = [[node for node in tested if places[node][0] == number] for number in range(len(network.ends))]
    values = {node: effect.value / strongest_node for node, effect in zip(tested, findings.effects, strict=True)}
    layers = [
        Layer(end.name, [(str(places[node][1]), values[node]) for node in column])
        for end, column in zip(network.ends, columns, strict=True)
    ]
    links = [
        Link(
            layer=places[start][0],
            start=columns[places[start][0]].index(start),
            end=columns[places[end][0]].index(end),
            value=signed / strongest_edge,
        )
        for (start, end), (_, signed) in circuit.edges.items()
    ]
    if not tested:
        return draw_layered_graph(f"No {kind} circuit", NO_EFFECT, layers, links)
    share = f"{findings.size / network.num_nodes:.0%}"
    title = f"The {kind} circuit: {findings.size:.0f} of {network.num_nodes} channels ({share}), {len(tested)} drawn"
    return draw_layered_graph(title, GRAPH_NOTE.format(effect=strongest_node, edge=strongest_edge), layers, links)


def draw_pairs(pairs: Pairs, effects: Mapping[Kind, Tensor], class_names: Sequence[str]) -> Image:
    """Draw pairs of all classes: the image, and below it the corrupt images with their loss of margin."""
    num = min(NUM_SHOWN, len(pairs))
    shown, slot = torch.linspace(0, len(pairs) - 1, num).round().long(), slot_width(num)

    def row(heading: str, images_PCHW: Tensor, captions: Sequence[str]) -> Row:
        tiles = [
            Tile(to_image(tile_image(image_CHW, slot)), None, (caption,))
            for image_CHW, caption in zip(images_PCHW[shown], captions, strict=True)
        ]
        return Row(heading, "", tiles, "")

    classes = [
        f"{class_names[label]}, partner {class_names[rival]}"
        for label, rival in zip(pairs.labels_P[shown].tolist(), pairs.rivals_P[shown].tolist(), strict=True)
    ]
    rows = [row("Clean", pairs.clean_PCHW, classes)]
    for kind in KINDS:
        changes = [f"margin {-effect:+.2f}" for effect in effects[kind][shown].tolist()]
        rows.append(row(HEADINGS[kind], pairs.corrupt[kind], changes))
    note = "The margin is the label's logit minus that of the partner's class; captions say how it changes."
    return draw_sheet("Pairs that circuits are verified on", note, rows, slot=slot)
