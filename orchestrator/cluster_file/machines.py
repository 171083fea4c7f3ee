"""Rules about the cluster itself and its machines: name, place, head, workers, what they cost."""

from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.cluster_file.cluster_file import DRIVER, ClusterFile, Node, Problem, sections
from orchestrator.cluster_file.instance_types import MACHINES

PROVIDERS: Mapping[str, tuple[str, ...]] = {
    "aws": ("region",),
    "gcp": ("region", "availability_zone", "project_id"),
    "local": ("head_ip", "worker_ips"),
}
"""The providers that are checked, and what each must be told."""
TYPE_FIELDS: Mapping[str, str] = {"aws": "InstanceType", "gcp": "machineType"}
MAX_IDLE_MIN = 60
NOT_FOR_LOCAL = ("available_node_types", "head_node", "worker_nodes")


def is_named(cluster: ClusterFile) -> Iterator[Problem]:
    name = cluster.tree.get("cluster_name")
    if not name or name == "default":
        yield (
            "cluster_name",
            f"found {_shown(name)}; give a name of its own, such as campaign: machines are found by it, and Ray "
            "calls every cluster without one 'default'",
        )


def has_provider(cluster: ClusterFile) -> Iterator[Problem]:
    provider = cluster.tree.get("provider")
    kind = provider.get("type") if isinstance(provider, dict) else None
    if not isinstance(kind, str) or kind not in PROVIDERS:
        field = "provider.type" if isinstance(provider, dict) else "provider"
        yield field, f"found {_shown(kind)}; valid providers: {', '.join(sorted(PROVIDERS))}"
        return
    for key in PROVIDERS[kind]:
        if not cluster.provider.get(key):
            yield f"provider.{key}", f"found {_shown(cluster.provider.get(key))}; provider {kind} needs it"


def lists_types(cluster: ClusterFile) -> Iterator[Problem]:
    if cluster.kind != "local" and not cluster.tree.get("available_node_types"):
        yield "available_node_types", "found nothing, for which Ray takes two types without GPUs; name head and workers"


def lists_own_machines(cluster: ClusterFile) -> Iterator[Problem]:
    """Check the addresses of machines of one's own; Ray would end with an assertion, or with a message for people."""
    if cluster.kind != "local":
        return
    for field in NOT_FOR_LOCAL:
        if cluster.tree.get(field):
            yield field, "provider local has no types of machines; remove it, and list addresses in provider.worker_ips"
    head, workers = cluster.provider["head_ip"], cluster.provider["worker_ips"]
    if not isinstance(workers, list):
        yield "provider.worker_ips", f"found {_shown(workers)}; expected a list of addresses"
    elif head in workers or len(set(map(str, workers))) < len(workers):
        yield (
            "provider.worker_ips",
            f"found {', '.join(map(str, workers))}; list each once, and not the head",
        )


def head_only_drives(cluster: ClusterFile) -> Iterator[Problem]:
    """Check that the head takes no trial's training and that all that drives workers finds its place there."""
    head = cluster.head
    if cluster.kind == "local":
        yield from _started_as_driver(head)
        return
    if head.resources.get("CPU") != 0:
        yield (
            f"{head.field}.resources.CPU",
            f"found {_shown(head.resources.get('CPU'))}; 0 keeps training off the machine that holds the cluster",
        )
    if head.resources.get("GPU"):
        yield (
            f"{head.field}.resources.GPU",
            f"found {_shown(head.resources['GPU'])}; remove it: the head trains nothing, whatever its machine has",
        )
    if not head.resources.get(DRIVER):
        yield (
            f"{head.field}.resources.{DRIVER}",
            f"found {_shown(head.resources.get(DRIVER))}; 1 gives drivers of Ray Train workers their place",
        )


def _started_as_driver(head: Node) -> Iterator[Problem]:
    if head.start is None:
        return
    cpus, resources = head.start.option("--num-cpus"), head.start.option("--resources") or ""
    if cpus != "0":
        yield head.start.field, f"found --num-cpus={cpus}; --num-cpus=0 keeps training off the head"
    if f'"{DRIVER}"' not in resources:
        yield (
            head.start.field,
            f"""found no resource {DRIVER}; --resources='{{"{DRIVER}": 1}}' gives drivers of workers their place""",
        )


