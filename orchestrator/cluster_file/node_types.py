"""Rules about the provider, the head and the workers."""

from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.cluster_file.cluster_file import ClusterFile, Problem
from orchestrator.cluster_file.driver_resource import DRIVER

PROVIDERS: Mapping[str, tuple[str, ...]] = {
    "aws": ("region",),
    "gcp": ("region", "availability_zone", "project_id"),
    "local": ("head_ip", "worker_ips"),
}
"""The providers that can be checked, and the fields that each needs."""
NOT_FOR_LOCAL = ("available_node_types", "head_node", "worker_nodes")
SPOT = ({"MarketType": "spot"}, {"preemptible": True}, {"provisioningModel": "SPOT"})
"""The settings of AWS and of Google Cloud for a machine that may be taken back."""


def has_provider(cluster: ClusterFile) -> Iterator[Problem]:
    provider = cluster.tree.get("provider")
    kind = provider.get("type") if isinstance(provider, dict) else None
    if not isinstance(kind, str) or kind not in PROVIDERS:
        field = "provider.type" if isinstance(provider, dict) else "provider"
        yield Problem(field, f"found {_shown(kind)}; valid providers: {', '.join(sorted(PROVIDERS))}")
        return
    for key in PROVIDERS[kind]:
        if not cluster.provider.get(key):
            yield Problem(f"provider.{key}", f"found {_shown(cluster.provider.get(key))}; provider {kind} needs it")


def has_name(cluster: ClusterFile) -> Iterator[Problem]:
    name = cluster.tree.get("cluster_name")
    if not name or name == "default":
        yield Problem(
            "cluster_name",
            f"found {_shown(name)}; give it a name such as campaign: Ray finds machines by the cluster's name, and "
            "calls every cluster without one 'default'",
        )


def has_node_types(cluster: ClusterFile) -> Iterator[Problem]:
    if cluster.kind != "local" and not cluster.tree.get("available_node_types"):
        yield Problem(
            "available_node_types", "found nothing: Ray's two default types have no GPUs; add head and workers"
        )


def has_own_machines(cluster: ClusterFile) -> Iterator[Problem]:
    """Check the addresses of provider `local`, for which Ray has no message."""
    if cluster.kind != "local":
        return
    for field in NOT_FOR_LOCAL:
        if cluster.tree.get(field):
            yield Problem(
                field, "provider local has no node types; remove it, and list addresses in provider.worker_ips"
            )
    head, workers = cluster.provider["head_ip"], cluster.provider["worker_ips"]
    if not isinstance(workers, list):
        yield Problem("provider.worker_ips", f"found {_shown(workers)}; expected a list of addresses")
    elif head in workers or len(set(map(str, workers))) < len(workers):
        found = ", ".join(map(str, workers))
        yield Problem("provider.worker_ips", f"found {found}; list each address once, without the head's")


def head_runs_no_trials(cluster: ClusterFile) -> Iterator[Problem]:
    """Check that the head offers no CPUs and GPUs to trials, and offers the driver resource."""
    head = cluster.head
    if cluster.kind == "local":
        return
    if head.resources.get("CPU") != 0:
        yield Problem(
            f"{head.field}.resources.CPU",
            f"found {_shown(head.resources.get('CPU'))}; set 0 to keep trials off the head",
        )
    if gpus := head.resources.get("GPU"):
        yield Problem(f"{head.field}.resources.GPU", f"found {gpus:g}; remove it: the head runs no trials")
    if not head.resources.get(DRIVER):
        found = _shown(head.resources.get(DRIVER))
        yield Problem(f"{head.field}.resources.{DRIVER}", f"found {found}; set 1 to place the drivers of trials here")


def head_is_on_demand(cluster: ClusterFile) -> Iterator[Problem]:
    """Check that no cloud may take the head back: every running sweep would end with it."""
    for field in ("InstanceMarketOptions", "scheduling"):
        value = cluster.head.config.get(field)
        settings = [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, Mapping)]
        if any(spot.items() <= item.items() for item in settings for spot in SPOT):
            yield Problem(
                f"{cluster.head.field}.node_config.{field}",
                "found a spot machine; remove it: only workers may be spot machines",
            )


def has_workers(cluster: ClusterFile) -> Iterator[Problem]:
    """Check how many workers there may be, of all types and of each."""
    most = cluster.max_workers
    if "max_workers" not in cluster.tree and cluster.kind != "local":
        yield Problem("max_workers", f"found nothing, and Ray's default is {most}; say how many workers there may be")
    elif not any(cluster.max_of(worker) for worker in cluster.workers):
        yield Problem("max_workers", f"found {most}, and no worker may be started; raise it, or that of a node type")
    if cluster.head.spec.get("max_workers"):
        yield Problem(f"{cluster.head.field}.max_workers", "no worker may have the head's type; remove it, or set 0")
    for worker in cluster.workers:
        low, high = worker.spec.get("min_workers", 0), worker.spec.get("max_workers", most)
        if low > high:
            yield Problem(f"{worker.field}.min_workers", f"found {low}, which is above its max_workers = {high}")
        if high > most:
            yield Problem(f"{worker.field}.max_workers", f"found {high}, above max_workers = {most} of the cluster")


def _shown(value: Any) -> str:
    return "nothing" if value is None else repr(value)
