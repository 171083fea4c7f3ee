"""A study's file: what it holds, and what is refused with the reason."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.files.study import Study, read_study, study_from_tree
from trainables.config import ConfigError

TREE: dict[str, Any] = {
    "name": "pair",
    "summary": "Does it help?",
    "base": "digits",
    "arms": {"plain": {}, "noisy": {"objective.background_noise": 0.1}},
    "seeds": [3, 5],
    "metrics": ["val/accuracy"],
}


def study(**fields: Any) -> Study:
    return study_from_tree({**TREE, **fields}, source="pair.yaml")


def test_trials_are_every_arm_at_every_seed() -> None:
    assert study().trials == {
        "plain-s3": ("plain", 3),
        "noisy-s3": ("noisy", 3),
        "plain-s5": ("plain", 5),
        "noisy-s5": ("noisy", 5),
    }


def test_first_arm_is_the_reference_unless_another_is_named() -> None:
    assert study().compared_with == "plain"
    assert study(reference="noisy").compared_with == "noisy"


def test_tags_name_study_arm_and_seed() -> None:
    assert study().tags("noisy-s5") == {
        "campaign.study": "pair",
        "campaign.arm": "noisy",
        "campaign.seed": "5",
    }


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"metric": ["val/accuracy"]}, "pair.yaml: metric: unknown field .*did you mean metrics"),
        ({"summary": ""}, "pair.yaml: summary: found ''"),
        ({"name": "a/b"}, "pair.yaml: name: found 'a/b'"),
        ({"arms": {"plain": {}}}, "pair.yaml: a study compares two arms or more; found arms = plain"),
        ({"arms": {"plain": {}, "a b": {}}}, "pair.yaml: arms.a b: found 'a b'; string should match pattern"),
        ({"arms": {"plain": {}, "noisy": None}}, "pair.yaml: arms.noisy: found None; input should be a valid dict"),
        ({"arms": ["plain", "noisy"]}, "pair.yaml: arms: found .*; input should be a valid dictionary"),
        ({"reference": "other"}, "pair.yaml: reference = other is no arm; arms: plain, noisy"),
        ({"seeds": []}, "pair.yaml: seeds is empty; name at least one"),
        ({"seeds": [1, -1]}, "pair.yaml: seeds.1: found -1; input should be greater than or equal to 0"),
        ({"seeds": [True]}, "pair.yaml: seeds.0: found True; input should be a valid integer"),
        ({"seeds": [1, 2, 1]}, "pair.yaml: seeds has 1 twice; found seeds = 1, 2, 1"),
        ({"metrics": []}, "pair.yaml: metrics is empty"),
        ({"metrics": ["val/loss", "val/loss"]}, "pair.yaml: metrics has val/loss twice"),
        ({"set": {"seed": 1}}, "pair.yaml: set sets seed, which each of seeds = 3, 5 sets too"),
        (
            {"set": {"optim.learning_rate": float("inf")}},
            r"set\.optim\.learning_rate: found inf; every number .* finite",
        ),
        (
            {"arms": {"plain": {}, "noisy": {"objective.divergence": {"weight": float("nan")}}}},
            r"arms\.noisy\.objective\.divergence: found .*nan.*; every number of a config is finite",
        ),
        (
            {"arms": {"plain": {}, "noisy": {"objective.cutmix": None, "objective.cutmix.probability": 1}}},
            r"arms\.noisy sets objective\.cutmix and, within it, objective\.cutmix\.probability; keep one of them",
        ),
        ({"metrics": ["val/los?", "val/*"]}, r"metrics: found val/los\?; a pattern has \* for what differs"),
        ({"name": "a" * 101}, "pair.yaml: name: found 'aaa.*'; string should have at most 100"),
        ({"set": {"training": {"epochs": 3}}}, r"set\.training would reset the whole section; write training\.epochs"),
        (
            {"arms": {"plain": {}, "noisy": {"data": {"seed": 3}}}},
            r"arms\.noisy\.data would reset the whole section; write data\.seed",
        ),
        ({"arms": {"plain": {}, "Plain": {"seed": 2}}}, "arms = plain, Plain differ in case alone"),
        (
            {"arms": {"plain": {}, "other": {"data.seed": 1}}, "seed_fields": ["seed", "data.seed"]},
            "pair.yaml: arms.other sets data.seed, which each of seeds",
        ),
    ],
)
def test_what_makes_no_study_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        study(**fields)


@pytest.mark.parametrize("field", ["name", "summary", "base", "arms", "metrics"])
def test_what_lacks_is_named(field: str) -> None:
    with pytest.raises(ConfigError, match=f"pair.yaml: {field}: required, but not given"):
        study_from_tree({key: value for key, value in TREE.items() if key != field}, source="pair.yaml")


def test_every_problem_has_a_line() -> None:
    with pytest.raises(ConfigError) as caught:
        study(seeds=[1, "x"], metrics=3)
    assert len(str(caught.value).splitlines()) == 2


def test_some_arms_and_other_seeds() -> None:
    whole = study(arms={**TREE["arms"], "third": {"training.epochs": 3}})
    chosen = whole.only(arms=["third", "plain"], seeds=[7])
    assert list(chosen.arms) == ["plain", "third"]
    assert chosen.seeds == (7,)
    assert whole.only() == whole


def test_another_arm_to_compare_with_leaves_the_trials() -> None:
    whole = study(arms={**TREE["arms"], "third": {"training.epochs": 3}})
    chosen = whole.only(reference="noisy", arms=["third", "noisy"], seeds=[7])
    assert chosen.compared_with == "noisy"
    assert (list(chosen.arms), chosen.seeds) == (["noisy", "third"], (7,))
    assert whole.only(reference="noisy").trials == whole.trials


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"arms": ["plain", "loud"]}, "study pair has no arm loud; its arms: plain, noisy"),
        ({"arms": ["noisy"]}, "--arms noisy leaves out plain, which the arms of study pair are compared with"),
        ({"reference": "loud"}, "study pair: reference = loud is no arm; arms: plain, noisy"),
        ({"arms": ["plain"]}, "study pair: a study compares two arms or more; found arms = plain"),
        ({"seeds": [1, 1]}, "study pair: seeds has 1 twice"),
        ({"seeds": [-1]}, "study pair: seeds.0: found -1"),
    ],
)
def test_choice_that_leaves_no_study_is_refused(chosen: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        study().only(**chosen)


def test_study_of_the_users_own_finds_a_base_beside_it(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("seed: 7\n", encoding="utf-8")
    path = tmp_path / "pair.yaml"
    path.write_text(yaml.safe_dump({**TREE, "base": "mine.yaml"}), encoding="utf-8")
    assert read_study(str(path)).base == str(tmp_path / "mine.yaml")


def test_unknown_study_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ConfigError, match=r"no study 'digit'; valid names: .*digits-shortcut.*, or the path of a YAML"):
        read_study("digit")


def test_key_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pair.yaml"
    path.write_text("name: pair\narms: {plain: {}, plain: {}}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="the key plain is there twice"):
        read_study(str(path))


def test_names_of_earlier_versions_are_read() -> None:
    old = study(set={"evaluation.suite.pictures.gallery_images": 2}, arms={"a": {}, "b": {"data.masked_repeats": 3}})
    assert old.set == {"evaluation.suite.images.gallery_images": 2}
    assert old.arms == {"a": {}, "b": {"data.oversample_masked": 3}}
