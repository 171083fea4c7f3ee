"""Rules about what nodes get: Ray, CAMpaign, Python, shared memory."""

import importlib.metadata
import re
from collections.abc import Iterator
from pathlib import Path

from orchestrator.cluster_file.cluster_file import ClusterFile, Node, Problem

RAY_PIN = re.compile(r"\bray(?:\[[\w,\s-]*\])?\s*==\s*([\w.]+)")
RAY_IMAGE = re.compile(r"/ray(?:-ml)?(?=[:@]|$)(?::(\d+\.\d+\.\d+|[^-@\s]+)|$)")
"""An image of Ray's project and its version, or a tag that moves, such as latest; without a tag it is that."""
CONSTRAINTS = re.compile(r"""(?:--constraint|-c)(?:=|\s+)["']?([^\s"']*constraints[^\s"']*)""")
PYTHON = re.compile(r"\bpython(3\.\d+)\b|--python[=\s]+(3\.\d+)|\bpython=(3\.\d+)|-py(3\d+)\b")
INSTALL = re.compile(r"\b(?:pip[\d.]*|uv|poetry) [^;&|\n]*\b(?:install|sync)\b")
PARTS = ("pyproject.toml", "README.md", "LICENSE", "orchestrator", "search_spaces", "trainables")
"""Of CAMpaign's folder: what pyproject.toml names, and itself."""
OLDEST_PYTHON = (3, 11)
"""That of pyproject.toml."""
SMALLEST_SHM = "1g"


def pins_ray(cluster: ClusterFile) -> Iterator[Problem]:
    """Check that each node gets the Ray that is installed here, by the lock, a pin or an image's tag."""
    here = importlib.metadata.version("ray")
    for node in cluster.nodes:
        found = _ray_versions(cluster, node)
        if not found:
            yield (
                _install_field(node),
                f"nothing says which Ray {node.name} gets; install with --constraint and constraints.txt, or "
                f"ray=={here}",
            )
        for field, version in found:
            if version != here:
                yield (
                    field,
                    f"found Ray {version} for {node.name}, and here is {here}: all nodes and this machine "
                    f"must have the same; right would be {here}",
                )


def _ray_versions(cluster: ClusterFile, node: Node) -> list[tuple[str, str]]:
    """Return the fields that decide on Ray, with the versions they say."""
    found = [(command.field, version) for command in node.commands for version in RAY_PIN.findall(command.text)]
    if node.image and (tag := RAY_IMAGE.search(node.image)):
        found.append(("docker", tag[1] or "latest"))
    locks = {path for command in node.commands for path in CONSTRAINTS.findall(command.text)}
    for path in sorted(locks):
        here = cluster.mounts.get(path)
        if here and (file := cluster.folder / Path(here).expanduser()).is_file():
            found += [(f"file_mounts.{path}", version) for version in RAY_PIN.findall(file.read_text("utf-8"))]
    return found


def installs_project(cluster: ClusterFile) -> Iterator[Problem]:
    """Check that CAMpaign is installed on each node, and that all is copied of what pip builds it from.

    An image of one's own may have it.
    """
    for node in cluster.nodes:
        installs = [command for command in node.commands if INSTALL.search(command.text)]
        texts = [CONSTRAINTS.sub("", command.text) for command in installs]
        if not any("campaign" in text for text in texts) and (not node.image or RAY_IMAGE.search(node.image)):
            yield (
                _install_field(node),
                f"found no installation of CAMpaign on {node.name}; copy it with file_mounts, and pip install "
                "~/campaign",
            )
    for folder in sorted(_installed_folders(cluster)):
        for part in PARTS:
            if f"{folder}/{part}" not in cluster.mounts:
                yield (
                    "file_mounts",
                    f"found no {folder}/{part}, and pip installs {folder}; add {folder}/{part}: {part}",
                )


def _installed_folders(cluster: ClusterFile) -> set[str]:
    """Return the folders that some command installs, and of which file_mounts bring parts."""
    texts = [command.text for node in cluster.nodes for command in node.commands if INSTALL.search(command.text)]
    words = {word.strip("'\"").replace("$HOME", "~").rstrip("/") for text in texts for word in text.split()}
    words = {word.partition("[")[0] for word in words}
    return {word for word in words - cluster.mounts.keys() if any(f"{word}/{part}" in cluster.mounts for part in PARTS)}


def same_python(cluster: ClusterFile) -> Iterator[Problem]:
    """Check that one Python is named for all nodes: what is pickled on one is read on another."""
    found = {node: sorted(_pythons(node)) for node in cluster.nodes}
    for node, versions in found.items():
        if len(versions) != 1:
            shown = " and ".join(versions) or "none"
            yield _install_field(node), f"found {shown} for {node.name}; name one Python, such as python3.12 -m venv"
        elif tuple(map(int, versions[0].split("."))) < OLDEST_PYTHON:
            yield _install_field(node), f"found Python {versions[0]} for {node.name}; CAMpaign needs 3.11 or newer"
    head, *workers = found.items()
    for node, versions in workers:
        if len(versions) == len(head[1]) == 1 and versions != head[1]:
            yield (
                _install_field(node),
                f"found Python {versions[0]} for {node.name} and {head[1][0]} for the head; all nodes need the same",
            )


def _pythons(node: Node) -> set[str]:
    texts = [command.text for command in node.commands] + [node.image or ""]
    found = {next(filter(None, groups)) for text in texts for groups in PYTHON.findall(text)}
    return {f"3.{version[1:]}" if "." not in version else version for version in found}


def _install_field(node: Node) -> str:
    return "head_setup_commands" if node.is_head else "worker_setup_commands"


def has_shared_memory(cluster: ClusterFile) -> Iterator[Problem]:
    """Check that containers get more /dev/shm than Docker's 64 MB, in which Ray and data loaders keep their arrays."""
    docker = cluster.tree.get("docker") or {}
    for key in ("run_options", "head_run_options", "worker_run_options"):
        for index, option in enumerate(docker.get(key) or ()):
            size = re.search(r"--shm-size[=\s]+(\d+)([a-z]?)", str(option).lower())
            if size and int(size[1]) * {"g": 1024, "m": 1, "k": 0}.get(size[2], 0) < 1024:
                yield f"docker.{key}[{index}]", f"found {option}; data loaders need --shm-size={SMALLEST_SHM} or more"
    if docker.get("disable_shm_size_detection") and not any("--shm-size" in str(value) for value in docker.values()):
        yield (
            "docker.disable_shm_size_detection",
            "found true, which leaves Docker's 64 MB of /dev/shm; remove it, or add --shm-size to docker.run_options",
        )
