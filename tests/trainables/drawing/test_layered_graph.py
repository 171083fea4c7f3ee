"""Where nodes and edges of a graph stand, and their colours."""

import numpy as np
import pytest

from trainables.drawing.layered_graph import COLUMN, MARGIN, RADIUS, ROW, Layer, Link, draw_layered_graph

RED, BLUE = (201, 0, 33), (5, 84, 176)


def drawn(layers: list[Layer], links: list[Link]) -> np.ndarray:
    return np.array(draw_layered_graph("title", "note", layers, links))


def test_nodes_stand_in_the_column_of_their_layer_with_the_colour_of_their_value() -> None:
    image = drawn([Layer("one", [("", 1.0), ("", -1.0)]), Layer("two", [("", 0.0)])], [])
    bottom = image.shape[0] - MARGIN
    x = MARGIN + RADIUS + 1
    assert tuple(image[bottom - 2 * ROW + ROW // 2, x]) == RED
    assert tuple(image[bottom - ROW + ROW // 2, x]) == BLUE
    assert tuple(image[bottom - ROW, x + COLUMN]) == (255, 255, 255)


@pytest.mark.parametrize(("value", "colour"), [(1.0, RED), (-1.0, BLUE)])
def test_an_edge_goes_from_node_to_node(value: float, colour: tuple[int, int, int]) -> None:
    layers = [Layer("one", [("", 0.0)]), Layer("two", [("", 0.0)])]
    y, x = -MARGIN - ROW // 2, MARGIN + RADIUS + 1 + COLUMN // 2
    assert tuple(drawn(layers, [Link(0, 0, 0, value)])[y, x]) == colour
    assert tuple(drawn(layers, [])[y, x]) == (255, 255, 255)


def test_a_layer_may_be_empty() -> None:
    assert drawn([Layer("one", []), Layer("two", [("7", 0.5)])], []).shape[1] >= 640
