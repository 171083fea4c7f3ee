"""What the README shows is there: configs load, make targets exist, links lead somewhere."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from search_spaces import find_base, find_scale, find_space
from trainables.config import experiment_from_tree, override, parse_assignments

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("text", re.findall(r"^```yaml\n(.*?)^```", README, re.DOTALL | re.MULTILINE))
def test_config_loads(text: str) -> None:
    experiment_from_tree(yaml.safe_load(text), source="README.md")


def test_config_needs_no_gpu() -> None:
    (text,) = re.findall(r"^```yaml\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    assert experiment_from_tree(yaml.safe_load(text), source="README.md").resources.gpus == 0


def demo_settings(command: str) -> dict[str, Any]:
    """Return what a command of `make demo` sets."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (line,) = re.findall(rf"^{command} := (.*)$", makefile, re.MULTILINE)
    return parse_assignments([word for word in line.split() if word != "--set"])


def test_demo_is_smaller_than_what_results_report_and_has_cross_entropy() -> None:
    space = find_space("digits-background-weight")
    base = experiment_from_tree(find_base(space.base))
    config = experiment_from_tree(override(find_base(space.base), demo_settings("DEMO_SWEEP")))
    assert config.data.num_train * config.training.epochs < base.data.num_train * base.training.epochs / 2
    assert {point["objective.kind"] for point in space.first_points} == {"cross_entropy", "contrastive"}
    assert len(space.first_points) <= 8


def test_demo_promotes_to_two_workers_and_more_data() -> None:
    tree = override(override(find_base("digits"), find_scale("digits-full")["set"]), demo_settings("DEMO_PROMOTION"))
    config = experiment_from_tree(tree)
    assert (config.resources.workers, config.data.num_train) == (2, 8000)


@pytest.mark.parametrize("target", sorted(set(re.findall(r"(?:^|`)make ([a-z]+)", README, re.MULTILINE))))
def test_make_target_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\((?!https?:)([^)#]+)", README))))
def test_link_leads_to_a_file(link: str) -> None:
    assert (ROOT / link).is_file()
