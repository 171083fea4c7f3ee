"""The nodes of an autoscaling cluster: those that run, and those that it may add."""

from collections.abc import Sequence
from pathlib import Path

from orchestrator.cluster.capacity import Node
from orchestrator.cluster_file.cluster_file import ClusterFile
from orchestrator.cluster_file.trial_fit import largest_cluster
from trainables.config import read_tree

BOOTSTRAP = Path("~/ray_bootstrap_config.yaml")
"""The cluster file on the head, where `ray up` copies it and the autoscaler reads it."""


def with_autoscaling(nodes: Sequence[Node], file: Path = BOOTSTRAP) -> list[Node]:
    """Return the resources of the running nodes, then those of the nodes that the autoscaler may add.

    Otherwise a sweep would be refused while no worker runs, and would never ask for a second worker.
    """
    path = file.expanduser()
    if not path.is_file():
        return list(nodes)
    addable = largest_cluster(ClusterFile(read_tree(path, as_ray=True), path.parent))
    for node in nodes:
        same_type = next((other for other in addable if other.items() <= node.items()), None)
        if same_type is not None:
            addable.remove(same_type)
    return [*nodes, *addable]
