"""A cluster file for `ray up`, read into node types."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple


class Problem(NamedTuple):
    """What a rule found in one field."""

    field: str
    message: str


@dataclass(frozen=True, eq=False)
class NodeType:
    """The head, or one type of worker."""

    name: str
    spec: Mapping[str, Any]
    """Its section of `available_node_types`; empty with provider `local`, which has no node types."""
    commands: tuple[str, ...]
    """The shell commands that Ray runs on such a node, in their order."""
    container_options: str | None
    """The options of `docker run`; None without a container."""

    @property
    def field(self) -> str:
        return f"available_node_types.{self.name}"

    @property
    def config(self) -> Mapping[str, Any]:
        """The settings that the cloud gets for such a machine."""
        return dict(self.spec.get("node_config") or {})

    @property
    def resources(self) -> dict[str, float]:
        return dict(self.spec.get("resources") or {})

    @property
    def text(self) -> str:
        """The commands and container options, in which environment variables may be set."""
        return "\n".join([*self.commands, self.container_options or ""])


@dataclass(frozen=True)
class ClusterFile:
    """The tree of a cluster file that Ray's schema has accepted."""

    tree: Mapping[str, Any]
    folder: Path
    """Where relative paths of `file_mounts` start: the folder in which `ray up` is run."""

    @property
    def provider(self) -> Mapping[str, Any]:
        return dict(self.tree["provider"])

    @property
    def kind(self) -> str:
        """`aws`, `gcp` or `local`."""
        return str(self.provider["type"])

    @property
    def file_mounts(self) -> dict[str, str]:
        """Path on the nodes -> path on this machine."""
        return {str(remote): str(local) for remote, local in (self.tree.get("file_mounts") or {}).items()}

    @cached_property
    def node_types(self) -> tuple[NodeType, ...]:
        return (self.head, *self.workers)

    @cached_property
    def head(self) -> NodeType:
        return self._node_type(str(self.tree.get("head_node_type", "head")), is_head=True)

    @cached_property
    def workers(self) -> tuple[NodeType, ...]:
        names = ("worker",) if self.kind == "local" else (self.tree.get("available_node_types") or {})
        return tuple(self._node_type(name, is_head=False) for name in names if name != self.head.name)

    @property
    def max_workers(self) -> int:
        """How many workers of all types there may be; Ray's default where the file does not say."""
        default = len(self.provider.get("worker_ips") or ()) if self.kind == "local" else 2
        return int(self.tree.get("max_workers", default))

    def max_of(self, worker: NodeType) -> int:
        """Return how many workers of this type there may be."""
        return min(int(worker.spec.get("max_workers", self.max_workers)), self.max_workers)

    def local_path(self, path: str) -> Path:
        """Return a path of this machine, as `ray up` reads it."""
        return self.folder / Path(path).expanduser()

    def _node_type(self, name: str, *, is_head: bool) -> NodeType:
        spec = (self.tree.get("available_node_types") or {}).get(name) or {}
        role = "head" if is_head else "worker"
        options = _container_options({**(self.tree.get("docker") or {}), **(spec.get("docker") or {})}, role)
        return NodeType(name, spec, tuple(_commands(self.tree, {} if is_head else spec, role)), options)


def _commands(tree: Mapping[str, Any], own: Mapping[str, Any], role: str) -> Iterator[str]:
    """Yield the commands of a node; those of its own node type replace the common ones."""
    stages = (
        ("initialization_commands",),
        ("setup_commands", f"{role}_setup_commands"),
        (f"{role}_start_ray_commands",),
    )
    for stage in stages:
        lists = [own[stage[-1]]] if stage[-1] in own else [tree.get(field) for field in stage]
        yield from (str(command) for commands in lists for command in commands or ())


def _container_options(docker: Mapping[str, Any], role: str) -> str | None:
    if not (docker.get(f"{role}_image") or docker.get("image")):
        return None
    return " ".join(map(str, [*(docker.get("run_options") or ()), *(docker.get(f"{role}_run_options") or ())]))
