"""Ray's own schema and validator for cluster files."""

import contextlib
import io
import logging
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from orchestrator.cluster_file.cluster_file import ClusterFile, Problem
from trainables.config import ConfigError

MAX_MESSAGE = 300
FILLED_IN: Mapping[str, Any] = {"cluster_synced_files": [], "max_workers": 2}
"""What Ray's validator takes for granted, because `ray up` fills it in first."""


class RefusedError(ValueError):
    """Ray refuses the file; `field` is a path in it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def ray_accepts(cluster: ClusterFile) -> Iterator[Problem]:
    """Check as `ray up` does: the file against the schema, then what the file and the provider's defaults make.

    Raises:
        ConfigError: The installed Ray has no such validator.
    """
    prepare_config, validate_config = _validator()
    steps = (
        lambda: validate_config({**FILLED_IN, **deepcopy(dict(cluster.tree))}),
        lambda: validate_config(prepare_config(deepcopy(dict(cluster.tree)))),
    )
    for step in steps:
        try:
            _quietly(step)
        except RefusedError as refused:
            yield refused.field, str(refused)
            return


def _validator() -> tuple[Any, Any]:
    """Return Ray's private functions; the exact version is pinned in constraints.txt."""
    try:
        from ray.autoscaler._private.util import prepare_config, validate_config
    except ImportError as error:
        import ray

        raise ConfigError(
            f"Ray {ray.__version__} has no validator of cluster files where Ray 2.60 has it ({error}); "
            "install what constraints.txt says, with ray[default]"
        ) from error
    return prepare_config, validate_config


def _quietly(step: Any) -> None:
    """Run `step` without what it prints; RefusedError where it fails, by whichever of Ray's many ways."""
    printed, logger = io.StringIO(), logging.getLogger("ray.autoscaler")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            step()
    except Exception as error:
        raise _as_refused(error) from error
    finally:
        logger.setLevel(level)


def _as_refused(error: Exception) -> RefusedError:
    """Return what Ray found, with the valid keys where one is unknown; of jsonschema's errors the path is known."""
    path = ".".join(map(str, getattr(error, "absolute_path", ())))
    text = str(getattr(error, "message", error)).strip() or type(error).__name__
    if len(text) > MAX_MESSAGE:  # jsonschema repeats the value it refuses, and says at the end why
        text = f"{text[: MAX_MESSAGE // 2]} ... {text[-MAX_MESSAGE // 2 :]}"
    if isinstance(error, KeyError):
        text += " is missing"
    if getattr(error, "validator", None) == "additionalProperties":
        properties: Mapping[str, Any] = getattr(error, "schema", {}).get("properties", {})
        text += f"; valid keys: {', '.join(sorted(properties))}"
    return RefusedError(path, f"Ray refuses it: {text}")
