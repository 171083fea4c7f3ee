"""Search spaces, base configs and scales."""

from search_spaces.catalogue import SPACES, find_base, find_scale, find_space
from search_spaces.space import Goal, Point, Space

__all__ = ["SPACES", "Goal", "Point", "Space", "find_base", "find_scale", "find_space"]
