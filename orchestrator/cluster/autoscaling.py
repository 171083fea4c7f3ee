"""The resources that an autoscaling cluster may have, of which only some are there at any time."""

from collections.abc import Mapping
from pathlib import Path

from orchestrator.cluster.cluster_file import ClusterFile
from orchestrator.cluster.trial_fit import largest
from trainables.config import read_tree

BOOTSTRAP = Path("~/ray_bootstrap_config.yaml")
"""The cluster file as `ray up` leaves it on the head, from which the autoscaler starts workers."""


def with_autoscaling(available: Mapping[str, float], file: Path = BOOTSTRAP) -> dict[str, float]:
    """Return the most of each resource that the cluster may have: what is there, or what the autoscaler may add.

    Without workers yet, a sweep would otherwise be refused; with one, it would never ask for a second.
    """
    path = file.expanduser()
    if not path.is_file():
        return dict(available)
    may_have = largest(ClusterFile(read_tree(path), path.parent))
    return {name: max(available.get(name, 0.0), may_have.get(name, 0.0)) for name in {**available, **may_have}}
