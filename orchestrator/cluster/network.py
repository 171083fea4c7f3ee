"""Rules about who may reach what: token, MLflow, open ports."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from orchestrator.cluster.cluster_file import ClusterFile, Command, Problem, sections

TOKEN_FILE = ".ray/auth_token"
TRACKING = ("CAMPAIGN_TRACKING_URI", "MLFLOW_TRACKING_URI")
"""In the order in which the command line reads them."""
SERVERS = ("campaign tracking serve", "mlflow server")
LOOPBACK = ("127.0.0.1", "localhost", "::1", "0.0.0.0")
WORLD = ("0.0.0.0/0", "::/0")
SSH = 22


def asks_for_token(cluster: ClusterFile) -> Iterator[Problem]:
    """Check that every node starts Ray with token authentication, and has the token."""
    for node in cluster.nodes:
        found = node.environment.get("RAY_AUTH_MODE")
        if found != "token":
            yield (
                node.start_field,
                f"found RAY_AUTH_MODE={found or ''} where Ray starts on {node.name}; export RAY_AUTH_MODE=token, or "
                "whoever reaches a port runs what he likes",
            )
    elsewhere = all("RAY_AUTH_TOKEN_PATH" in node.environment for node in cluster.nodes)
    if not elsewhere and not any(path.endswith(TOKEN_FILE) for path in cluster.mounts):
        yield (
            "file_mounts",
            f"found no token for the nodes; add ~/{TOKEN_FILE}: ~/{TOKEN_FILE}, which "
            "ray get-auth-token --generate writes",
        )


def tracks_over_http(cluster: ClusterFile) -> Iterator[Problem]:
    """Check the address that trials on workers get: it is the one the head has."""
    environment = cluster.head.environment
    name = next((name for name in TRACKING if name in environment), TRACKING[-1])
    found, right = environment.get(name), f"{name}=http://HEAD:5000, HEAD being the head's private address"
    if found is None:
        yield cluster.head.start_field, f"found no {name}: runs would go to a sqlite file, for one machine; {right}"
        return
    url = urlsplit(found)
    if url.scheme not in ("http", "https"):
        yield (
            cluster.head.start_field,
            f"found {name} of kind {url.scheme or 'file'}: several nodes write through a server; {right}",
        )
    elif url.netloc.rsplit("@")[-1].rsplit(":", 1)[0].strip("[]") in LOOPBACK:
        yield (
            cluster.head.start_field,
            f"found {name}={found}: on a worker that is the worker itself; {right}",
        )


def serves_tracking(cluster: ClusterFile) -> Iterator[Problem]:
    """Check the MLflow server that the head starts, if it starts one."""
    for command in cluster.head.commands:
        if any(server in command.text for server in SERVERS):
            yield from _database(command)
            yield from _reachable(cluster, command)
            if "--no-serve-artifacts" in command.text:
                yield command.field, "found --no-serve-artifacts: workers would need keys of the store; remove it"


def _database(command: Command) -> Iterator[Problem]:
    store = command.option("--backend-store-uri")
    kind = urlsplit(store or "").scheme.partition("+")[0]
    if kind not in ("postgresql", "mysql", "mssql"):
        yield (
            command.field,
            f"found --backend-store-uri of kind {kind or 'sqlite, by default'}: many trials write at once, and lock "
            "it; right would be postgresql:///mlflow?host=/var/run/postgresql",
        )


def _reachable(cluster: ClusterFile, command: Command) -> Iterator[Problem]:
    host, port = command.option("--host") or "127.0.0.1", command.option("--port") or "5000"
    if host in ("127.0.0.1", "localhost", "::1"):
        yield command.field, f"found --host {host}, where only the head reaches MLflow; give --host 0.0.0.0"
    if host == "0.0.0.0" and cluster.kind == "local":
        yield (
            command.field,
            f"found --host 0.0.0.0, which no cloud closes; --host {cluster.provider['head_ip']}",
        )
    address = next((cluster.head.environment[name] for name in TRACKING if name in cluster.head.environment), "")
    says = address.rpartition(":")[2].rstrip("/")
    if says.isdecimal() and says != port:
        yield command.field, f"found --port {port}, and nodes look for MLflow at port {says}; make them agree"


def opens_only_ssh(cluster: ClusterFile) -> Iterator[Problem]:
    """Check the ports that AWS is asked to open to every address."""
    group = cluster.provider.get("security_group") or {}
    for index, rule in enumerate(sections(group.get("IpPermissions"))):
        ranges = [*sections(rule.get("IpRanges")), *sections(rule.get("Ipv6Ranges"))]
        world = [item for item in ranges if item.get("CidrIp") in WORLD or item.get("CidrIpv6") in WORLD]
        if world and (rule.get("FromPort"), rule.get("ToPort")) != (SSH, SSH):
            yield (
                f"provider.security_group.IpPermissions[{index}]",
                f"opens ports {rule.get('FromPort')} to {rule.get('ToPort')} to the world; remove it: ssh carries the "
                "rest, as in ray dashboard and ray attach --port-forward",
            )


def hides_dashboard(cluster: ClusterFile) -> Iterator[Problem]:
    """Check that the dashboard, with which jobs are submitted, listens on the head alone."""
    start = cluster.head.start
    host = start.option("--dashboard-host") if start else None
    if start and host not in (None, "127.0.0.1", "localhost"):
        yield (
            start.field,
            f"found --dashboard-host={host}, which runs jobs for whoever reaches it; 127.0.0.1 is enough for "
            "ray dashboard, which brings it here by ssh",
        )
