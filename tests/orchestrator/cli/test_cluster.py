"""`campaign cluster check`: exit code, JSON, and the trial that must fit."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
SHIPPED = ROOT / "cluster.yaml"
Cli = Callable[..., Any]


def test_shipped_file_is_the_default_and_passes(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    ran = cli("cluster", "check")
    assert (ran.code, ran.out) == (0, "cluster.yaml: nothing to change\n")
    assert "before ray up: available_node_types.head.node_config.ImageId: fill in ami-FILL-IN\n" in ran.err


def test_json_is_all_of_standard_output(cli: Cli, tmp_path: Path) -> None:
    passed = cli("cluster", "check", SHIPPED, "--json")
    assert (passed.code, json.loads(passed.out)) == (0, {"file": str(SHIPPED), "findings": [], "ok": True})
    broken = tmp_path / "cluster.yaml"
    broken.write_text("provider: {type: aws, region: us-west-2}\n", encoding="utf-8")
    ran = cli("cluster", "check", broken, "--json")
    document = json.loads(ran.out)
    assert (ran.code, document["ok"]) == (2, False)
    ((finding),) = document["findings"]
    assert finding.keys() == {"rule", "field", "message"}
    assert (finding["rule"], finding["field"]) == ("name", "cluster_name")


def test_findings_name_field_and_rule_for_people(cli: Cli, tmp_path: Path) -> None:
    ran = cli("cluster", "check", tmp_path / "none.yaml")
    assert ran.code == 2
    first, last = ran.out.splitlines()
    assert first == f"file: {tmp_path}/none.yaml: cannot be read: No such file or directory [file]"
    assert last == f"{tmp_path}/none.yaml: 1 finding"


@pytest.mark.parametrize("name", ["digits", "digits-background-weight"])
def test_trial_of_a_base_or_a_space_must_fit(name: str, cli: Cli) -> None:
    fits = ("cluster", "check", SHIPPED, "--for", name, "--set", "resources.workers=8", "--set", "resources.gpus=1")
    assert cli(*fits).code == 0
    ran = cli("cluster", "check", SHIPPED, "--for", name, "--set", "resources.workers=16", "--set", "resources.gpus=1")
    assert ran.code == 2
    assert "the trial takes 16 processes of 1 CPU and 1 GPU, and 8 fit on gpu_worker" in ran.out


def test_trial_at_a_scale_must_fit(cli: Cli) -> None:
    at_scale = ("cluster", "check", SHIPPED, "--for", "pets-species", "--scale", "imagenet-s919")
    assert cli(*at_scale).code == 0
    ran = cli(*at_scale, "--set", "resources.workers=16")
    assert ran.code == 2
    assert "the trial takes 16 processes of 8 CPU and 1 GPU, and 8 fit on gpu_worker" in ran.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--for", "digit"), "no base config 'digit'; valid names: "),
        (("--set", "resources.gpus=1"), "--set resources.gpus=1 has no effect without --for"),
        (("--scale", "imagenet-s50"), "--scale imagenet-s50 has no effect without --for"),
        (("--for", "digits", "--scale", "imagenet"), "no scale 'imagenet'; valid names: "),
        (("--for", "digits", "--scale", str(SHIPPED)), "found no mapping `set` of config fields"),
        (("--for", "digits", "--set", "resources.gpu=1"), "resources.gpu: unknown field"),
    ],
)
def test_usage_error_is_one_line(arguments: tuple[str, ...], message: str, cli: Cli) -> None:
    ran = cli("cluster", "check", SHIPPED, *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
