"""A cluster file for `ray up` as the rules see it: its nodes, and what is run on each of them."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from orchestrator.cluster_file.shell import call, inherited, inherited_by, uncommented

Problem = tuple[str, str]
"""The path of a field, and what was found there and what would be right."""

PROFILE = re.compile(r"/etc/profile|/etc/environment|\.bashrc|\.bash_profile|\.profile")
"""Files that later shells read: what a command only exports ends with that command's shell."""
PLAIN_PROFILE = "/etc/environment"
"""The one that is no shell script, and has no `export`."""
RAY_START = re.compile(r"\bray start\b")

DRIVER = "driver"
"""Custom resource of the nodes that may host a trial's driver; a local Ray is started with it."""
DRIVER_SHARE = 0.01
"""What a trial that only drives Ray Train workers takes, so that drivers never crowd out workers."""


def sections(value: Any) -> list[Mapping[str, Any]]:
    """Return the mappings of a list, or the one that stands for a list; what is neither is the cloud's to refuse."""
    return [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, Mapping)]


@dataclass(frozen=True, slots=True)
class Command:
    """A shell command without its comments, and the field that holds it."""

    field: str
    text: str

    def call(self, program: re.Pattern[str]) -> "Command | None":
        """Return the part that runs `program`; None where nothing does."""
        text = call(self.text, program)
        return None if text is None else Command(self.field, text)

    def has(self, flag: str) -> bool:
        return re.search(rf"(?<!\S){re.escape(flag)}(?!\S)", self.text) is not None

    def option(self, flag: str) -> str | None:
        """Return the value of `--flag VALUE` or `--flag=VALUE`, or None where it is not given."""
        found = re.search(rf"""{re.escape(flag)}(?:=|\s+)("[^"]*"|'[^']*'|\S+)""", self.text)
        return found[1].strip("'\"") if found else None


@dataclass(frozen=True, eq=False)
class Node:
    """The head, or one type of worker."""

    name: str
    is_head: bool
    field: str
    """Where its type is described."""
    spec: Mapping[str, Any]
    """Its node type; empty for machines of one's own, which have none."""
    commands: tuple[Command, ...]
    """In the order in which Ray runs them."""
    image: str | None
    """The container it runs in."""

    @property
    def config(self) -> Mapping[str, Any]:
        """What the cloud is asked for."""
        return dict(self.spec.get("node_config") or {})

    @property
    def resources(self) -> dict[str, float]:
        return dict(self.spec.get("resources") or {})

    @property
    def start_field(self) -> str:
        return "head_start_ray_commands" if self.is_head else "worker_start_ray_commands"

    @cached_property
    def start(self) -> Command | None:
        """The command that starts Ray."""
        return next(filter(None, (command.call(RAY_START) for command in self.commands)), None)

    @cached_property
    def environment(self) -> dict[str, str]:
        """What Ray's processes find in their environment: set in a profile, or in the command that starts Ray."""
        environment: dict[str, str] = {}
        for command in self.commands:
            if RAY_START.search(command.text):
                return inherited_by(command.text, RAY_START, environment)
            if PROFILE.search(command.text):
                environment = inherited(command.text, environment, plain=PLAIN_PROFILE in command.text)
        return environment


@dataclass(frozen=True)
class ClusterFile:
    """The tree of a cluster file that Ray's schema has accepted."""

    tree: Mapping[str, Any]
    folder: Path
    """Where relative paths of `file_mounts` start: `ray up` is run there."""

    @property
    def provider(self) -> Mapping[str, Any]:
        return dict(self.tree["provider"])

    @property
    def kind(self) -> str:
        """`aws`, `gcp` or `local`."""
        return str(self.provider["type"])

    @property
    def mounts(self) -> dict[str, str]:
        """Path on the nodes -> path here."""
        return {str(remote): str(local) for remote, local in (self.tree.get("file_mounts") or {}).items()}

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """The head, then the types of workers that may be started."""
        return (self.head, *self.workers)

    @cached_property
    def head(self) -> Node:
        name = str(self.tree.get("head_node_type", "head"))
        return self._node(name, is_head=True)

    @cached_property
    def workers(self) -> tuple[Node, ...]:
        if self.kind == "local":
            return (self._node("worker", is_head=False),)
        names = self.tree.get("available_node_types") or {}
        return tuple(self._node(name, is_head=False) for name in names if name != self.head.name)

    def most(self, worker: Node) -> int:
        """Return how many machines of this type there may be."""
        most = self.most_workers()
        return min(int(worker.spec.get("max_workers", most)), most)

    def most_workers(self) -> int:
        """Return how many workers there may be in all."""
        default = len(self.provider.get("worker_ips") or ()) if self.kind == "local" else 2
        return int(self.tree.get("max_workers", default))

    def _node(self, name: str, *, is_head: bool) -> Node:
        spec = (self.tree.get("available_node_types") or {}).get(name) or {}
        docker = {**(self.tree.get("docker") or {}), **(spec.get("docker") or {})}
        image = docker.get("head_image" if is_head else "worker_image") or docker.get("image")
        field = f"available_node_types.{name}"
        if self.kind == "local":
            field = "provider.head_ip" if is_head else "provider.worker_ips"
        return Node(name, is_head, field, spec, tuple(self._commands(name, spec, is_head=is_head)), image)

    def _commands(self, name: str, spec: Mapping[str, Any], *, is_head: bool) -> Iterator[Command]:
        """Yield a node's commands; those in a worker's own type stand for the common ones."""
        role, own = ("head", {}) if is_head else ("worker", spec)
        stages = (("initialization_commands",), ("setup_commands", f"{role}_setup_commands"))
        for stage in (*stages, (f"{role}_start_ray_commands",)):
            overriding = stage[-1] if stage[-1] in own else None
            for field in (overriding,) if overriding else stage:
                texts = own[field] if overriding else self.tree.get(field) or ()
                path = f"available_node_types.{name}.{field}" if overriding else field
                yield from (Command(f"{path}[{index}]", uncommented(text)) for index, text in enumerate(texts))
