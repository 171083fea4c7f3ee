"""The shipped cluster file, and those that docs/cluster.md shows for other places."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
Tree = dict[str, Any]


def shipped_tree() -> Tree:
    return dict(yaml.safe_load((ROOT / "cluster.yaml").read_text(encoding="utf-8")))


def documented_tree(provider: str) -> Tree:
    """Return the cluster file of the docs for a provider; that of gcp says only what differs from the shipped one."""
    text = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")
    blocks = [yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```", text, re.DOTALL | re.MULTILINE)]
    (block,) = [block for block in blocks if block.get("provider", {}).get("type") == provider]
    return {**shipped_tree(), **block} if provider == "gcp" else dict(block)


@pytest.fixture(scope="session")
def shipped() -> Tree:
    return shipped_tree()


@pytest.fixture(scope="session")
def on_premises() -> Tree:
    return documented_tree("local")


@pytest.fixture(scope="session")
def on_gcp() -> Tree:
    return documented_tree("gcp")
