"""The commands of the shipped cluster files are valid in the shells that Ray starts."""

import subprocess
from pathlib import Path
from shlex import quote
from typing import Any

import pytest


@pytest.mark.parametrize("tree", ["shipped", "on_premises", "on_gcp"])
def test_every_command_is_a_shell_command_within_those_that_ray_makes_of_it(
    tree: str, request: pytest.FixtureRequest
) -> None:
    commands = [
        command
        for field, commands in request.getfixturevalue(tree).items()
        if field.endswith("commands")
        for command in commands
    ]
    assert len(commands) > 5
    script = "\n".join(f"bash -n -c {quote(f'source ~/.bashrc; export A=1 && ({command})')}" for command in commands)
    done = subprocess.run(["bash", "-e", "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_profile_is_written_with_the_address_of_the_head(shipped: dict[str, Any], tmp_path: Path) -> None:
    write = shipped["setup_commands"][0].replace("sudo tee /etc/profile.d/", f"tee {tmp_path}/")
    for head, shown in (("10.1.2.3", "10.1.2.3"), ("", None)):
        environment = {"PATH": "/usr/bin:/bin", "HOME": "/home/ubuntu", "RAY_HEAD_IP": head}
        subprocess.run(["bash", "-c", f"({write})"], env=environment, check=True)
        text = (tmp_path / "campaign.sh").read_text(encoding="utf-8")
        assert "export PATH=$HOME/venv/bin:$PATH\n" in text
        if shown:
            assert f"export MLFLOW_TRACKING_URI=http://{shown}:5000\n" in text
