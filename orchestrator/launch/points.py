"""Points of a sweep's space, sampled and checked without running any."""

from typing import Any

from orchestrator.files.sweep_config import SweepConfig
from search_spaces import draw_points, find_space

NUM_CHECKED = 8
"""How many points are sampled, on top of the space's first ones, before a sweep starts."""


def check_points(config: SweepConfig) -> None:
    """Check the space's first points and a few sampled ones; ConfigError if one is no valid config."""
    assert config.space is not None
    sample_points(config, len(find_space(config.space).first_points) + NUM_CHECKED)


def sample_points(config: SweepConfig, num_points: int) -> list[dict[str, Any]]:
    """Sample the space at random, its first points first, and validate each config.

    Raises:
        ConfigError: A point is no valid config, or the space's function fails.
    """
    assert config.space is not None
    points = draw_points(find_space(config.space), num_points, seed=config.seed)
    for point in points:
        config.experiment(point)
    return points
