"""Kinds of scenes by their mean colour, and which of them are clear."""

import pytest

from orchestrator.data.compose.scenes import kinds_by_colour
from trainables.config import ConfigError

COLOURS = [(0, 5, 1), (12, 5, 1), (1, 5, 1), (11, 5, 1), (8, 5, 1), (4, 5, 1)]
"""Two clusters, with their centres at 5/3 and 31/3."""


def test_clusters_are_numbered_by_their_centres() -> None:
    kinds = kinds_by_colour(COLOURS, 2, clearest=1, seed=0)
    assert kinds == ["colour-1", "colour-2", "colour-1", "colour-2", "colour-2", "colour-1"]
    assert kinds_by_colour(COLOURS, 2, clearest=1, seed=1) == kinds


def test_scenes_between_two_kinds_are_left_out() -> None:
    """Two thirds are two of three: 8 and 4 lie nearest to the other centre."""
    kinds = kinds_by_colour(COLOURS, 2, clearest=2 / 3, seed=0)
    assert kinds == ["colour-1", "colour-2", "colour-1", "colour-2", None, None]


def test_there_are_no_more_kinds_than_colours() -> None:
    with pytest.raises(ConfigError, match="--kinds 3: the scenes have 2 different mean colours; pass --kinds 2"):
        kinds_by_colour([(1, 1, 1), (2, 2, 2), (1, 1, 1)], 3, clearest=1, seed=0)
    with pytest.raises(ConfigError, match="--kinds 2: the scenes have 1 different mean colour; add others, or pass"):
        kinds_by_colour([(1, 1, 1), (1, 1, 1)], 2, clearest=1, seed=0)
