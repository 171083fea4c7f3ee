"""Ray's own schema and validator for cluster files."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from copy import deepcopy
from io import StringIO
from typing import Any

from orchestrator.cluster_file.cluster_file import ClusterFile, Problem
from trainables.config import ConfigError

MAX_MESSAGE = 300
SET_BY_RAY_UP: Mapping[str, Any] = {"cluster_synced_files": [], "max_workers": 2}
"""Fields that Ray's validator requires, and that `ray up` sets itself."""


def ray_accepts(cluster: ClusterFile) -> Iterator[Problem]:
    """Check as `ray up` does: the file against the schema, then the file with the provider's defaults.

    Raises:
        ConfigError: The installed Ray has no such validator.
    """
    prepare_config, validate_config = _validator()
    tree = dict(cluster.tree)
    try:
        with _silence():
            validate_config({**SET_BY_RAY_UP, **deepcopy(tree)})
            validate_config(prepare_config(deepcopy(tree)))
    except Exception as error:  # Ray has one type of error for each kind of mistake.
        yield Problem(".".join(map(str, getattr(error, "absolute_path", ()))), f"Ray refuses it: {_reason(error)}")


def _validator() -> tuple[Any, Any]:
    """Return Ray's private functions; the exact version is pinned in constraints.txt."""
    try:
        from ray.autoscaler._private.util import prepare_config, validate_config
    except ImportError as error:
        import ray

        raise ConfigError(
            f"Ray {ray.__version__} has no validator of cluster files where Ray 2.60 has it ({error}); "
            "install ray[default] at the version in constraints.txt"
        ) from error
    return prepare_config, validate_config


@contextmanager
def _silence() -> Iterator[None]:
    logger = logging.getLogger("ray.autoscaler")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            yield
    finally:
        logger.setLevel(level)


def _reason(error: Exception) -> str:
    """Return Ray's message, with the valid keys where one is unknown."""
    text = str(getattr(error, "message", error)).strip() or type(error).__name__
    if len(text) > MAX_MESSAGE:  # jsonschema puts the value that it refuses in the middle.
        text = f"{text[: MAX_MESSAGE // 2]} ... {text[-MAX_MESSAGE // 2 :]}"
    if isinstance(error, KeyError):
        text += " is missing"
    if getattr(error, "validator", None) == "additionalProperties":
        text += f"; valid keys: {', '.join(sorted(getattr(error, 'schema', {}).get('properties', {})))}"
    return text
