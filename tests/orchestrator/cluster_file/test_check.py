"""The shipped cluster file passes, and each broken one has its own finding and no other."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.cluster_file.check import RULES, STRUCTURE, Finding, check_file, check_tree
from tests.orchestrator.cluster_file.broken import BROKEN, BROKEN_ON_PREMISES, BROKEN_STRUCTURE, HEAD, SAME, WORKER
from tests.orchestrator.cluster_file.editing import Edit, edited, put

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("tree", ["shipped", "on_premises", "on_gcp"])
def test_file_that_ships_or_is_shown_has_no_finding(tree: str, request: pytest.FixtureRequest) -> None:
    assert check_tree(request.getfixturevalue(tree), ROOT).findings == ()


def test_shipped_file_is_what_ray_accepts() -> None:
    import yaml
    from ray.autoscaler._private.util import prepare_config, validate_config

    validate_config(prepare_config(yaml.safe_load((ROOT / "cluster.yaml").read_text(encoding="utf-8"))))


@pytest.mark.parametrize(("rule", "edit", "field", "words"), [*BROKEN_STRUCTURE, *BROKEN])
def test_broken_file_has_its_finding_and_no_other(
    rule: str, edit: Edit, field: str, words: str, shipped: dict[str, Any]
) -> None:
    check_finding(rule, field, words, edited(shipped, edit))


@pytest.mark.parametrize(("rule", "edit", "field", "words"), BROKEN_ON_PREMISES)
def test_broken_file_of_own_machines_has_its_finding_and_no_other(
    rule: str, edit: Edit, field: str, words: str, on_premises: dict[str, Any]
) -> None:
    check_finding(rule, field, words, edited(on_premises, edit))


def check_finding(rule: str, field: str, words: str, tree: dict[str, Any]) -> None:
    findings = check_tree(tree, ROOT).findings
    assert {finding.rule for finding in findings} == {rule}, [str(finding) for finding in findings]
    assert any(words in finding.message and field == finding.field for finding in findings), findings


@pytest.mark.parametrize("edit", SAME)
def test_other_way_to_say_the_same_has_no_finding(edit: Edit, shipped: dict[str, Any]) -> None:
    assert check_tree(edited(shipped, edit), ROOT).findings == ()


def test_every_rule_is_shown_to_fail() -> None:
    broken = [*BROKEN_STRUCTURE, *BROKEN, *BROKEN_ON_PREMISES]
    assert {rule for rule, *_ in broken} == {*STRUCTURE, *RULES}


@pytest.mark.parametrize("scheduling", [[{"preemptible": True}], {"provisioningModel": "SPOT"}])
def test_spot_head_of_gcp_is_found(scheduling: Any, on_gcp: dict[str, Any]) -> None:
    tree = edited(on_gcp, put(f"{HEAD}/node_config/scheduling", scheduling))
    field = "available_node_types.head.node_config.scheduling"
    message = "found a spot machine; remove it: only workers may be spot machines"
    assert check_tree(tree, ROOT).findings == (Finding("spot", field, message),)


@pytest.mark.parametrize("rubbish", [None, 0, "x", [], {}, [1], {"a": 1}])
def test_rubbish_in_fields_that_ray_does_not_check_has_no_finding(rubbish: Any, shipped: dict[str, Any]) -> None:
    keys = ("InstanceType", "ImageId", "InstanceMarketOptions", "scheduling", "KeyName")
    edits = [put(f"{node}/node_config/{key}", rubbish) for node in (HEAD, WORKER) for key in keys]
    assert check_tree(edited(shipped, *edits), ROOT).findings == ()


@pytest.mark.parametrize(
    ("text", "rule", "words"),
    [
        ("", "provider", "found nothing; valid providers: aws, gcp, local"),
        ("- a\n- b\n", "file", "expected a mapping of sections, found list"),
        ("cluster_name: [", "file", "not valid YAML"),
    ],
)
def test_file_that_is_no_cluster_file_is_a_finding(text: str, rule: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "cluster.yaml"
    path.write_text(text, encoding="utf-8")
    (finding,) = check_file(path).findings
    assert (finding.rule, words in finding.message) == (rule, True)


def test_missing_file_is_a_finding(tmp_path: Path) -> None:
    (finding,) = check_file(tmp_path / "none.yaml").findings
    assert "none.yaml: cannot be read: No such file or directory" in finding.message
