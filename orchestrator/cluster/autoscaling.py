"""The nodes that an autoscaling cluster may have, of which only some are there at any time."""

from collections.abc import Sequence
from pathlib import Path

from orchestrator.cluster.capacity import Node
from orchestrator.cluster_file.cluster_file import ClusterFile
from orchestrator.cluster_file.trial_fit import largest_cluster
from trainables.config import read_tree

BOOTSTRAP = Path("~/ray_bootstrap_config.yaml")
"""The cluster file as `ray up` leaves it on the head, from which the autoscaler starts workers."""


def with_autoscaling(nodes: Sequence[Node], file: Path = BOOTSTRAP) -> list[Node]:
    """Return what the nodes have that are there, and then what those have that the autoscaler may add.

    Without workers yet, a sweep would otherwise be refused; with one, it would never ask for a second.
    """
    path = file.expanduser()
    if not path.is_file():
        return list(nodes)
    to_come = largest_cluster(ClusterFile(read_tree(path), path.parent))
    for node in nodes:
        of_its_type = (may_be for may_be in to_come if may_be.items() <= node.items())
        if (it := next(of_its_type, None)) is not None:
            to_come.remove(it)
    return [*nodes, *to_come]
