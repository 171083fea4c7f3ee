"""The spaces, bases and scales that ship, and how a user's own are found."""

import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from search_spaces.cifar import EMBEDDING
from search_spaces.digits import BACKGROUND_WEIGHT
from search_spaces.pets import ARCHITECTURE, OBJECTIVE, SPECIES
from search_spaces.space import Space, line_of, what_failed
from search_spaces.yaml_space import read_space
from trainables.config import (
    ConfigError,
    ExperimentConfig,
    check_regular,
    experiment_from_tree,
    override,
    parse_assignments,
    read_tree,
)

SPACES: dict[str, Space] = {
    space.name: space for space in (BACKGROUND_WEIGHT, SPECIES, OBJECTIVE, ARCHITECTURE, EMBEDDING)
}
_HERE = Path(__file__).parent


def find_space(name: str) -> Space:
    """Return a space by its name, that of a YAML file, or the `SPACE` that the Python file of that path defines."""
    if name in SPACES:
        return SPACES[name]
    path = Path(name)
    if path.suffix in {".yaml", ".yml"}:
        return read_space(path)
    if path.suffix != ".py":
        raise ConfigError(
            f"no space {name!r}; valid names: {', '.join(sorted(SPACES))}, or the path of a YAML file or of a .py file "
            "that defines SPACE"
        )
    try:
        check_regular(path)
    except OSError as error:
        raise ConfigError(
            f"space file {name} cannot be read: {error.strerror}; give the path of a .py file that defines SPACE"
        ) from error
    space = getattr(_load_module(path), "SPACE", None)
    if not isinstance(space, Space):
        raise ConfigError(f"{name} defines no SPACE of type search_spaces.Space; found {type(space).__name__}")
    return space


def find_base(name: str) -> dict[str, Any]:
    """Return the config tree of a shipped base, or of the YAML file of that path."""
    return read_tree(_find_yaml(name, "bases", "base config"))


def find_experiment(name: str, assignments: Iterable[str] = ()) -> ExperimentConfig:
    """Return the config of a shipped base, or of a YAML file, with the fields that `--set` assigns."""
    return experiment_from_tree(override(find_base(name), parse_assignments(assignments)), source=name)


def find_scale(name: str) -> dict[str, Any]:
    """Return the tree of a shipped scale, or of the YAML file of that path."""
    return read_tree(_find_yaml(name, "scales", "scale"))


def find_study(name: str) -> tuple[Path, dict[str, Any]]:
    """Return the file and the tree of a shipped study, or of the YAML file of that path."""
    path = _find_yaml(name, "studies", "study")
    return path, read_tree(path)


def _find_yaml(name: str, folder: str, noun: str) -> Path:
    shipped = {path.stem: path for path in (_HERE / folder).glob("*.yaml")}
    path = shipped.get(name, Path(name))
    if path.suffix not in {".yaml", ".yml"} or not (path.exists() or path.is_symlink()):
        raise ConfigError(f"no {noun} {name!r}; valid names: {', '.join(sorted(shipped))}, or the path of a YAML file")
    return path


def _load_module(path: Path) -> Any:
    """Import a file under a name of its own, by which its functions can be pickled."""
    name = f"campaign_space_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # A file may call sys.exit.
        raise ConfigError(f"space file {path}{line_of(error, str(path))}: {what_failed(error)}") from error
    return module
