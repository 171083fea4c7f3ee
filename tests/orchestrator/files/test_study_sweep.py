"""A study as a sweep: which trials it has, what they differ in, and what is refused before anything runs."""

from pathlib import Path
from typing import Any

import pytest

import search_spaces
from orchestrator.files.study import Study, read_study, study_from_tree
from orchestrator.files.study_sweep import prepare_study, study_evaluations, study_trials, sweep_of_study
from orchestrator.files.sweep_config import SweepConfig, read_sweep_config, sweep_yaml
from orchestrator.files.sweep_folder import SweepFolder
from tests.trainables.models.test_own_network import write as write_network
from trainables.config import ConfigError, config_hash
from trainables.evaluations import QUICK

STUDIES = Path(search_spaces.__file__).parent / "studies"
SHIPPED = sorted(STUDIES.rglob("*.yaml"))
SHIFT = "unseen_textures"
CONTRASTIVE = {"objective.kind": "contrastive", "objective.divergence": {"weight": 0.1}}


def study(**fields: Any) -> Study:
    tree: dict[str, Any] = {
        "name": "pair",
        "summary": "Does it help?",
        "base": "digits",
        "arms": {"plain": {}, "contrastive": CONTRASTIVE},
        "seeds": [3, 5],
        "metrics": ["val/accuracy"],
    }
    return study_from_tree({**tree, **fields}, source="pair.yaml")


def sweep(*assignments: str, **fields: Any) -> SweepConfig:
    return sweep_of_study(study(**fields), assignments=assignments)


def test_every_shipped_study_is_found() -> None:
    assert {path.stem for path in SHIPPED} >= {"digits-shortcut", "pets-species", "pets-breeds", "scl-vs-ce"}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(STUDIES)))
def test_every_arm_of_a_shipped_study_is_a_valid_experiment(path: Path) -> None:
    found = read_study(path.stem)
    config = sweep_of_study(found)
    assert found.name == path.stem
    assert len(study_trials(config)) == len(found.arms) * len(found.seeds) == config.num_trials
    assert found.seeds == (0, 1, 2, 3, 4)


def test_arm_and_seed_are_set_on_the_base() -> None:
    trials = study_trials(sweep("training.epochs=2", set={"data.num_train": 100}, seed_fields=["seed", "data.seed"]))
    assert {key: (trial.seed, trial.data.seed) for key, trial in trials.items()} == {
        "plain-s3": (3, 3),
        "contrastive-s3": (3, 3),
        "plain-s5": (5, 5),
        "contrastive-s5": (5, 5),
    }
    assert {trial.data.num_train for trial in trials.values()} == {100}
    assert {trial.training.epochs for trial in trials.values()} == {2}
    assert trials["contrastive-s5"].objective.kind == "contrastive"
    assert trials["contrastive-s5"].objective.divergence is not None
    assert trials["plain-s5"].objective.kind == "cross_entropy"


def test_part_that_the_base_switches_off_can_be_set_by_one_of_its_fields() -> None:
    trials = study_trials(sweep(arms={"plain": {}, "kl": {"objective.divergence.weight": 2}}))
    assert trials["kl-s3"].objective.divergence.weight == 2


def test_same_study_has_the_same_name_and_another_another_one() -> None:
    assert sweep().name == sweep().name
    assert sweep().name.startswith("pair-")
    names = {sweep().name, sweep(seeds=[3]).name, sweep("training.epochs=2").name, sweep(set={"data.seed": 1}).name}
    assert len(names) == 4


def test_default_seeds_are_five_and_a_stored_study_keeps_its_own(tmp_path: Path) -> None:
    tree = study().model_dump(exclude={"seeds"})
    assert study_from_tree(tree, source="pair.yaml").seeds == (0, 1, 2, 3, 4)
    folder = SweepFolder.of(tmp_path, "pair")
    prepare_study(folder, sweep_of_study(study(seeds=[0, 1, 2])))
    assert folder.config().study.seeds == (0, 1, 2)
    assert len(folder.trial_ids()) == 6


