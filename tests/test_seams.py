"""The steps of docs/contributing.md are applied to a copy of the packages, and the copy runs."""

import json
import math
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "contributing.md").read_text(encoding="utf-8")
COPIED = ("benchmarks", "docs", "orchestrator", "search_spaces", "trainables")
SECTIONS = ("Add a data set", "Add a network", "Add an objective", "Add a metric", "Add a search space")

CODE = r"(?:``([^\n]+?) ``|`([^`\n]+)`)"
BLOCK = r"\n\n```\w*\n(.*?)^```$"
STEP = re.compile(
    rf"^\d+\. (?:Make {CODE}:{BLOCK}"
    rf"|In {CODE}, insert (above|below) {CODE}:{BLOCK}"
    rf"|In {CODE}, replace {CODE} by {CODE}\.)",
    re.MULTILINE | re.DOTALL,
)
NUMBERED = re.compile(r"^\d+\. ", re.MULTILINE)

TRAIN = """
import json, sys
from pathlib import Path
from search_spaces import find_base
from trainables.config import experiment_from_tree, override, parse_assignments
from trainables.training import LocalContext
from trainables.trial import run_trial
from trainables.trial_folder import TrialFolder

tree = override(find_base(sys.argv[1]), parse_assignments(sys.argv[2:]))
config, folder = experiment_from_tree(tree, source="docs/contributing.md"), TrialFolder(Path("trial"))
folder.claim(config)
print(json.dumps(run_trial(config, LocalContext(folder))))
"""
EVALUATE = """
import json, sys
from pathlib import Path
from search_spaces import find_base
from trainables.config import experiment_from_tree, override
from trainables.data import build_data
from trainables.models import build_model
from trainables.training import LocalContext
from trainables.trial import evaluate
from trainables.trial_folder import TrialFolder

config = experiment_from_tree(override(find_base("digits"), {"data.num_train": 100}), source="docs/contributing.md")
TrialFolder(Path("trial")).claim(config)
data, context = build_data(config.data), LocalContext(TrialFolder(Path("trial")))
model = build_model(config.model, num_classes=10).model.to(context.device).eval()
print(json.dumps(evaluate(config, context, model, data, sys.argv[1:])))
"""
CAMPAIGN = "from orchestrator.cli.app import main; main()"


def section(title: str) -> str:
    """Return the text below a heading of the page."""
    (text,) = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return str(text)


def apply(steps: str, folder: Path) -> None:
    """Do in `folder` what the numbered steps say; AssertionError if a step cannot be done."""
    found = list(STEP.finditer(steps))
    assert len(found) == len(NUMBERED.findall(steps)), "a step has a form that this test does not know"
    for step in found:
        match [group for group in step.groups() if group is not None]:
            case [path, text]:
                assert not (folder / path).exists()
                (folder / path).write_text(text, encoding="utf-8")
            case [path, ("above" | "below") as where, anchor, text]:
                lines = (folder / path).read_text(encoding="utf-8").splitlines(keepends=True)
                number = next((number for number, line in enumerate(lines) if line.startswith(anchor)), None)
                assert number is not None, f"{path} has no line that starts with {anchor!r}"
                lines.insert(number + (where == "below"), text)
                (folder / path).write_text("".join(lines), encoding="utf-8")
            case [path, old, new]:
                whole = (folder / path).read_text(encoding="utf-8")
                assert whole.count(old) == 1, f"{path} has {old!r} {whole.count(old)} times"
                (folder / path).write_text(whole.replace(old, new), encoding="utf-8")


