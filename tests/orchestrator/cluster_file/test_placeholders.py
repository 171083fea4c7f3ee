"""Placeholders that are still empty are listed."""

from pathlib import Path

from orchestrator.cluster_file.cluster_file import ClusterFile
from orchestrator.cluster_file.placeholders import to_do

MOUNTS = {"~/.ray/auth_token": "no/such/auth_token", "~/data": "no/such/data"}


def test_placeholders_and_a_missing_token_are_listed() -> None:
    commands = ["mount fs-FILL-IN.efs:/ /shared", "true"]
    tree = {"provider": {"project_id": "FILL-IN"}, "setup_commands": commands, "file_mounts": MOUNTS}
    assert list(to_do(ClusterFile(tree, Path("/nowhere")))) == [
        "provider.project_id: fill in FILL-IN",
        "setup_commands[0]: fill in fs-FILL-IN.efs:/",
        "file_mounts.~/.ray/auth_token: make no/such/auth_token with: ray get-auth-token --generate",
    ]


def test_nothing_is_listed_once_all_is_filled_in(tmp_path: Path) -> None:
    (tmp_path / "auth_token").write_text("x", encoding="utf-8")
    tree = {"provider": {"project_id": "lab"}, "file_mounts": {"~/.ray/auth_token": "auth_token"}}
    assert list(to_do(ClusterFile(tree, tmp_path))) == []
