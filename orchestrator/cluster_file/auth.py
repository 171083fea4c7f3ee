"""Rules about who may use the cluster: Ray's token and the ssh key."""

import re
from collections.abc import Iterator

from orchestrator.cluster_file.cluster_file import ClusterFile, Problem

TOKEN_FILE = ".ray/auth_token"
TOKEN_PATH = "RAY_AUTH_TOKEN_PATH="
AUTH_MODE = re.compile(r"(?<![=\w])RAY_AUTH_MODE=[\"']?(\w+)")
"""Not `--setenv=RAY_AUTH_MODE=token`, which sets it for one service."""


def asks_for_token(cluster: ClusterFile) -> Iterator[Problem]:
    """Check that every node sets RAY_AUTH_MODE=token and gets the token."""
    for node in cluster.node_types:
        modes = sorted(set(AUTH_MODE.findall(node.text)))
        if modes != ["token"]:
            found = " and ".join(f"RAY_AUTH_MODE={mode}" for mode in modes) or "no RAY_AUTH_MODE"
            yield Problem(
                "setup_commands",
                f"found {found} for {node.name}; export RAY_AUTH_MODE=token, or everyone who reaches a port runs code",
            )
    has_path = all(TOKEN_PATH in node.text for node in cluster.node_types)
    if not has_path and not any(remote.endswith(TOKEN_FILE) for remote in cluster.file_mounts):
        yield Problem(
            "file_mounts",
            f"found no token for the nodes; add ~/{TOKEN_FILE}: ~/{TOKEN_FILE}, the file that "
            "ray get-auth-token --generate writes",
        )


def has_ssh_key(cluster: ClusterFile) -> Iterator[Problem]:
    """Check that a key of your own exists, and that AWS gets its name."""
    path = (cluster.tree.get("auth") or {}).get("ssh_private_key")
    if path is None:
        return
    if not cluster.local_path(path).is_file():
        yield Problem("auth.ssh_private_key", f"found {path}, which does not exist")
    for node in cluster.node_types if cluster.kind == "aws" else ():
        if not node.config.get("KeyName"):
            yield Problem(
                f"{node.field}.node_config.KeyName",
                "found nothing; give the name that AWS has for auth.ssh_private_key",
            )