def arguments(steps: str, command: str) -> list[str]:
    """Return the arguments that the section shows for a command of `campaign`."""
    (line,) = re.findall(rf"^campaign {command} (.+)$", steps, re.MULTILINE)
    return [word for word in line.split() if word != "--set"]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a folder with a copy of the packages and their docs."""
    folder = tmp_path / "copy"
    for name in COPIED:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "img"))
    return folder


@pytest.fixture
def run(copy: Path, tmp_path: Path) -> Callable[..., dict[str, object]]:
    """Return a function that runs a script with the packages of the copy and returns its JSON."""

    def run(script: str, *arguments: str) -> dict[str, object]:
        done = subprocess.run(
            [sys.executable, "-c", script, *arguments],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(copy)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    return run


@pytest.fixture
def masked_images(tmp_path: Path) -> None:
    """Write the folders that the new data set reads: red and green squares on black."""
    for name in ("train", "test"):
        for folder, colour in (("red", (255, 0, 0)), ("green", (0, 255, 0))):
            for number in range(4):
                file = Path(name, folder, f"{number}.png")
                image, mask = Image.new("RGB", (32, 32)), Image.new("L", (32, 32))
                image.paste(colour, (8, 8, 24, 24))
                mask.paste(255, (8, 8, 24, 24))
                for drawn, path in ((image, tmp_path / "images" / file), (mask, tmp_path / "images" / "masks" / file)):
                    path.parent.mkdir(parents=True, exist_ok=True)
                    drawn.save(path)


@pytest.mark.slow
@pytest.mark.usefixtures("masked_images")
def test_added_data_set_trains(copy: Path, run: Callable[..., dict[str, float]], tmp_path: Path) -> None:
    steps = section("Add a data set")
    apply(steps, copy)
    (config,) = re.findall(r"```yaml\n(.*?)```", steps, re.DOTALL)
    (tmp_path / "my.yaml").write_text(config, encoding="utf-8")
    row = run(TRAIN, *arguments(steps, "train"))
    assert (row["epoch"], row["train/samples_without_mask"]) == (1, 0)


@pytest.mark.slow
def test_added_network_trains(copy: Path, run: Callable[..., dict[str, float]]) -> None:
    steps = section("Add a network")
    apply(steps, copy)
    row = run(TRAIN, *arguments(steps, "train"), "data.num_train=100")
    assert row["epoch"] == 2
    assert row["val/faithfulness/max_logit_error"] < 1e-5


@pytest.mark.slow
def test_added_objective_trains(copy: Path, run: Callable[..., dict[str, float]]) -> None:
    steps = section("Add an objective")
    apply(steps, copy)
    row = run(TRAIN, *arguments(steps, "train"), "data.num_train=100")
    assert row["epoch"] == 2
    assert 0 < row["train/loss"] < math.log(10)


@pytest.mark.slow
def test_added_metric_is_evaluated(copy: Path, run: Callable[..., dict[str, float]]) -> None:
    steps = section("Add a metric")
    apply(steps, copy)
    _, _, name = arguments(steps, "evaluate")
    metrics = run(EVALUATE, name)
    assert list(metrics) == ["val/confidence"]
    assert 0.1 <= metrics["val/confidence"] <= 1
    assert "\n| confidence | `confidence` | · |" in (copy / "docs" / "evaluation.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_added_space_is_planned(copy: Path, run: Callable[..., dict[str, object]]) -> None:
    steps = section("Add a search space")
    apply(steps, copy)
    plan = run(CAMPAIGN, "plan", *arguments(steps, "plan"), "--no-measure", "--json")
    assert (plan["space"], plan["num_trials"]) == ("digits-learning-rate", 8)


@pytest.mark.slow
def test_what_is_added_passes_every_check(copy: Path) -> None:
    for title in SECTIONS:
        apply(section(title), copy)
    shutil.copy(ROOT / "pyproject.toml", copy)
    if (ROOT / ".mypy_cache").exists():  # By `make check`, so that only what was added is checked anew.
        shutil.copytree(ROOT / ".mypy_cache", copy / ".mypy_cache")
    commands = (("ruff", "format", "."), ("ruff", "check", "."), ("mypy",), ("lint-imports", "--no-cache"))
    for name, *rest in commands:
        done = subprocess.run(
            [Path(sys.executable).with_name(name), *rest],
            cwd=copy,
            env=os.environ | {"PYTHONPATH": str(copy)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_section_on_adding_is_applied() -> None:
    assert tuple(re.findall(r"^## (Add .+)$", PAGE, re.MULTILINE)) == SECTIONS


def test_step_that_cannot_be_done_is_found(tmp_path: Path) -> None:
    (tmp_path / "some.py").write_text("a = 1\nb = 2\n", encoding="utf-8")
    apply(
        "1. In `some.py`, insert below `a =`:\n\n```python\nc = 3\n```\n\n2. In `some.py`, replace `2` by `4`.",
        tmp_path,
    )
    assert (tmp_path / "some.py").read_text(encoding="utf-8") == "a = 1\nc = 3\nb = 4\n"
    with pytest.raises(AssertionError, match="no line that starts with 'd'"):
        apply("1. In `some.py`, insert above `d`:\n\n```\nc = 3\n```", tmp_path)
    with pytest.raises(AssertionError, match="'5' 0 times"):
        apply("1. In `some.py`, replace `5` by `4`.", tmp_path)
    with pytest.raises(AssertionError, match="form"):
        apply("1. Think of `some.py`.", tmp_path)
