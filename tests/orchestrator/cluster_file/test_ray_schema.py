"""What Ray's own validator says, and what is said where Ray has none."""

import sys
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cluster_file.cluster_file import ClusterFile
from orchestrator.cluster_file.ray_schema import MAX_MESSAGE, ray_accepts
from tests.orchestrator.cluster_file.editing import edited, put
from trainables.config import ConfigError


def test_file_is_left_as_it_was(shipped: dict[str, Any]) -> None:
    tree = edited(shipped)
    assert list(ray_accepts(ClusterFile(tree, Path()))) == []
    assert tree == shipped


def test_long_message_keeps_its_start_and_its_end(shipped: dict[str, Any]) -> None:
    tree = edited(shipped, put("setup_commands", "x" * 1000))
    ((field, message),) = ray_accepts(ClusterFile(tree, Path()))
    assert field == "setup_commands"
    assert message.startswith("Ray refuses it: 'xxx")
    assert message.endswith("xxx' is not of type 'array'")
    assert len(message) == len("Ray refuses it: ") + MAX_MESSAGE + len(" ... ")


def test_ray_without_its_validator_is_named(shipped: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray.autoscaler._private.util", None)
    with pytest.raises(ConfigError, match=r"Ray 2\.60\.\d+ has no validator of cluster files where Ray 2\.60 has it"):
        list(ray_accepts(ClusterFile(shipped, Path())))
