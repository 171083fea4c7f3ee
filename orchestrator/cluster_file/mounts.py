"""The folders on shared file systems that a node mounts."""

import re
import shlex
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import NamedTuple

from orchestrator.cluster_file.cluster_file import ClusterFile, Node

KINDS = r"(?:nfs4?|efs|lustre|ceph|cifs|glusterfs|fuse\.\w+)"
FSTAB = re.compile(rf"\S+:\S*\s+(/\S+)\s+{KINDS}\b")
"""A line of /etc/fstab, with which `mount FOLDER` mounts it."""
MOUNT = re.compile(r"\bmount(?:\.(?P<kind>\w+))?[ \t]+(?P<words>[^;&|\n()]*)")
AT_BOOT = re.compile(r"\bremote-fs\.target\b|\bsystemctl\b[^;&|\n]*\.(?:auto)?mount\b")
"""What mounts all that /etc/fstab lists as well."""
TAKES_VALUE = ("-t", "--types", "-o", "--options")
MOUNTED = re.compile(r"mountpoint\s+(?:-q\s+)?(/[^\s;&|)]+)")
"""What says that a machine of one's own has it mounted already; the node does not start where it has not."""
VOLUME = re.compile(r"(?:-v|--volume)[=\s]+([^\s:]+):([^\s:]+)")
BIND = re.compile(r"--mount[=\s]+(\S+)")


class Mount(NamedTuple):
    """What one command mounts."""

    kind: str
    """Empty where /etc/fstab says it."""
    folder: str
    """Empty where all of /etc/fstab is mounted."""


def shared_folders(cluster: ClusterFile, node: Node) -> list[str]:
    """Return the folders on a shared file system that a node mounts, or insists on, as its container sees them."""
    texts = [command.text for command in node.commands]
    found = mounted("\n".join(texts))
    if cluster.kind == "local":
        found |= {folder.rstrip("/") or "/" for text in texts for folder in MOUNTED.findall(text)}
    if not node.image:
        return sorted(found)
    return sorted({inside for outside, inside in _binds(cluster, node) if _lies_on(outside, found)})


def mounted(text: str) -> set[str]:
    """Return the folders on which commands mount a shared file system."""
    mounts = list(_mounts(text))
    in_fstab = {folder.rstrip("/") or "/" for folder in FSTAB.findall(text)}
    if not AT_BOOT.search(text) and all(mount.folder for mount in mounts):
        in_fstab &= {mount.folder for mount in mounts}
    return in_fstab | {mount.folder for mount in mounts if mount.folder and re.fullmatch(KINDS, mount.kind)}


def _mounts(text: str) -> Iterator[Mount]:
    for found in MOUNT.finditer(text):
        kind, folders, words = found["kind"] or "", list[str](), _words(found["words"])
        for before, word in zip(["", *words], words, strict=False):
            if before in ("-t", "--types") or word.startswith("--types="):
                kind = word.removeprefix("--types=")
            elif word in ("-a", "--all"):
                folders.append("")
            elif not word.startswith("-") and before not in TAKES_VALUE:
                folders.append(word.rstrip("/") or "/")
        if folders:
            yield Mount(kind, folders[-1])


def _words(text: str) -> list[str]:
    text = re.sub(r"\d?>+\s*\S*", "", text)
    try:
        return shlex.split(text)
    except ValueError:  # a quote that ends after the command
        return text.replace('"', " ").replace("'", " ").split()


def _binds(cluster: ClusterFile, node: Node) -> Iterator[tuple[str, str]]:
    """Yield the folders of the machine that its container sees, and where it sees them."""
    docker = cluster.tree.get("docker") or {}
    role = "head_run_options" if node.is_head else "worker_run_options"
    options = " ".join(map(str, [*(docker.get("run_options") or ()), *(docker.get(role) or ())]))
    yield from VOLUME.findall(options)
    for found in BIND.findall(options):
        parts = dict(part.partition("=")[::2] for part in found.split(","))
        source = parts.get("src", parts.get("source"))
        target = next((parts[key] for key in ("dst", "target", "destination") if key in parts), None)
        if source and target:
            yield source, target


def _lies_on(folder: str, places: set[str]) -> bool:
    return any(PurePosixPath(folder).is_relative_to(place) for place in places)
