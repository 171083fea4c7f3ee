"""What Ray's processes find in their environment, and what a command's options say."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.cluster.cluster_file import ClusterFile, Command
from orchestrator.cluster.files import MOUNTS


def head_environment(**commands: list[str]) -> dict[str, str]:
    tree = {"provider": {"type": "aws"}, "head_node_type": "head", "available_node_types": {"head": {}}, **commands}
    return ClusterFile(tree, Path()).head.environment


@pytest.mark.parametrize(
    ("commands", "value"),
    [
        ({"head_start_ray_commands": ["export A_B=1; ray start --head"]}, "1"),
        ({"head_start_ray_commands": ["A_B='a b' ray start --head"]}, "a b"),
        ({"setup_commands": ["echo 'export A_B=1' >> ~/.bashrc"]}, "1"),
        ({"head_setup_commands": ['echo A_B="x y" | sudo tee -a /etc/environment']}, "x y"),
        ({"setup_commands": ["echo A_B=1 >> ~/.profile"], "head_start_ray_commands": ["A_B=2 ray start"]}, "2"),
        ({"setup_commands": ["export A_B=1"], "head_start_ray_commands": ["ray start --head"]}, None),
        ({"head_start_ray_commands": ["export A_B=1", "ray start --head"]}, None),
        ({"worker_start_ray_commands": ["A_B=1 ray start"]}, None),
    ],
)
def test_environment_is_what_lasts_until_ray_starts(commands: dict[str, Any], value: str | None) -> None:
    assert head_environment(**commands).get("A_B") == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("serve --host 10.0.0.1 --port 5000", "10.0.0.1"),
        ("serve --host=10.0.0.1", "10.0.0.1"),
        ("serve --host '10.0.0.1'", "10.0.0.1"),
        ("serve --dashboard-host=10.0.0.1", None),
        ("serve postgresql:///x?host=/run", None),
    ],
)
def test_option_is_read_with_and_without_equals_sign(text: str, value: str | None) -> None:
    assert Command("field", text).option("--host") == value


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("echo 'fs-1.efs.eu-west-1.amazonaws.com:/ /shared nfs4 hard,_netdev 0 0' | sudo tee -a /etc/fstab", "/shared"),
        ("sudo mount -t nfs4 -o hard 10.0.0.2:/share /mnt/filestore", "/mnt/filestore"),
        ("(mountpoint -q /fsx || sudo mount -t lustre -o flock fs-1.fsx:/abc /fsx)", "/fsx"),
        ("sudo mount -t ext4 /dev/sdb /shared", None),
        ("sudo mount /shared", None),
        ("mkdir -p /shared", None),
    ],
)
def test_shared_file_system_is_recognised_where_it_is_mounted(text: str, place: str | None) -> None:
    found = {match for pattern in MOUNTS for match in pattern.findall(text)}
    assert found == ({place} if place else set())
