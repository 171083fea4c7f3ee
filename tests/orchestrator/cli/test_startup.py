"""Commands that only read import nothing heavy; how long they take is `make bench`'s to say."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.fault_message import NoteMessage
from tests.harness.sweep_on_disk import SweepOnDisk

HEAVY = {
    "matplotlib",
    "mlflow",
    "numpy",
    "optuna",
    "pandas",
    "plotly",
    "ray",
    "scipy",
    "sklearn",
    "sqlalchemy",
    "torch",
}
PROBE = """
import json, sys
sys.argv = ["campaign", *sys.argv[1:]]
from orchestrator.cli.app import main
try:
    main()
except SystemExit as end:
    print(json.dumps([end.code, sorted(sys.modules)]), file=sys.stderr)
"""


def start(*arguments: str) -> tuple[int, str, str, set[str]]:
    """Run a command in a new process; return its exit code, its two outputs, and which of HEAVY it imported."""
    run = subprocess.run([sys.executable, "-c", PROBE, *arguments], capture_output=True, text=True, check=True)
    *lines, last = run.stderr.splitlines()
    code, modules = json.loads(last)
    return code, run.stdout, "\n".join(lines), HEAVY & set(modules)


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep of two trials that was never sent to MLflow."""
    storage = tmp_path_factory.mktemp("storage")
    sweep = SweepOnDisk(storage, space="digits-background-weight", num_trials=2)
    sweep.complete("0000", {"val/accuracy": 0.5}, {"optim.learning_rate": 1e-3})
    sweep.complete("0001", {"val/accuracy": 0.75}, {"optim.learning_rate": 2e-3})
    return storage


@pytest.mark.parametrize("arguments", [("--help",), ("sweep", "--help")])
def test_help_is_light(arguments: tuple[str, ...]) -> None:
    code, out, _, heavy = start(*arguments)
    assert "Usage: campaign" in out
    assert (code, heavy) == (0, set())


@pytest.mark.parametrize("form", ["--json", "--markdown", None])
def test_leaderboard_is_light(storage: Path, form: str | None) -> None:
    code, out, err, heavy = start("leaderboard", "first", "--storage", str(storage), *([form] if form else []))
    assert "0.75" in out
    assert (code, err, heavy) == (0, "", set())


def test_status_is_light(storage: Path) -> None:
    code, out, _, heavy = start("status", "first", "--storage", str(storage))
    assert out.startswith("first: not running; trials: 2 completed\n")
    assert (code, heavy) == (0, set())


@pytest.mark.parametrize("command", [("train",), ("data", "check"), ("study",)])
@pytest.mark.fault("A config has an error.", trains=False)
def test_error_in_a_yaml_file_is_light(tmp_path: Path, command: tuple[str, ...], note_message: NoteMessage) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("optim: {learning_rat: 0.1}\n")
    code, _, err, heavy = start(*command, str(file))
    note_message([err])
    assert err.startswith(f"error: {file}")
    assert (code, heavy) == (2, set())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("report", "absent"), "no sweep 'absent' in "),
        (("compare", "first/0000", "absent"), "no run 'absent': give "),
        (("compare", "first/0000", "first/0000"), "a run is given twice: "),
    ],
    ids=["report", "compare", "compare twice"],
)
def test_name_of_nothing_is_light(storage: Path, arguments: tuple[str, ...], message: str) -> None:
    code, out, err, heavy = start(*arguments, "--storage", str(storage))
    assert err.startswith(f"error: {message}")
    assert (code, out, heavy) == (2, "", set())


def test_error_in_an_assignment_is_light(tmp_path: Path) -> None:
    code, _, err, heavy = start("sweep", "digits-background-weight", "--set", "optim.rate", "--storage", str(tmp_path))
    assert err == "error: --set 'optim.rate': expected section.field=value"
    assert (code, heavy) == (2, set())
