"""`campaign doctor`: JSON, exit code and advice."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Cli = Callable[..., Any]


def test_machine_that_runs_these_tests_has_no_error(tmp_path: Path, cli: Cli) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "image.png").write_bytes(b"x")
    ran = cli("doctor", "--storage", tmp_path / "new" / "storage", "--data", data, "--json")
    document = json.loads(ran.out)
    names = [check["name"] for check in document["checks"]]
    assert (ran.code, document["ok"]) == (0, True), ran.out
    assert {"python", "ray", "torch", "torchvision", "mlflow", "optuna", "operators", "cores"} <= set(names)
    assert {"/dev/shm", "storage", "tracking", "data"} <= set(names)
    assert document["checks"][0].keys() == {"name", "status", "found", "advice"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]


def test_errors_are_the_exit_code_and_say_what_to_do(tmp_path: Path, cli: Cli) -> None:
    ran = cli("doctor", "--storage", tmp_path, "--data", tmp_path / "none", "--tracking-uri", "file:/mlruns")
    assert ran.code == 1
    lines = {line.split()[1]: line for line in ran.out.splitlines()}
    assert lines["data"].startswith("error ")
    assert "No such file or directory; give the folder of data.root" in lines["data"]
    assert "MLflow no longer tracks runs in plain folders" in lines["tracking"]
    assert lines["python"].startswith("ok ")
