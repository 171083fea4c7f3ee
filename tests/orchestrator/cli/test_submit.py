"""What `campaign submit` refuses before a cluster is asked, and what it prints for Kubernetes."""

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from orchestrator.cli.app import app
from orchestrator.launch.submit import check_command, job_environment
from trainables.config import ConfigError

Cli = Callable[..., Any]
SPACE = "digits-background-weight"


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CAMPAIGN_STORAGE", "CAMPAIGN_TRACKING_URI", "MLFLOW_TRACKING_URI", "RAY_API_SERVER_ADDRESS"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "needs one of -- COMMAND, --status ID, --logs ID and --stop ID; found none"),
        (("--stop", "a", "--", "status", "x"), "found --stop and -- COMMAND"),
        (("--stop", "a", "--status", "b"), "found --status and --stop"),
        (("--stop", "a", "--detach"), "--detach and --kuberay need a command, and have no effect with --stop"),
        (
            ("--image", "i", "--", "status", "x"),
            "--image, --claim, --pods and --pod-gpus have no effect without --kuberay",
        ),
        (("--", "swep", SPACE), "'swep' is no command for a job; valid names: "),
        (("--", "campaign"), "'' is no command for a job"),
        (("--", "submit", "--", "sweep"), "'submit' is no command for a job"),
        (("--", "ls", "-l"), "'ls' is no command for a job"),
        (("--", "sweep", SPACE, "--trails", "3"), "No such option: --trails"),
        (("--", "sweep", SPACE, "--trials", "many"), "unable to parse string as an integer"),
        (("--", "sweep"), "Missing argument"),
        (("--working-dir=.", "--", "sweep", SPACE), "--storage campaign-data is relative, and the job has another"),
        (("--", "sweep", SPACE, "--storage", "here"), "--storage here is relative"),
        (("--kuberay", "--image=i", "--", "sweep", SPACE), "--kuberay mounts the volume at the storage folder: give"),
        (("--env", "CAMPAIGN_STORAGE=here", "--", "sweep", SPACE), "--storage here is relative"),
        (("--env", "ABSENT_KEY", "--", "sweep", SPACE), "--env ABSENT_KEY: expected KEY=VALUE, or the KEY of"),
        (("--env", "=1", "--", "sweep", SPACE), "--env =1: expected KEY=VALUE"),
        (
            ("--env", "TUNE_GLOBAL_CHECKPOINT_S=1", "--", "sweep", SPACE),
            "CAMpaign sets TUNE_GLOBAL_CHECKPOINT_S itself",
        ),
        (("--", "train", "pets.yaml", "--storage", "/s"), "pets.yaml is a file of this machine: copy its folder with"),
        (("--", "sweep", "mine.py", "--storage", "/s"), "mine.py: resuming a sweep reads the space's file"),
        (("--", "promote", "a", "--scale=b.yaml", "--storage=/s"), " b.yaml is a file of this machine: copy its"),
        (("--working-dir=nodir", "--", "sweep", SPACE, "--storage=/s"), "nodir is no folder of this machine; give the"),
        (("--kuberay", "--", "sweep", SPACE, "--storage", "/s"), "--kuberay needs --image"),
        (("--kuberay", "--detach", "--", "sweep", SPACE, "--storage", "/s"), "--detach has no effect with --kuberay"),
    ],
)
def test_what_cannot_work_is_refused_here(arguments: tuple[str, ...], message: str, cli: Cli) -> None:
    ran = cli("submit", *arguments)
    assert ran.code == 2
    assert message in " ".join(ran.err.replace("│", " ").split())


def test_where_nothing_listens_is_said_at_once(cli: Cli) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
        ran = cli("submit", "--address", address, "--", "sweep", SPACE, "--storage", "/shared")
    assert ran.code == 2
    assert f"no Ray dashboard answers at {address}: give its URL as --address or RAY_API_SERVER_ADDRESS" in ran.err


