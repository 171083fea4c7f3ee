"""What a node type gets from the sections of a cluster file."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.cluster_file.cluster_file import ClusterFile

TREE: dict[str, Any] = {
    "provider": {"type": "aws"},
    "head_node_type": "head",
    "max_workers": 5,
    "available_node_types": {"small": {"max_workers": 3}, "head": {}, "large": {"max_workers": 9}},
    "initialization_commands": ["init"],
    "setup_commands": ["setup"],
    "head_setup_commands": ["head setup"],
    "worker_start_ray_commands": ["start"],
}


def cluster_file(**changes: Any) -> ClusterFile:
    return ClusterFile({**TREE, **changes}, Path("/here"))


def test_head_and_workers_have_the_common_commands_and_their_own() -> None:
    cluster = cluster_file()
    assert [(node.name, node.commands) for node in cluster.node_types] == [
        ("head", ("init", "setup", "head setup")),
        ("small", ("init", "setup", "start")),
        ("large", ("init", "setup", "start")),
    ]


def test_commands_of_a_worker_type_replace_the_common_ones() -> None:
    own = {"initialization_commands": [], "worker_setup_commands": ["mine"], "worker_start_ray_commands": ["go"]}
    (worker,) = cluster_file(available_node_types={"head": own, "worker": own}).workers
    assert worker.commands == ("mine", "go")
    assert cluster_file(available_node_types={"head": own, "worker": own}).head.commands[0] == "init"


def test_max_workers_of_a_type_is_at_most_that_of_the_cluster() -> None:
    cluster = cluster_file()
    assert [cluster.max_of(worker) for worker in cluster.workers] == [3, 5]


@pytest.mark.parametrize(
    ("provider", "most"), [({"type": "aws"}, 2), ({"type": "local", "worker_ips": ["a", "b", "c"]}, 3)]
)
def test_max_workers_has_the_default_of_ray(provider: dict[str, Any], most: int) -> None:
    tree = {"provider": provider, "head_node_type": "head"}
    assert ClusterFile(tree, Path()).max_workers == most


@pytest.mark.parametrize(
    ("docker", "head", "worker"),
    [
        ({}, None, None),
        ({"image": "i"}, "", ""),
        ({"image": "i", "run_options": ["-a"], "head_run_options": ["-b"]}, "-a -b", "-a"),
        ({"worker_image": "i", "run_options": ["-a"]}, None, "-a"),
    ],
)
def test_container_options_are_those_of_the_image_that_a_node_has(
    docker: dict[str, Any], head: str | None, worker: str | None
) -> None:
    cluster = cluster_file(docker=docker)
    assert (cluster.head.container_options, cluster.workers[0].container_options) == (head, worker)
