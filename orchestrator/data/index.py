"""Where the file index of data sets is stored, and how a cluster builds it."""

from collections.abc import Sequence
from pathlib import Path

from trainables.config import ConfigError
from trainables.data import FileIndex
from trainables.data.folders import ListFolders, Listing, list_folders

MIN_FOLDERS = 64
"""Fewer folders are listed in this process: starting a process on each node would take longer."""
TASKS_A_NODE = 4


def file_index_in(storage: Path, *, on_ray: bool = False) -> FileIndex:
    """Return the file index of a storage folder.

    Args:
        on_ray: Whether the nodes of the connected cluster share the work of listing folders.
    """
    list_: ListFolders = list_folders_on_ray if on_ray else list_folders
    return FileIndex(storage / "manifests", list_)


def list_folders_on_ray(folders: Sequence[str]) -> list[Listing]:
    """List folders on all nodes of the connected cluster.

    Raises:
        ConfigError: A node cannot read a folder that this one can; the message names both.
    """
    if len(folders) < MIN_FOLDERS:
        return list_folders(folders)
    import ray

    num_tasks = TASKS_A_NODE * sum(node["Alive"] for node in ray.nodes())
    task = ray.remote(num_cpus=0, scheduling_strategy="SPREAD")(list_there)
    size = -(-len(folders) // num_tasks)
    tasks = [task.remote(folders[start : start + size]) for start in range(0, len(folders), size)]
    listings: list[Listing] = []
    for node, listed in ray.get(tasks):
        for folder, listing in zip(folders[len(listings) :], listed, strict=False):
            if listing.error and Path(folder).exists():
                raise ConfigError(
                    f"data.root: node {node} cannot read {folder} ({listing.error}), but this node can; data must "
                    "be on a file system that all nodes mount at the same path"
                )
        listings += listed
    return listings


def list_there(folders: Sequence[str]) -> tuple[str, list[Listing]]:
    """Return the address of the node that runs this, and what the folders hold there."""
    import ray

    return ray.util.get_node_ip_address(), list_folders(folders)
