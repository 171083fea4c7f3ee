"""What the README shows is there: configs load, make targets exist, links lead somewhere."""

import re
from pathlib import Path

import pytest
import yaml

from trainables.config import experiment_from_tree

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("text", re.findall(r"^```yaml\n(.*?)^```", README, re.DOTALL | re.MULTILINE))
def test_config_loads(text: str) -> None:
    experiment_from_tree(yaml.safe_load(text), source="README.md")


@pytest.mark.parametrize("target", sorted(set(re.findall(r"(?:^|`)make ([a-z]+)", README, re.MULTILINE))))
def test_make_target_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\((?!https?:)([^)#]+)", README))))
def test_link_leads_to_a_file(link: str) -> None:
    assert (ROOT / link).is_file()
