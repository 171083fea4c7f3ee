"""A user's file that cannot be used: one line that names it, exit code 2, and nothing left behind."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]
SPACE = """
import sys
from search_spaces import Goal, Space

def suggest(trial):
    {suggest}

SPACE = Space(name="mine", summary="-", base="digits", suggest=suggest, goals=(Goal("val/accuracy", "max"),),
              num_trials=2, first_points=({{"optim.learning_rte": 0.1}},)[:{first_points}])
"""
RATE = 'trial.suggest_float("optim.learning_rate", 0.1, 0.2)'
BOMB = "a: &a [x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{of}'] * 10)}]\n" for of, name in zip("abcdef", "bcdefg", strict=True)
)


def space(suggest: str, first_points: int = 0) -> str:
    return SPACE.format(suggest=suggest, first_points=first_points)


@pytest.mark.fault(
    "A space sets nothing or ends the process; YAML aliases expand to millions; a file is a named pipe.", trains=False
)
@pytest.mark.parametrize(
    ("command", "name", "text", "message"),
    [
        ("sweep", "mine.py", space("pass"), "mine.py): suggest sets no field, so that all trials would be equal"),
        ("sweep", "mine.py", space("sys.exit()"), "mine.py, line 6): suggest failed with SystemExit: "),
        ("sweep", "mine.py", space("raise BaseException"), "mine.py, line 6): suggest failed with BaseException: "),
        ("sweep", "mine.py", space(RATE, 1), "first_points[0] sets optim.learning_rte, which suggest does not ask for"),
        ("sweep", "mine.py", "raise SystemExit(0)", "mine.py, line 1: SystemExit: 0"),
        ("sweep", "mine.py", None, "mine.py cannot be read: it is a named pipe, not a file"),
        ("plan", "mine.py", space("sys.exit()"), "mine.py, line 6): suggest failed with SystemExit: "),
        ("train", "mine.yaml", BOMB, "mine.yaml: not valid YAML: it has 3456797 values with its aliases"),
        ("study", "mine.yaml", BOMB, "mine.yaml: not valid YAML: it has 3456797 values with its aliases"),
        ("train", "mine.yaml", None, "mine.yaml: cannot be read: it is a named pipe, not a file"),
        ("study", "mine.yaml", None, "mine.yaml: cannot be read: it is a named pipe, not a file"),
        ("train", "mine.yaml", "seed: 1:30", "mine.yaml: seed: found '1:30'; input should be a valid integer"),
    ],
    ids=[
        *("no fields", "exit", "BaseException", "first point", "exit at import", "pipe for a space", "plan"),
        *(
            "aliases in an experiment",
            "aliases in a study",
            "pipe for an experiment",
            "pipe for a study",
            "sexagesimal",
        ),
    ],
)
def test_file_that_cannot_be_used_is_named(
    command: str, name: str, text: str | None, message: str, cli: Cli, tmp_path: Path
) -> None:
    path = tmp_path / name
    if text is None:
        os.mkfifo(path)
    else:
        path.write_text(text, encoding="utf-8")
    ran = cli(command, path, *(("--storage", tmp_path / "storage") if command != "plan" else ()))
    assert (ran.code, ran.out) == (2, "")
    (error,) = ran.err.splitlines()
    assert error.startswith("error: ")
    assert message in error
    assert [left.name for left in tmp_path.iterdir() if left.name != "__pycache__"] == [name]


def test_scale_and_set_have_a_limit_too(make_sweep: Callable[..., Any], cli: Cli, tmp_path: Path) -> None:
    make_sweep().complete("0000", {"val/accuracy": 0.5})
    path = tmp_path / "mine.yaml"
    path.write_text(BOMB, encoding="utf-8")
    for arguments in (
        ("--scale", path),
        ("--scale", "digits-full", "--set", f"data.shift={{{BOMB.replace(chr(10), ',')}}}"),
    ):
        ran = cli("promote", "first", *arguments, "--storage", tmp_path)
        assert ran.code == 2
        (error,) = ran.err.splitlines()
        assert "values with its aliases, and may have 100000" in error
