"""Search spaces, base configs and scales."""

from search_spaces.catalogue import SPACES, find_base, find_experiment, find_scale, find_space, find_study
from search_spaces.space import Goal, Point, Space, draw_points, overrides_of, suggest_point

__all__ = [
    "SPACES",
    "Goal",
    "Point",
    "Space",
    "draw_points",
    "find_base",
    "find_experiment",
    "find_scale",
    "find_space",
    "find_study",
    "overrides_of",
    "suggest_point",
]
