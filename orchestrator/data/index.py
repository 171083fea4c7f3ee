"""Where lists of data sets' files are kept, and how a cluster makes them."""

from collections.abc import Sequence
from pathlib import Path

from trainables.config import ConfigError
from trainables.data import FileIndex
from trainables.data.folders import ListFolders, Listing, list_folders

MIN_FOLDERS = 64
"""Fewer are listed here: starting a process on each node would take longer."""
TASKS_A_NODE = 4


def file_index_in(storage: Path, *, on_ray: bool = False) -> FileIndex:
    """Return the lists of a storage folder.

    Args:
        on_ray: Whether the nodes of the connected cluster share in making those that are not there.
    """
    list_: ListFolders = list_folders_on_ray if on_ray else list_folders
    return FileIndex(storage / "manifests", list_)


def list_folders_on_ray(folders: Sequence[str]) -> list[Listing]:
    """List folders on all nodes of the connected cluster.

    Raises:
        ConfigError: A node does not see a folder that is there; the message names it.
    """
    if len(folders) < MIN_FOLDERS:
        return list_folders(folders)
    import ray

    num_tasks = TASKS_A_NODE * sum(node["Alive"] for node in ray.nodes())
    task = ray.remote(num_cpus=0, scheduling_strategy="SPREAD")(list_there)
    size = -(-len(folders) // num_tasks)
    parts = [task.remote(folders[start : start + size]) for start in range(0, len(folders), size)]
    listings: list[Listing] = []
    for node, found in ray.get(parts):
        for folder, listing in zip(folders[len(listings) :], found, strict=False):
            if listing.error and Path(folder).exists():
                raise ConfigError(
                    f"data.root: node {node} cannot read {folder} ({listing.error}), and this one can; data must lie "
                    "on a file system that all nodes mount at the same path"
                )
        listings += found
    return listings


def list_there(folders: Sequence[str]) -> tuple[str, list[Listing]]:
    """Return the node that runs this, and what the folders hold there."""
    import ray

    return ray.util.get_node_ip_address(), list_folders(folders)
