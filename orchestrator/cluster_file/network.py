"""Rules about who may reach what: token, open ports, dashboard."""

from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

from orchestrator.cluster_file.cluster_file import ClusterFile, Problem, sections

TOKEN_FILE = ".ray/auth_token"
WIDEST = 8
"""Bits of prefix of the largest private network; a range with fewer is the world, or half of it."""
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


def opens_only_ssh(cluster: ClusterFile) -> Iterator[Problem]:
    """Check the ports that AWS is asked to open to every address."""
    group = cluster.provider.get("security_group") or {}
    for index, rule in enumerate(sections(group.get("IpPermissions"))):
        ranges = [item.get("CidrIp") for item in sections(rule.get("IpRanges"))]
        ranges += [item.get("CidrIpv6") for item in sections(rule.get("Ipv6Ranges"))]
        wide = [str(text) for text in ranges if _is_wide(text)]
        if wide and (rule.get("FromPort"), rule.get("ToPort")) != (SSH, SSH):
            yield (
                f"provider.security_group.IpPermissions[{index}]",
                f"opens ports {rule.get('FromPort')} to {rule.get('ToPort')} to the world, to {' and '.join(wide)}; "
                "remove it: ssh carries the rest, as in ray dashboard and ray attach --port-forward",
            )


def _is_wide(text: Any) -> bool:
    """Whether a range is wider than any private network; what is no range is the cloud's to refuse."""
    try:
        return ip_network(str(text), strict=False).prefixlen < WIDEST
    except ValueError:
        return False


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