def test_files_of_networks_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "other").mkdir()
    path = write_network(tmp_path)
    text = path.read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    named = {"model.kind": "own", "model.file": "my_net.py", "model.name": "MyNet", "model.arguments.width": 4}
    arms = {"plain": {}, "short": {"model.kind": "my_net.py:MyNet"}, "named": named}
    config = sweep(arms=arms, seeds=[3])
    path.write_text(text.replace("ReLU", "GELU"), encoding="utf-8")
    assert sweep(arms=arms, seeds=[3]).name != config.name
    path.unlink()
    monkeypatch.chdir(tmp_path / "other")
    trials = study_trials(SweepConfig.model_validate(config.model_dump(mode="json")))
    models = [trials[trial_id].model for trial_id in ("short-s3", "named-s3")]
    assert [(model.file, model.name, model.source) for model in models] == [(str(path), "MyNet", text)] * 2
    assert sweep().files == {}


def test_what_is_measured_and_shown_is_no_part_of_the_name() -> None:
    shown = sweep(
        metrics=["test/background/rfs"], evaluations=["noise"], summary="Other words.", reference="contrastive"
    )
    assert shown.name == sweep().name
    assert sweep_of_study(study(), max_concurrent=1).name == sweep().name


def test_sweep_file_holds_the_study(tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text(sweep_yaml(sweep()), encoding="utf-8")
    assert read_sweep_config(path) == sweep()
    assert read_sweep_config(path).study == study()


def test_leaderboard_ranks_by_the_first_figure_that_training_reports() -> None:
    def goal(*metrics: str) -> tuple[str, str]:
        (found,) = sweep(metrics=list(metrics), evaluations=["background"]).goals
        return found.metric, found.direction

    assert goal("train/accuracy", "shift/*/accuracy", "test/background/influence_share") == (
        "val/background/influence_share",
        "min",
    )
    assert goal("test/background/rfs", f"shift/{SHIFT}/accuracy", "test/loss") == ("val/loss", "min")
    assert goal("train/accuracy") == ("val/accuracy", "max")


def test_what_all_arms_set_reaches_those_of_another_kind_too() -> None:
    noise = "objective.background_noise"
    trials = study_trials(sweep(f"{noise}=0.5", set={"objective.cutmix.probability": 0.25}))
    assert {trial.objective.background_noise for trial in trials.values()} == {0.5}
    assert {trial.objective.cutmix.probability for trial in trials.values()} == {0.25}
    arms = {"plain": {}, "contrastive": {**CONTRASTIVE, noise: 0.1}}
    trials = study_trials(sweep(f"{noise}=0.5", "objective.divergence.weight=9", arms=arms))
    found = {
        trial_id: (trial.objective.background_noise, trial.objective.divergence) for trial_id, trial in trials.items()
    }
    assert [(noise, part.weight) for noise, part in found.values()] == [(0.5, 9.0), (0.1, 0.1)] * 2


def test_what_an_arm_s_kind_has_not_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"study pair, arm embedded: objective\.divergence: unknown field"):
        sweep("objective.divergence.weight=1", arms={"plain": {}, "embedded": {"objective.kind": "supcon"}})


def test_accuracy_under_corruption_needs_no_shifted_set() -> None:
    metrics = ["val/accuracy", "shift/corruption/accuracy", "shift/corruption/gaussian_noise"]
    assert sweep(metrics=metrics, evaluations=["corruption"]).study is not None
    with pytest.raises(ConfigError, match="nothing reports metric shift/corruption/snow"):
        sweep(metrics=[*metrics, "shift/corruption/snow"], evaluations=["corruption"])


def test_shifted_set_that_the_data_have_not_is_named() -> None:
    with pytest.raises(ConfigError, match=r"shift/cats/accuracy names no shifted test set .* shift/random_background/"):
        sweep(metrics=["val/accuracy", "shift/cats/accuracy"])
    with pytest.raises(ConfigError, match=r"set sets seed, which each of seeds = 3, 5 sets too"):
        sweep("seed=3")


