"""From YAML files and `section.field=value` overrides to a validated config."""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from trainables.config.earlier import as_written_then
from trainables.config.error import ConfigError
from trainables.config.experiment import DEFAULT_KINDS, ExperimentConfig
from trainables.config.explain import explain
from trainables.config.network_file import with_own_kind
from trainables.config.optim import AdamW
from trainables.config.regular_file import check_regular
from trainables.config.renamed import current_name, with_current_names
from trainables.config.section import marks
from trainables.config.yaml_text import ConfigLoader, RayLoader, read_yaml

Tree = dict[str, Any]


def read_tree(path: Path, *, as_ray: bool = False) -> Tree:
    """Read a YAML mapping from `path`; raise ConfigError with the file's name when it is none.

    Args:
        as_ray: Whether `yes`, `010` and the like mean what they mean to Ray, in a cluster file.
    """
    try:
        check_regular(path)
        tree = read_yaml(path.read_text(encoding="utf-8"), RayLoader if as_ray else ConfigLoader)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from error
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ConfigError(f"{path}: expected a mapping of sections, found {type(tree).__name__}")
    return tree


def parse_assignments(assignments: Iterable[str]) -> Tree:
    """Turn `["optim.learning_rate=1e-3"]` into `{"optim.learning_rate": 0.001}`; values are YAML."""
    overrides: Tree = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"--set {assignment!r}: expected section.field=value")
        try:
            overrides[current_name(key.strip())] = read_yaml(text)
        except ValueError as error:
            raise ConfigError(f"--set {assignment!r}: the value is not valid YAML: {error}") from error
    return overrides


def override(tree: Mapping[str, Any], overrides: Mapping[str, Any]) -> Tree:
    """Return a copy of `tree` with each dotted key set.

    Setting a section's `kind` to a variant that has other fields resets the section to that variant's defaults, and
    another class of a user's network starts without arguments.
    """
    result, overrides = deepcopy(with_current_names(tree)), _with_own_kind(with_current_names(overrides))
    if {"training", "training.epochs"} & overrides.keys():
        _forget_default_warmup(result)
    if isinstance(result.get("model"), dict):
        result["model"] = with_own_kind(result["model"])
        _forget_other_network(result["model"], overrides)
    for key in sorted(overrides, key=lambda key: (not _is_kind(key), key.count("."))):
        *parents, field = key.split(".")
        section = result
        for parent in parents:
            if section.get(parent) is None:  # not there, or switched off
                section[parent] = {}
            section = section[parent]
            if not isinstance(section, dict):
                raise ConfigError(f"{key}: {parent} is a value, not a section")
        if _is_kind(key) and not same_fields(".".join(parents), section.get("kind"), overrides[key]):
            section.clear()
        section[field] = overrides[key]
    return result


def _is_kind(key: str) -> bool:
    return key.endswith(".kind") and not key.startswith("model.arguments.")  # A user's class may have such an argument.


def _with_own_kind(overrides: Tree) -> Tree:
    """Return overrides in which `model.kind = FILE.py:CLASS` is written out."""
    model = {key.removeprefix("model."): value for key, value in overrides.items() if key.startswith("model.")}
    return overrides | {f"model.{field}": value for field, value in with_own_kind(model).items()}


def _forget_other_network(model: Tree, overrides: Tree) -> None:
    """Leave out the text of the file before, and the arguments of the class before."""
    if "model.file" in overrides:
        model.pop("source", None)
    if overrides.get("model.name", model.get("name")) != model.get("name"):
        model.pop("arguments", None)


def _forget_default_warmup(tree: Tree) -> None:
    """Leave the default warm-up of a resolved config out, so that it is clipped to another number of epochs."""
    optim, fields = tree.get("optim"), AdamW.model_fields
    resolved = {name for name, field in fields.items() if "added_later" not in marks(field)}
    if not isinstance(optim, dict) or not resolved <= optim.keys():
        return
    if optim["warmup_epochs"] == fields["warmup_epochs"].default:
        del optim["warmup_epochs"]


def same_fields(section: str, kind: Any, other: Any) -> bool:
    """Return whether two kinds of a section are one class, such as resnet18 and resnet50; no kind is the default's."""
    field = ExperimentConfig.model_fields.get(section)
    if field is None:
        return bool(kind == other)
    variants = get_args(field.annotation)
    found, wanted = (
        next((variant for variant in variants if name in get_args(variant.model_fields["kind"].annotation)), None)
        for name in (kind or DEFAULT_KINDS.get(section), other)
    )
    return found is wanted


def experiment_from_tree(tree: Mapping[str, Any], *, source: str = "config") -> ExperimentConfig:
    """Validate `tree`; raise ConfigError with a line for each problem, naming field, value and choices."""
    try:
        config = ExperimentConfig.model_validate(as_written_then(with_current_names(tree)))
    except ValidationError as error:
        raise ConfigError(
            "\n".join(explain(problem, ExperimentConfig, source=source) for problem in error.errors())
        ) from error
    return config


def load_experiment(path: Path) -> ExperimentConfig:
    """Read the experiment in the YAML file `path`."""
    return experiment_from_tree(read_tree(path), source=str(path))
