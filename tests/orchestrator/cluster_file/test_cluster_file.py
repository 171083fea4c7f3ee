"""What Ray's processes find in their environment, and what a command's options say."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.cluster_file.cluster_file import ClusterFile, Command
from orchestrator.cluster_file.mounts import mounted
from orchestrator.cluster_file.shell import uncommented

FSTAB = "echo 'fs-1.efs.eu-west-1.amazonaws.com:/ /shared nfs4 hard,_netdev 0 0' | sudo tee -a /etc/fstab"
KEPT = "echo export A_B=1 >> ~/.profile"


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
        ({"head_start_ray_commands": ["A_B=1; ray start --head"]}, None),
        ({"head_start_ray_commands": ["A_B=1 ray stop; ray start --head"]}, None),
        ({"head_start_ray_commands": ["ray start --head; export A_B=1"]}, None),
        ({"head_start_ray_commands": ["A_B=1; export A_B; ray start --head"]}, "1"),
        ({"head_start_ray_commands": ["export X=0 A_B=1 && ulimit -n 9; nohup ~/venv/bin/ray start --head"]}, "1"),
        ({"head_start_ray_commands": ["X=0 env A_B=1 \\\n  ~/venv/bin/ray start --head"]}, "1"),
        (
            {"head_start_ray_commands": ["export A_B=$(hostname -I | cut -d' ' -f1):5; ray start"]},
            "$(hostname -I | cut -d' ' -f1):5",
        ),
        ({"setup_commands": ["echo A_B=1 >> ~/.bashrc"]}, None),
        ({"setup_commands": ["printf 'export X=0\\nexport A_B=1\\n' >> ~/.bashrc"]}, "1"),
        ({"setup_commands": ["printf 'export X=0\\n# export A_B=1\\n' >> ~/.bashrc"]}, None),
        ({"setup_commands": ["echo '#export A_B=1' >> ~/.bashrc"]}, None),
        ({"setup_commands": ["cat >> ~/.profile <<END\nexport A_B=1 # it's one\nexport X=2\nEND"]}, "1"),
        ({"setup_commands": [KEPT, "echo unset A_B >> ~/.bashrc"]}, None),
        (
            {
                "setup_commands": [KEPT],
                "head_start_ray_commands": ["unset A_B; ray start"],
            },
            None,
        ),
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
    ("text", "kept"),
    [
        ("a # b", "a "),
        ("# a\nb", "\nb"),
        ("a;#b\nc # d\ne", "a;\nc \ne"),
        ("echo ${x#y} ${#x} $# http://h/#f x#y", "echo ${x#y} ${#x} $# http://h/#f x#y"),
        ("echo '# a' b", "echo '' b"),
        ('echo "a # b" c', 'echo "a " c'),
        ("echo 'a#b' \"c'#d\"", "echo 'a#b' \"c'#d\""),
        ('echo \\# "\\"#" a', 'echo \\# "\\"#" a'),
        ("tee f <<END\n  # it's off\n  on # \"so\nEND", "tee f <<END\n  \n  on \nEND"),
        ("printf 'a\\n#b\\nc' d", "printf 'a\\n\\nc' d"),
        ("a \\\n b # c \\\n d", "a   b \n d"),
    ],
)
def test_comments_end_with_their_line_or_quote(text: str, kept: str) -> None:
    assert uncommented(text) == kept


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (f"{FSTAB} && sudo mount /shared", "/shared"),
        (f"{FSTAB}; sudo mount -a", "/shared"),
        (f"{FSTAB}; mount -t nfs4 x:/ /data 2>&1", "/data"),
        (FSTAB, None),
        ("sudo mount -t nfs4 -o hard 10.0.0.2:/share /mnt/filestore", "/mnt/filestore"),
        ("sudo mount.nfs4 fs:/ /shared/ -o hard,noresvport", "/shared"),
        ("mount fs:/ /shared -t nfs4 || true", "/shared"),
        ('mount -t nfs4 "$EFS:/" "/shared"', "/shared"),
        ("bash -c 'mount -t efs fs-1 /shared'", "/shared"),
        ("(mountpoint -q /fsx || sudo mount -t lustre -o flock fs-1.fsx:/abc /fsx)", "/fsx"),
        ("sudo mount -t ext4 /dev/sdb /shared", None),
        ("sudo mount /shared", None),
        ("sudo umount -t nfs4 /shared", None),
        ("mkdir -p /shared", None),
    ],
)
def test_shared_file_system_is_recognised_where_it_is_mounted(text: str, place: str | None) -> None:
    assert mounted(text) == ({place} if place else set())
