"""The rule about how Ray starts: a head, and workers that find it."""

from collections.abc import Iterator

from orchestrator.cluster_file.addresses import address, leads_to
from orchestrator.cluster_file.cluster_file import ClusterFile, Command, Node, Problem

HEAD_ADDRESS = "$RAY_HEAD_IP"
DEFAULT_PORT = "6379"
"""Where a head listens that is told no port."""


def starts_ray(cluster: ClusterFile) -> Iterator[Problem]:
    """Check that Ray is started on every node, the head with the autoscaler and workers with the head's address."""
    port = (cluster.head.start and cluster.head.start.option("--port")) or DEFAULT_PORT
    right = {True: "--head --autoscaling-config=~/ray_bootstrap_config.yaml", False: f"--address={HEAD_ADDRESS}:{port}"}
    for node in cluster.nodes:
        if node.start is None:
            yield node.start_field, f"found no ray start; right would be: ray start {right[node.is_head]}"
        elif node.is_head:
            yield from _as_head(node.start)
        else:
            yield from _as_worker(cluster, node, node.start, port)


def _as_head(start: Command) -> Iterator[Problem]:
    if not start.has("--head"):
        yield start.field, "found no --head, without which ray start makes a worker; add it"
    if start.option("--autoscaling-config") is None:
        yield (
            start.field,
            "found no --autoscaling-config; --autoscaling-config=~/ray_bootstrap_config.yaml is how workers come to "
            "the cluster",
        )


def _as_worker(cluster: ClusterFile, node: Node, start: Command, port: str) -> Iterator[Problem]:
    right = f"--address={HEAD_ADDRESS}:{port} is how workers come to the cluster"
    found = start.option("--address")
    if start.has("--head"):
        yield start.field, f"found --head on {node.name}, which is then a cluster of its own; remove it: {right}"
    if found is None:
        yield start.field, f"found no --address; {right}"
        return
    _, host, says = address(f"//{found}")
    if leads_to(cluster, node, host) in ("nowhere", "itself"):
        yield start.field, f"found --address={found}, which is not the head; {right}"
    elif not says:
        yield start.field, f"found --address={found}, without the head's port {port}; {right}"
    elif says.isdecimal() and port.isdecimal() and says != port:
        yield start.field, f"found --address={found}, and the head listens at port {port}; {right}"