def has_workers(cluster: ClusterFile) -> Iterator[Problem]:
    """Check how many workers there may be, in all and of each type."""
    most = cluster.most_workers()
    if "max_workers" not in cluster.tree and cluster.kind != "local":
        yield "max_workers", f"found nothing, for which Ray takes {most}; say how many workers there may be"
    elif not most or not any(cluster.most(worker) for worker in cluster.workers):
        yield "max_workers", f"found {most}; no worker may be started, so nothing can train"
    if cluster.kind == "local" and most > len(cluster.provider["worker_ips"]):
        yield "max_workers", f"found {most}, and provider.worker_ips lists {len(cluster.provider['worker_ips'])}"
    if cluster.head.spec.get("max_workers"):
        yield f"{cluster.head.field}.max_workers", "the head's type must start no workers; remove it, or set it to 0"
    for worker in cluster.workers:
        yield from _bounds(worker, most)
    together = sum(cluster.most(worker) for worker in cluster.workers)
    if cluster.kind != "local" and 0 < together < most:
        yield "max_workers", f"found {most}, and all types of workers together allow {together}; make them agree"


def _bounds(worker: Node, most: int) -> Iterator[Problem]:
    low, high = worker.spec.get("min_workers", 0), worker.spec.get("max_workers", most)
    if low > high:
        yield f"{worker.field}.min_workers", f"found {low}, which is above its max_workers = {high}"
    if high > most:
        yield (
            f"{worker.field}.max_workers",
            f"found {high}, which the cluster's max_workers = {most} never lets happen; make them agree",
        )


def rents_head_for_good(cluster: ClusterFile) -> Iterator[Problem]:
    """Check that no cloud may take the head back: with it every running sweep ends."""
    config = cluster.head.config
    if any(item.get("MarketType") == "spot" for item in sections(config.get("InstanceMarketOptions"))):
        yield (
            f"{cluster.head.field}.node_config.InstanceMarketOptions",
            "found MarketType spot; remove it: the head must be on demand, and only workers on spot",
        )
    for item in sections(config.get("scheduling")):
        if item.get("preemptible") or item.get("provisioningModel") == "SPOT":
            yield (
                f"{cluster.head.field}.node_config.scheduling",
                "found a spot machine; remove it: the head must be on demand, and only workers on spot",
            )


def knows_machines(cluster: ClusterFile) -> Iterator[Problem]:
    """Check the types of machines, and that a node offers what its machine has."""
    key = TYPE_FIELDS.get(cluster.kind)
    for node in cluster.nodes if key else ():
        field, found = f"{node.field}.node_config.{key}", node.config.get(str(key))
        if not found:
            yield field, f"found nothing; name the type of machine, such as {_example(cluster.kind, node)}"
        elif machine := MACHINES.get(str(found)):
            yield from _offers(node, str(found), machine.cpus, machine.gpus + _attached(node.config))


def _offers(node: Node, name: str, cpus: int, gpus: int) -> Iterator[Problem]:
    if node.is_head:
        if gpus:
            yield f"{node.field}.node_config", f"found {name}, whose GPUs no trial may use; take a machine without"
        return
    for resource, has in (("CPU", cpus), ("GPU", gpus)):
        says = node.resources.get(resource, 0)
        if says > has or (resource == "GPU" and says < has):
            yield f"{node.field}.resources.{resource}", f"found {says:g}, and {name} has {has}"


def _attached(config: Mapping[str, Any]) -> int:
    """Return the number of GPUs that Compute Engine is asked to attach."""
    counts = [item.get("acceleratorCount") for item in sections(config.get("guestAccelerators"))]
    return sum(count for count in counts if isinstance(count, int))


def _example(kind: str, node: Node) -> str:
    examples = {"aws": ("m7i.2xlarge", "g5.2xlarge"), "gcp": ("n2-standard-8", "g2-standard-8")}
    return examples[kind][not node.is_head]


def has_one_image(cluster: ClusterFile) -> Iterator[Problem]:
    """Check that all nodes of AWS start from one image; Ray's own default is too old for this torch."""
    if cluster.kind != "aws":
        return
    images = {node: node.config.get("ImageId") for node in cluster.nodes}
    for node, image in images.items():
        if not image:
            yield f"{node.field}.node_config.ImageId", "found nothing; Ray's default is Ubuntu 18.04 with CUDA 11"
    if len(named := sorted({str(image) for image in images.values() if image})) > 1:
        yield "available_node_types", f"found the images {', '.join(named)}; one image for all is one Python for all"


def ends_idle_workers(cluster: ClusterFile) -> Iterator[Problem]:
    idle = cluster.tree.get("idle_timeout_minutes")
    if cluster.kind != "local" and (idle is None or not 0 < idle <= MAX_IDLE_MIN):
        yield (
            "idle_timeout_minutes",
            f"found {_shown(idle)}; set 1 to {MAX_IDLE_MIN}: workers without work cost until it has passed",
        )


def _shown(value: Any) -> str:
    return "nothing" if value is None else repr(value)
