"""Rules for every source file, checked on its syntax tree; who may import whom is in test_import_contracts."""

import ast
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("orchestrator", "search_spaces", "trainables")

# What a package may import from other projects, besides the standard library.
EXTERNAL = {
    "trainables/config": ("pydantic", "pydantic_core", "yaml"),
    "search_spaces": ("cmaes", "optuna", "pydantic", "yaml"),
}

TUNE = ("ray.tune",)

# Files that may catch everything without raising again, with the reason.
BROAD_EXCEPT: dict[str, str] = {
    "orchestrator/tracking/database.py": "the error of a thread is raised again where the thread is waited for",
    "orchestrator/cluster_file/ray_schema.py": "Ray's validator raises another type of error for each kind of mistake",
}

# Modules whose import takes noticeably long.
HEAVY = ("mlflow", "optuna", "pandas", "plotly", "ray", "sklearn", "torch", "torchmetrics", "torchvision")


@dataclass(frozen=True)
class Source:
    """A source file: its path from the repository's root, and its syntax tree."""

    path: PurePosixPath
    tree: ast.Module

    @classmethod
    def parse(cls, path: str, text: str) -> "Source":
        return cls(PurePosixPath(path), ast.parse(text))

    def lies_in(self, folder: str) -> bool:
        return self.path.is_relative_to(folder)


