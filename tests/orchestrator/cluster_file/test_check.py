"""The shipped cluster file passes, and every way in which it is broken here has the right words, and those only."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.cluster_file import FORM, RULES, check_file, check_tree
from tests.orchestrator.cluster_file.broken import BROKEN, BROKEN_ON_PREMISES, HEAD, WORKER
from tests.orchestrator.cluster_file.broken_addresses import BROKEN_ADDRESSES, RIGHT_ADDRESSES
from tests.orchestrator.cluster_file.broken_commands import BROKEN_COMMANDS, RIGHT_COMMANDS
from tests.orchestrator.cluster_file.editing import Edit, edited, put, swap

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("tree", ["shipped", "on_premises", "on_gcp"])
def test_file_that_ships_or_is_shown_has_no_finding(tree: str, request: pytest.FixtureRequest) -> None:
    assert check_tree(request.getfixturevalue(tree), ROOT).findings == ()


def test_shipped_file_is_what_ray_accepts() -> None:
    import yaml
    from ray.autoscaler._private.util import prepare_config, validate_config

    validate_config(prepare_config(yaml.safe_load((ROOT / "cluster.yaml").read_text(encoding="utf-8"))))


@pytest.mark.parametrize(("rule", "edit", "field", "words"), [*BROKEN, *BROKEN_ADDRESSES, *BROKEN_COMMANDS])
def test_broken_file_has_that_finding_only(
    rule: str, edit: Edit, field: str, words: str, shipped: dict[str, Any]
) -> None:
    check_finding(rule, field, words, edited(shipped, edit))


@pytest.mark.parametrize("edit", [*RIGHT_ADDRESSES, *RIGHT_COMMANDS])
def test_other_way_to_say_the_same_has_no_finding(edit: Edit, shipped: dict[str, Any]) -> None:
    assert check_tree(edited(shipped, edit), ROOT).findings == ()


@pytest.mark.parametrize(("rule", "edit", "field", "words"), BROKEN_ON_PREMISES)
def test_broken_file_of_own_machines_has_that_finding_only(
    rule: str, edit: Edit, field: str, words: str, on_premises: dict[str, Any]
) -> None:
    check_finding(rule, field, words, edited(on_premises, edit))


def check_finding(rule: str, field: str, words: str, tree: dict[str, Any]) -> None:
    findings = check_tree(tree, ROOT).findings
    assert {finding.rule for finding in findings} == {rule}, [str(finding) for finding in findings]
    assert any(words in finding.message and field in ("", finding.field) for finding in findings), findings


def test_spot_head_of_gcp_is_found(on_gcp: dict[str, Any]) -> None:
    for scheduling in ([{"preemptible": True}], {"provisioningModel": "SPOT"}):
        tree = edited(on_gcp, put(f"{HEAD}/node_config/scheduling", scheduling))
        assert [finding.rule for finding in check_tree(tree, ROOT).findings] == ["spot"]


def test_every_rule_is_shown_to_fail() -> None:
    assert {rule for rule, *_ in (*BROKEN, *BROKEN_COMMANDS, *BROKEN_ON_PREMISES)} == {*FORM, *RULES}


def test_lock_of_another_ray_is_found(shipped: dict[str, Any], tmp_path: Path) -> None:
    lock = tmp_path / "constraints.txt"
    lock.write_text("ray==2.59.0\n", encoding="utf-8")
    tree = edited(shipped, lambda tree: tree["file_mounts"].update({"~/campaign/constraints.txt": str(lock)}))
    (finding, *others) = check_tree(tree, ROOT).findings
    assert (finding.rule, finding.field) == ("ray_version", "file_mounts.~/campaign/constraints.txt")
    assert "found Ray 2.59.0 for head, and here is " in finding.message
    assert [other.rule for other in others] == ["ray_version"]


def test_commands_of_a_worker_type_stand_for_the_common_ones(shipped: dict[str, Any]) -> None:
    tree = edited(shipped, put(f"{WORKER}/initialization_commands", ["true"]))
    (finding,) = check_tree(tree, ROOT).findings
    assert finding.message.startswith("found no shared file system on gpu_worker")


def test_password_in_an_address_is_not_shown(shipped: dict[str, Any]) -> None:
    for kind in ("postgresql", "http"):
        tree = edited(shipped, swap("setup_commands", "http://$head:5000", f"{kind}://me:hunter2@127.0.0.1/x"))
        findings = check_tree(tree, ROOT).findings
        assert {finding.rule for finding in findings} >= {"tracking", "secrets"}
        assert "hunter2" not in " ".join(map(str, findings))


@pytest.mark.parametrize("rubbish", [None, 0, "x", [], {}, [1], {"a": 1}])
def test_rubbish_where_ray_looks_at_nothing_is_survived(rubbish: Any, shipped: dict[str, Any]) -> None:
    places = ("InstanceType", "ImageId", "InstanceMarketOptions", "scheduling", "guestAccelerators", "KeyName")
    edits = [put(f"{node}/node_config/{key}", rubbish) for node in (HEAD, WORKER) for key in places]
    rule = {"IpRanges": rubbish, "Ipv6Ranges": [rubbish, {"CidrIpv6": rubbish}], "FromPort": rubbish}
    edits.append(put("provider/security_group", {"IpPermissions": [rubbish, rule]}))
    checked = check_tree(edited(shipped, *edits), ROOT)
    assert {finding.rule for finding in checked.findings} <= {"image", "instance"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "found nothing in it"),
        ("# nothing\n", "found nothing in it"),
        ("- a\n- b\n", "expected a mapping of sections, found list"),
        ("cluster_name: [", "not valid YAML"),
        ("\x00", "not valid YAML"),
    ],
)
def test_file_that_is_no_cluster_file_is_a_finding(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "cluster.yaml"
    path.write_text(text, encoding="utf-8")
    (finding,) = check_file(path).findings
    assert (finding.rule, words in finding.message) == ("file", True)


def test_missing_file_is_a_finding(tmp_path: Path) -> None:
    (finding,) = check_file(tmp_path / "none.yaml").findings
    assert "none.yaml: cannot be read: No such file or directory" in finding.message


def test_what_is_left_to_do_is_told(shipped: dict[str, Any]) -> None:
    tree = edited(shipped, put("file_mounts/~|.ray|auth_token", "no/such/auth_token"))
    told = check_tree(tree, ROOT).to_do
    assert "available_node_types.head.node_config.ImageId: fill in ami-FILL-IN" in told
    assert "initialization_commands[1]: fill in fs-FILL-IN.efs.us-west-2.amazonaws.com:/" in told
    assert "head_start_ray_commands[2]: fill in s3://FILL-IN/mlflow" in told
    assert "file_mounts.~/.ray/auth_token: make no/such/auth_token with: ray get-auth-token --generate" in told
    filled = edited(shipped, lambda tree: tree.update(_without_blanks(tree)))
    assert [line for line in check_tree(filled, ROOT).to_do if "fill in" in line] == []


def _without_blanks(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_blanks(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_blanks(item) for item in value]
    return value.replace("FILL-IN", "0123") if isinstance(value, str) else value
