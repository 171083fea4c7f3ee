"""Rules about MLflow: the address that every node has, and the server that the head starts."""

import re
from collections.abc import Iterator

from orchestrator.cluster_file.addresses import address, is_itself, leads_to
from orchestrator.cluster_file.cluster_file import ClusterFile, Command, Node, Problem
from orchestrator.cluster_file.shell import VALUE

TRACKING = ("CAMPAIGN_TRACKING_URI", "MLFLOW_TRACKING_URI")
"""In the order in which the command line reads them."""
SERVER = re.compile(r"\bcampaign tracking serve\b|\bmlflow (?:server|ui)\b")
UNIT = re.compile(r"\bsystemctl\b[^;&|\n]*\b(?:(?:re)?start|enable --now)\s+\S*mlflow")
"""A server that the machine's image brings as a service."""
PORTS = {"http": "80", "https": "443"}
"""Of an address that names none."""
DATABASES = ("postgresql", "mysql", "mssql")
STORE_VARIABLE = "MLFLOW_BACKEND_STORE_URI"
"""Read by the server where no option says its database; a password in it stays out of the list of processes."""
STORE = re.compile(rf"\b{STORE_VARIABLE}=({VALUE})")
EVERYWHERE = ("0.0.0.0", "::", "[::]")


def tracks_over_http(cluster: ClusterFile) -> Iterator[Problem]:
    """Check that every node that has an address for MLflow has that of a server, the same on all.

    Trials get the head's; a worker needs none of its own.
    """
    for node in cluster.nodes:
        name, found = _given(node)
        right = f"{name}=http://HEAD:5000, HEAD being the head's private address"
        if found is None and node.is_head:
            yield node.start_field, f"found no {name}: runs would go to a sqlite file, for one machine; {right}"
        elif found is not None and (fault := _fault(cluster, node, found) or _unlike_head(cluster, node, found)):
            yield node.start_field, f"found {name}={_shown(found)} on {node.name}, {fault}; {right}"


def _given(node: Node) -> tuple[str, str | None]:
    """Return the variable that says where MLflow is, and what it says."""
    name = next((name for name in TRACKING if name in node.environment), TRACKING[-1])
    return name, node.environment.get(name)


def _shown(text: str) -> str:
    """Return an address without the name and the password in it."""
    return re.sub(r"//\S*@", "//...@", text)


def _fault(cluster: ClusterFile, node: Node, text: str) -> str | None:
    """Return what keeps trials from an address."""
    kind, host, _ = address(text)
    if kind not in PORTS:
        return f"of kind {kind or 'file'}: several nodes write through a server"
    place = leads_to(cluster, node, host)
    if place == "itself":
        return "on a worker that is the worker itself"
    return f"where nothing sets {host or 'a host'}" if place == "nowhere" else None


def _unlike_head(cluster: ClusterFile, node: Node, text: str) -> str | None:
    head, of_head = cluster.head, _given(cluster.head)[1]
    if of_head is None or _fault(cluster, head, of_head):
        return None
    if _server(cluster, node, text) == _server(cluster, head, of_head):
        return None
    return f"and {_shown(of_head)} on the head: all nodes write to one server"


def _server(cluster: ClusterFile, node: Node, text: str) -> tuple[str, str]:
    """Return the machine and the port of an address, the head under one name."""
    kind, host, port = address(text)
    return "head" if leads_to(cluster, node, host) == "head" else host, port or PORTS.get(kind, "")


def serves_tracking(cluster: ClusterFile) -> Iterator[Problem]:
    """Check the MLflow server that the head starts, and that it starts one where the address is its own."""
    head = cluster.head
    servers = [(command, server) for command in head.commands if (server := command.call(SERVER))]
    name, found = _given(head)
    # A machine of one's own may have the server already.
    own = found is not None and cluster.kind != "local" and leads_to(cluster, head, address(found).host) == "head"
    if own and not servers and not any(UNIT.search(command.text) for command in head.commands):
        yield (
            head.start_field,
            f"found no MLflow server, and {name}={_shown(str(found))} is the head's own address; add campaign tracking "
            "serve, or give the address of a server that is there",
        )
    for command, server in servers:
        yield from _database(head, command, server)
        yield from _reachable(cluster, server)
        if server.has("--no-serve-artifacts"):
            yield server.field, "found --no-serve-artifacts: workers would need keys of the store; remove it"


def _database(head: Node, command: Command, server: Command) -> Iterator[Problem]:
    """Check the server's database; one that a variable or a file of variables says is not known here."""
    set_here = STORE.search(command.text)
    store = server.option("--backend-store-uri") or (set_here[1] if set_here else head.environment.get(STORE_VARIABLE))
    store = (store or "").strip("'\"")
    kind = address(store).kind.partition("+")[0]
    if kind not in DATABASES and not store.startswith("$") and "EnvironmentFile=" not in command.text:
        yield (
            server.field,
            f"found --backend-store-uri of kind {kind or 'sqlite, by default'}: many trials write at once, and lock "
            "it; right would be postgresql:///mlflow?host=/var/run/postgresql",
        )


def _reachable(cluster: ClusterFile, server: Command) -> Iterator[Problem]:
    host, port = server.option("--host") or "127.0.0.1", server.option("--port") or "5000"
    if host in EVERYWHERE:
        if cluster.kind == "local":
            yield server.field, f"found --host {host}, which no cloud closes; --host {cluster.provider['head_ip']}"
    elif is_itself(host):
        yield server.field, f"found --host {host}, where only the head reaches MLflow; give --host 0.0.0.0"
    kind, _, says = address(_given(cluster.head)[1] or "")
    says = says or ("80" if kind == "http" else "")
    if says.isdecimal() and says != port:
        yield server.field, f"found --port {port}, and nodes look for MLflow at port {says}; make them agree"