def imported(source: Source) -> Iterator[str]:
    """Yield each imported name in full, wherever in the file it is imported."""
    for node in ast.walk(source.tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                package = ".".join(source.path.parts[:-level]) if level else ""
                prefix = ".".join(piece for piece in (package, module) if piece)
                yield from (f"{prefix}.{alias.name}" for alias in names)


def belongs(name: str, modules: tuple[str, ...]) -> bool:
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def imports_unlisted_project(source: Source) -> Iterator[str]:
    known = (*sys.stdlib_module_names, *PACKAGES)
    for folder, allowed in EXTERNAL.items():
        if source.lies_in(folder):
            for name in imported(source):
                if not belongs(name, known) and not belongs(name, allowed):
                    yield f"imports {name}; {folder} may import only {', '.join(allowed)}"


def imports_tune_in_trainables(source: Source) -> Iterator[str]:
    """Import contracts see only `ray` as a whole, so this tells Ray Train from Tune."""
    if source.lies_in("trainables"):
        yield from (f"imports {name}; only Ray Train may be used" for name in imported(source) if belongs(name, TUNE))


def imports_by_name(source: Source) -> Iterator[str]:
    """Import contracts read import statements, not calls."""
    for node in ast.walk(source.tree):
        match node:
            case ast.Call(func=ast.Name(id="import_module" | "__import__") | ast.Attribute(attr="import_module")):
                yield f"line {node.lineno}: imports by name; write an import statement"


def is_named_utils(source: Source) -> Iterator[str]:
    if source.path.name == "utils.py":
        yield "a file is named for what it computes"


def has_logic_in_init(source: Source) -> Iterator[str]:
    if source.path.name != "__init__.py":
        return
    exports: list[str] | None = None
    imports = False
    for node in source.tree.body:
        match node:
            case ast.Import() | ast.ImportFrom():
                imports = True
            case ast.Expr(value=ast.Constant(value=str())):
                pass
            case ast.Assign(targets=[ast.Name(id="__all__")], value=ast.List(elts=elements)):
                exports = [ast.literal_eval(element) for element in elements]
            case _:
                yield f"line {node.lineno}: only a docstring, imports and a literal __all__ belong here"
    if imports and exports is None:
        yield "has imports but no __all__"
    if exports is not None and exports != sorted(exports, key=export_order):
        yield f"__all__ is not sorted; right would be {sorted(exports, key=export_order)}"


def export_order(name: str) -> tuple[int, str]:
    """Sort as ruff does: constants, classes, then the rest."""
    return (0 if name.isupper() and len(name) > 1 else 1 if name[0].isupper() else 2, name)


def prints(source: Source) -> Iterator[str]:
    if source.lies_in("orchestrator/cli"):
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            yield f"line {node.lineno}: only the CLI prints; elsewhere use logging"


def catches_everything(source: Source) -> Iterator[str]:
    for node in ast.walk(source.tree):
        match node:
            case ast.ExceptHandler() if is_broad(node.type) and not reraises(node):
                yield f"line {node.lineno}: catches everything without raising again"
            case ast.Call(func=ast.Name(id="suppress") | ast.Attribute(attr="suppress"), args=kinds):
                if any(map(is_broad, kinds)):
                    yield f"line {node.lineno}: suppresses everything"


def is_broad(kind: ast.expr | None) -> bool:
    match kind:
        case None | ast.Name(id="Exception" | "BaseException") | ast.Attribute(attr="Exception" | "BaseException"):
            return True
        case ast.Tuple(elts=kinds):
            return any(map(is_broad, kinds))
    return False


def reraises(handler: ast.ExceptHandler) -> bool:
    """Tell whether the handler ends in a `raise`, so that nothing that it caught is lost."""
    return isinstance(handler.body[-1], ast.Raise)


Guard = Callable[[Source], Iterator[str]]
GUARDS: list[Guard] = [
    catches_everything,
    has_logic_in_init,
    imports_by_name,
    imports_tune_in_trainables,
    imports_unlisted_project,
    is_named_utils,
    prints,
]
FILES = sorted(path.relative_to(ROOT).as_posix() for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("path", FILES)
def test_file_keeps_every_rule(path: str) -> None:
    source = Source.parse(path, (ROOT / path).read_text(encoding="utf-8"))
    guards = [guard for guard in GUARDS if guard is not catches_everything or path not in BROAD_EXCEPT]
    assert [f"{path}: {finding}" for guard in guards for finding in guard(source)] == []


def test_every_exemption_is_still_needed() -> None:
    for path in BROAD_EXCEPT:
        assert list(catches_everything(Source.parse(path, (ROOT / path).read_text(encoding="utf-8")))), path


def test_every_package_is_found() -> None:
    assert {path.split("/")[0] for path in FILES} == set(PACKAGES)


BAD = [
    (imports_by_name, "trainables/models/build.py", "from importlib import import_module\nimport_module('ray.tune')"),
    (imports_by_name, "orchestrator/launch/sweep.py", "import importlib\ndef f(): importlib.import_module(name)"),
    (imports_by_name, "orchestrator/launch/sweep.py", "__import__('mlflow')"),
    (imports_tune_in_trainables, "trainables/worker.py", "from ray import tune"),
    (imports_tune_in_trainables, "trainables/worker.py", "import ray.tune.integration.ray_train"),
    (imports_unlisted_project, "search_spaces/digits.py", "import torch"),
    (imports_unlisted_project, "trainables/config/data.py", "from torch import nn"),
    (is_named_utils, "trainables/data/utils.py", ""),
    (has_logic_in_init, "trainables/cams/__init__.py", "from trainables.cams.hirescam import hirescam"),
    (has_logic_in_init, "trainables/cams/__init__.py", "__all__ = ['b', 'a']"),
    (has_logic_in_init, "trainables/cams/__init__.py", "__all__ = ['a', 'A']"),
    (has_logic_in_init, "trainables/cams/__init__.py", "__all__ = ['Ab', 'B_C']"),
    (has_logic_in_init, "trainables/cams/__init__.py", "def hirescam(): ..."),
    (has_logic_in_init, "trainables/cams/__init__.py", "KINDS = {}"),
    (prints, "trainables/training/loop.py", "def f():\n    print('epoch')"),
    (prints, "orchestrator/launch/sweep.py", "print('started')"),
    (catches_everything, "orchestrator/launch/sweep.py", "try:\n    f()\nexcept:\n    g()"),
    (catches_everything, "orchestrator/launch/sweep.py", "try:\n    f()\nexcept Exception:\n    g()"),
    (catches_everything, "orchestrator/launch/sweep.py", "try:\n    f()\nexcept (OSError, BaseException):\n    g()"),
    (catches_everything, "orchestrator/launch/sweep.py", "try:\n    f()\nexcept Exception:\n    if x:\n        raise"),
    (catches_everything, "orchestrator/launch/sweep.py", "import contextlib\nwith contextlib.suppress(Exception): f()"),
]

GOOD = [
    ("trainables/worker.py", "import ray.train\nfrom ray.train import report"),
    ("trainables/losses/build.py", "from trainables.data.batch import Batch\nfrom trainables.models import Output"),
    ("trainables/losses/build.py", "from . import contrastive\nfrom ..cams import hirescam"),
    ("trainables/evaluations/ood.py", "from trainables.data import Batch\nimport torchmetrics"),
    ("search_spaces/digits.py", "import math\nimport optuna\nimport yaml\nfrom trainables.config import override"),
    ("trainables/cams/__init__.py", '"""Maps."""\nfrom a import A, B_C, b\n__all__ = ["B_C", "A", "b"]'),
    ("trainables/config/__init__.py", ""),
    ("orchestrator/cli/app.py", "print('{}')\nfrom orchestrator.launch import sweep"),
    ("orchestrator/launch/sweep.py", "try:\n    f()\nexcept Exception as error:\n    g()\n    raise E from error"),
    ("orchestrator/launch/sweep.py", "try:\n    f()\nexcept OSError:\n    g()"),
]


@pytest.mark.parametrize(("guard", "path", "text"), BAD)
def test_guard_finds_the_bad_source(guard: Guard, path: str, text: str) -> None:
    assert list(guard(Source.parse(path, text)))


@pytest.mark.parametrize(("path", "text"), GOOD)
def test_no_guard_finds_anything_in_the_good_source(path: str, text: str) -> None:
    assert [finding for guard in GUARDS for finding in guard(Source.parse(path, text))] == []


def test_every_guard_is_shown_to_fail() -> None:
    assert {guard for guard, _, _ in BAD} == set(GUARDS)


def heavy_modules_after(statement: str) -> list[str]:
    """Return which of HEAVY a fresh interpreter has loaded after `statement`."""
    script = f"import json, sys\n{statement}\nprint(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    return list(json.loads(done.stdout))


@pytest.mark.skipif(not (ROOT / "orchestrator/cli/app.py").exists(), reason="there is no CLI yet")
def test_cli_starts_without_heavy_imports() -> None:
    assert heavy_modules_after("import orchestrator.cli.app") == []


def test_heavy_import_is_found() -> None:
    assert heavy_modules_after("import plotly") == ["plotly"]


def test_config_imports_nothing_heavy() -> None:
    assert heavy_modules_after("import trainables.config") == []
