"""Search spaces, base configs and scales."""

from search_spaces.catalogue import SPACES, find_base, find_experiment, find_scale, find_space, find_study
from search_spaces.constraint import Constraint, parse_constraint
from search_spaces.sampler import (
    check_grid,
    check_sampler,
    grid_points,
    grid_size,
    num_first_points,
    planned_points,
    qmc_points,
)
from search_spaces.space import (
    Goal,
    Point,
    SamplerName,
    Space,
    draw_distributions,
    draw_points,
    overrides_of,
    suggest_point,
)

__all__ = [
    "SPACES",
    "Constraint",
    "Goal",
    "Point",
    "SamplerName",
    "Space",
    "check_grid",
    "check_sampler",
    "draw_distributions",
    "draw_points",
    "find_base",
    "find_experiment",
    "find_scale",
    "find_space",
    "find_study",
    "grid_points",
    "grid_size",
    "num_first_points",
    "overrides_of",
    "parse_constraint",
    "planned_points",
    "qmc_points",
    "suggest_point",
]