def test_address_is_checked(cli: Cli) -> None:
    ran = cli("submit", "--address", "http://127.0.0.1:port", "--", "sweep", SPACE, "--storage", "/shared")
    assert ran.code == 2
    assert "--address http://127.0.0.1:port: " in ran.err


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("10.255.255.1:6379", "http://10.255.255.1:8265"),
        ("head:8265", "http://head:8265"),
        ("head", "http://head:8265"),
        ("[::1]:8265", "http://[::1]:8265"),
        ("ray://head:10001", "http://head:8265"),
        ("http://", "http://HOST:8265"),
    ],
)
def test_address_that_is_no_url_is_refused_with_one(
    address: str, shown: str, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = cli("submit", "--address", address, "--status", "any")
    assert ran.code == 2
    assert f"--address {address} is no URL; jobs need the URL of the cluster's dashboard: " in ran.err
    assert f"give --address, or RAY_API_SERVER_ADDRESS, {shown}" in ran.err
    monkeypatch.setenv("RAY_ADDRESS", address)
    assert cli("submit", "--status", "any").err == ran.err


def test_command_may_begin_with_campaign() -> None:
    command = ["sweep", SPACE, "--storage", "/shared", "--json"]
    assert check_command(get_command(app), command, {}, None) == (tuple(command), Path("/shared"))
    assert check_command(get_command(app), ["campaign", *command], {}, None) == (tuple(command), Path("/shared"))


def test_storage_of_the_environment_counts() -> None:
    assert check_command(get_command(app), ["status", "first"], {"CAMPAIGN_STORAGE": "/s"}, None) == (
        ("status", "first"),
        Path("/s"),
    )


def test_storage_of_this_machine_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAMPAIGN_STORAGE", "/here")
    assert check_command(get_command(app), ["status", "first"], {}, None) == (("status", "first"), None)
    assert os.environ["CAMPAIGN_STORAGE"] == "/here"


def test_shipped_file_is_found_in_the_working_dir(tmp_path: Path) -> None:
    (tmp_path / "pets.yaml").write_text("{}", encoding="utf-8")
    command = ["train", "pets.yaml", "--storage", "/s"]
    assert check_command(get_command(app), command, {}, tmp_path)[0] == tuple(command)
    with pytest.raises(ConfigError, match=r"pets\.yaml is a file of this machine"):
        check_command(get_command(app), command, {}, tmp_path.parent)


@pytest.mark.parametrize("scale", [("--scale=/s/large.yaml",), ("--scale", "/s/large.yaml")])
def test_file_that_the_cluster_sees_is_accepted(scale: tuple[str, ...]) -> None:
    command = ("promote", "first", *scale, "--set=data.root=/s/data.yaml", "--storage=/s")
    assert check_command(get_command(app), command, {}, None)[0] == command


def test_option_names_a_shipped_file(tmp_path: Path) -> None:
    (tmp_path / "large.yaml").write_text("{}", encoding="utf-8")
    check_command(get_command(app), ["promote", "first", "--scale=large.yaml", "--storage=/s"], {}, tmp_path)


def test_working_dir_may_lie_in_the_home(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "pets.yaml").write_text("{}", encoding="utf-8")
    arguments = ("--kuberay", "--image=i", "--working-dir=~", "--", "train", "pets.yaml", "--storage=/s")
    assert "--working-dir has no effect with --kuberay" in cli("submit", *arguments).err  # the command itself is right


def test_variables_are_passed_on_that_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAMPAIGN_STORAGE", "/shared")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "secret")
    monkeypatch.setenv("OTHER", "x")
    assert job_environment([]) == {}
    assert job_environment(["A=b=c", "MLFLOW_TRACKING_TOKEN", "CAMPAIGN_STORAGE"]) == {
        "CAMPAIGN_STORAGE": "/shared",
        "A": "b=c",
        "MLFLOW_TRACKING_TOKEN": "secret",
    }


def test_kuberay_prints_a_ray_job(cli: Cli) -> None:
    arguments = ("submit", "--kuberay", "--image=lab/campaign:1", "--claim=lab", "--pods=4", "--pod-gpus=2")
    command = ("sweep", SPACE, "--storage", "/mnt/lab", "--set", "data.root=/mnt/a b")
    ran = cli(*arguments, "--env", "CAMPAIGN_TRACKING_URI=http://mlflow:5000", "--", "-v", *command)
    assert ran.code == 0, ran.err
    job = yaml.safe_load(ran.out)
    assert job["metadata"] == {"generateName": "campaign-sweep-"}
    assert job["spec"]["entrypoint"] == f"campaign -v sweep {SPACE} --storage /mnt/lab --set 'data.root=/mnt/a b'"
    assert job == json.loads(
        cli(*arguments, "--json", "--env", "CAMPAIGN_TRACKING_URI=http://mlflow:5000", "--", "-v", *command).out
    )