def test_evaluations_are_those_named_and_the_quick_ones() -> None:
    assert study_evaluations(study()) == QUICK
    chosen = study_evaluations(study(evaluations=["ood", "removal", "attribution-gradcam"]))
    assert set(chosen) == {*QUICK, "ood", "removal", "attribution-gradcam"}
    assert len(study_evaluations(study(evaluations=["full"]))) > 10


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"base": "digit"}, "no base config 'digit'; valid names: .*digits"),
        ({"set": {"training.epoch": 3}}, r"study pair, base digits: training\.epoch: unknown field"),
        ({"arms": {"plain": {}, "b": {"model.deep": 3}}}, r"study pair, arm b: model\.deep: unknown field"),
        ({"arms": {"plain": {}, "b": {"seed.x": 3}}}, r"study pair, arm b: seed\.x: seed is a value, not a section"),
        ({"arms": {"plain": {}, "b": {"objective.kind": "c"}}}, "study pair, arm b: objective.kind: found 'c'"),
        ({"seed_fields": ["seed", "data.sed"]}, r"study pair, arm plain: data\.sed: unknown field"),
        ({"arms": {"plain": {}, "b": {"resources.cpus": 2}}}, r"arm b: resources\.cpus = 2\.0, and arm plain has 1\.0"),
        ({"arms": {"plain": {}, "b": {}}}, "trials plain-s3 and b-s3 are the same experiment"),
        ({"seed_fields": ["evaluation.suite.seed"]}, "trials plain-s3 and plain-s5 are the same experiment"),
        ({"evaluations": ["rfs"]}, "study pair: evaluations: no suite or evaluation 'rfs'; valid: quick, full"),
        (
            {"metrics": ["background/rfs"], "evaluations": ["noise"]},
            "metric val/background/rfs is measured of the test images alone, at the study's end; write test/background",
        ),
        ({"metrics": ["val/acuracy"]}, "nothing reports metric val/acuracy; valid metrics: train/loss, "),
        (
            {"metrics": ["test/background/object_*"]},
            r"object_\* is reported by removal, which evaluations = none",
        ),
    ],
)
def test_what_cannot_run_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        sweep(**fields)


def test_pattern_that_an_evaluation_meets_is_taken() -> None:
    sweep(metrics=["test/background/object_*", "shift/*/accuracy", "train/*"], evaluations=["removal"])


def test_assignment_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"study pair, base digits: optim\.rate: unknown field"):
        sweep("optim.rate=1")


def test_folder_holds_every_trial_and_is_made_once(tmp_path: Path) -> None:
    config = sweep()
    folder = SweepFolder.of(tmp_path, config.name)
    for _ in range(2):
        prepare_study(folder, config)
        assert folder.unfinished() == sorted(study_trials(config))
    assert {key: config_hash(folder.trial(key).config()) for key in folder.trial_ids()} == {
        key: config_hash(trial) for key, trial in study_trials(config).items()
    }


def test_trial_that_is_not_there_is_made(tmp_path: Path) -> None:
    config = sweep()
    folder = SweepFolder.of(tmp_path, config.name)
    prepare_study(folder, config)
    folder.trial("plain-s5").config_path.unlink()
    prepare_study(folder, config)
    assert len(folder.trial_ids()) == 4


def test_table_of_a_study_that_ran_may_show_other_metrics(tmp_path: Path) -> None:
    config = sweep()
    folder = SweepFolder.of(tmp_path, config.name)
    prepare_study(folder, config)
    changed = sweep(metrics=["test/background/rfs"], evaluations=["noise"])
    prepare_study(folder, changed)
    assert folder.config() == changed


@pytest.mark.parametrize(
    "fields", [{"seeds": [3]}, {"arms": {"plain": {}, "noisy": {"objective.background_noise": 1}}}]
)
def test_other_study_of_the_same_name_is_refused(tmp_path: Path, fields: dict[str, Any]) -> None:
    folder = SweepFolder.of(tmp_path, "one")
    prepare_study(folder, sweep_of_study(study(), name="one"))
    with pytest.raises(ConfigError, match=r"there is a sweep 'one' already, with other .*study"):
        prepare_study(folder, sweep_of_study(study(**fields), name="one"))


def test_default_name_stays() -> None:
    """Taken from the first commit with three splits."""
    three = read_study("digits-budget").only(seeds=[0, 1, 2])
    assert sweep_of_study(three).name == "digits-budget-d60db91a"
    assert sweep_of_study(read_study("imagenet-s50"), assignments=["data.root=/data"]).name == "imagenet-s50-d70fd6e2"
