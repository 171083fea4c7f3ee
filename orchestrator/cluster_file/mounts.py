"""Rules about files on the nodes: what is copied there, and the shared storage folder."""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from orchestrator.cluster_file.auth import TOKEN_FILE
from orchestrator.cluster_file.cluster_file import ClusterFile, NodeType, Problem

STORAGE = re.compile(r"\bCAMPAIGN_STORAGE=[\"']?(/[^\s\"';|&]*)")
MOUNT = re.compile(r"\bmount|\bfstab\b")
FOLDER = re.compile(r"(?<![\w./:-])/[\w.-][\w./-]*")
IN_CONTAINER = re.compile(r"(?::|\bdst=|\btarget=|\bdestination=)(/[^\s,:]+)")
"""As in `-v FOLDER:/shared` and `--mount type=bind,src=FOLDER,dst=/shared`."""


def copies_existing_files(cluster: ClusterFile) -> Iterator[Problem]:
    """Check that the files to copy exist; the token may be made later."""
    for remote, local in cluster.file_mounts.items():
        if not remote.startswith(("/", "~")):
            yield Problem(f"file_mounts.{remote}", "a path on the nodes must be absolute, or start with ~")
        if not remote.endswith(TOKEN_FILE) and not cluster.local_path(local).exists():
            yield Problem(f"file_mounts.{remote}", f"found {local}, which does not exist in {cluster.folder}")


def mounts_storage(cluster: ClusterFile) -> Iterator[Problem]:
    """Check that every node sets one CAMPAIGN_STORAGE, and mounts that folder or one above it.

    Commands are searched for words; no shell is imitated.
    """
    folders = {node: sorted(set(STORAGE.findall(node.text))) for node in cluster.node_types}
    if len(different := {folder for own in folders.values() for folder in own}) > 1:
        found = " and ".join(sorted(different))
        yield Problem("setup_commands", f"found CAMPAIGN_STORAGE={found}; all nodes need the same folder")
        return
    for node, own in folders.items():
        if not own:
            yield Problem(
                "setup_commands",
                f"found no CAMPAIGN_STORAGE for {node.name}; export CAMPAIGN_STORAGE=/FOLDER, on a shared file system",
            )
        elif not _mounts(node, own[0]):
            in_container = node.container_options is not None
            yield Problem(
                "docker.run_options" if in_container else "initialization_commands",
                f"found nothing for {node.name} that mounts CAMPAIGN_STORAGE={own[0]} or a folder above it; "
                + ("add -v /FOLDER:/FOLDER" if in_container else "mount a shared file system there"),
            )


def _mounts(node: NodeType, folder: str) -> bool:
    """Return whether a command for mounting, or an option of the container, names `folder` or one above it."""
    if node.container_options is not None:
        places = IN_CONTAINER.findall(node.container_options)
    else:
        places = [place for command in node.commands if MOUNT.search(command) for place in FOLDER.findall(command)]
    return any(PurePosixPath(folder).is_relative_to(place) for place in places)
