"""Rules about files: shared storage, what is copied to the nodes, keys, secrets."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from orchestrator.cluster_file.cluster_file import ClusterFile, Problem
from orchestrator.cluster_file.mounts import shared_folders
from orchestrator.cluster_file.network import TOKEN_FILE
from orchestrator.cluster_file.shell import uncommented

STORAGE = "CAMPAIGN_STORAGE"
EFS = re.compile(r"\bfs-[\w-]+\.efs\.([\w-]+)\.amazonaws")
FILL_IN = "FILL-IN"
NAMES = r"(?:password|passwd|secret|token|api[_-]key|access[_-]key)"
GIVEN = r"""["']?(?![\s$"'|;&<>]|$)\S+"""
"""A value that is there, and is no variable of the shell."""
SECRETS: Mapping[str, re.Pattern[str]] = {
    "a password in an address": re.compile(r"//[^/@\s:]*:(?!\$)[^/@\s]+@"),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "an access key of AWS": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    "an access token": re.compile(r"\b(?:hf|ghp|github_pat|glpat)[_-]\w{16,}"),
    "a value that names itself secret": re.compile(
        rf"(?i)(?<!-)\b\w*{NAMES}\w*(?<!_path)(?<!_file)={GIVEN}|"
        rf"--(?!secret\b|no-)[\w-]*{NAMES}(?:=|\s+(?!-)){GIVEN}"  # --secret NAME asks a cloud for one
    ),
}
CREDENTIALS = ("aws_credentials", "gcp_credentials")


def shares_storage(cluster: ClusterFile) -> Iterator[Problem]:
    """Check that every node has the folder of sweeps, on a file system that all share."""
    for node in cluster.nodes:
        mounted, storage = shared_folders(cluster, node), node.environment.get(STORAGE)
        if storage is None:
            yield (
                node.start_field,
                f"found no {STORAGE} on {node.name}; export it, a folder on the shared file system",
            )
        elif not mounted:
            yield (
                "initialization_commands",
                f"found no shared file system on {node.name}; mount one that holds {STORAGE}={storage}, with nfs4 or "
                "the like, on every node",
            )
        elif not any(PurePosixPath(storage).is_relative_to(place) for place in mounted):
            yield (
                node.start_field,
                f"found {STORAGE}={storage} on {node.name}, which does not lie on what all nodes share: "
                f"{', '.join(mounted)}",
            )
    if len(found := sorted({node.environment[STORAGE] for node in cluster.nodes if STORAGE in node.environment})) > 1:
        yield STORAGE, f"found {' and '.join(found)}; it must be the same folder on every node"


def mounts_from_region(cluster: ClusterFile) -> Iterator[Problem]:
    """Check that a file system of AWS is one of the cluster's region; the name of any other is not resolved there."""
    region = cluster.provider.get("region")
    for field, text in leaves(cluster.tree) if cluster.kind == "aws" else ():
        for found in EFS.findall(uncommented(text)):
            if found != region:
                yield field, f"found a file system of {found}, and provider.region is {region}; make them agree"


def copies_what_is_there(cluster: ClusterFile) -> Iterator[Problem]:
    """Check that all that is to be copied exists; the token may have to be made yet."""
    for remote, local in cluster.mounts.items():
        if not remote.startswith(("/", "~")):
            yield f"file_mounts.{remote}", "a path on the nodes must be absolute, or start with ~"
        if not remote.endswith(TOKEN_FILE) and not _here(cluster, local).exists():
            yield f"file_mounts.{remote}", f"found {local}, which is not there, seen from {cluster.folder}"


def has_ssh_key(cluster: ClusterFile) -> Iterator[Problem]:
    """Check that a key of one's own is there, and that AWS is told its name."""
    path = (cluster.tree.get("auth") or {}).get("ssh_private_key")
    if path is None:
        return
    if not _here(cluster, path).is_file():
        yield "auth.ssh_private_key", f"found {path}, which is not there"
    for node in cluster.nodes if cluster.kind == "aws" else ():
        if not node.config.get("KeyName"):
            yield (
                f"{node.field}.node_config.KeyName",
                "found nothing; AWS must be told the name of auth.ssh_private_key",
            )


def keeps_no_secret(cluster: ClusterFile) -> Iterator[Problem]:
    """Check that the file can be committed."""
    for key in CREDENTIALS:
        if cluster.provider.get(key):
            yield f"provider.{key}", "found credentials; remove them: the cloud's tools keep them outside this file"
    provider = {key: value for key, value in cluster.provider.items() if key not in CREDENTIALS}
    for field, text in leaves({**cluster.tree, "provider": provider}):
        what = next((what for what, pattern in SECRETS.items() if pattern.search(text)), None)
        if what:
            yield field, f"found {what}; keep it in a file of its own, which file_mounts brings to the nodes"


def to_do(cluster: ClusterFile) -> Iterator[str]:
    """Yield what is to be done before `ray up`: what the file leaves to be filled in, and the token to be made."""
    for field, text in leaves(cluster.tree):
        for word in re.findall(rf"[^\s'\"=,]*{FILL_IN}[^\s'\"=,]*", text):
            yield f"{field}: fill in {word}"
    for remote, local in cluster.mounts.items():
        if remote.endswith(TOKEN_FILE) and not _here(cluster, local).exists():
            yield f"file_mounts.{remote}: make {local} with: ray get-auth-token --generate"


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield the path and the text of every string in a tree."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from leaves(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from leaves(item, f"{path}[{index}]")


def _here(cluster: ClusterFile, path: str) -> Path:
    return cluster.folder / Path(path).expanduser()
