"""From a command's arguments to the frozen config of a sweep."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from orchestrator.files.space_sweep import SearchOptions, sweep_of_space
from orchestrator.files.sweep_config import SweepConfig, read_sweep_config, sweep_yaml
from orchestrator.files.sweep_folder import SweepFolder
from orchestrator.launch.preflight import check_points
from search_spaces import SPACES, overrides_of
from tests.trainables.models.test_own_network import write as write_network
from trainables.config import ConfigError, read_tree

SPACE = "digits-background-weight"
MINE = """
from search_spaces import Goal, Space
SPACE = Space(name="mine", summary="-", base="digits", suggest=print, num_trials=2, asha=True,
              goals=(Goal("val/accuracy", "max"),))
"""


def test_what_is_left_out_is_the_spaces_own() -> None:
    config = sweep_of_space(SPACE)
    assert (config.campaign, config.space, config.num_trials) == (SPACE, SPACE, SPACES[SPACE].num_trials)
    assert [(goal.metric, goal.direction) for goal in config.goals] == [("val/worst_group_accuracy", "max")]
    assert config.experiment().training.epochs == 8


def test_assignments_change_the_base_and_points_change_the_experiment() -> None:
    config = sweep_of_space(SPACE, assignments=["training.epochs=3", "seed=5"])
    experiment = config.experiment({"optim.learning_rate": 0.5})
    assert (experiment.training.epochs, experiment.seed, experiment.optim.learning_rate) == (3, 5, 0.5)


SWITCHING = """
from search_spaces import Goal, Space
def suggest(trial):
    kind = trial.suggest_categorical("objective.kind", ["cross_entropy", "contrastive"])
    if kind == "contrastive":
        trial.suggest_float("objective.background_weight", 0.1, 1)
    if trial.suggest_categorical("divergence", [False, True]):
        trial.suggest_float("objective.divergence.weight", 1, 9)
    trial.suggest_float("optim.learning_rate", 1e-4, 1e-2)
SPACE = Space(name="switching", summary="-", base="digits", suggest=suggest, num_trials=2,
              goals=(Goal("val/accuracy", "max"),))
"""


@pytest.fixture
def switching(tmp_path: Path) -> str:
    """A space that chooses the objective's kind and switches one of its regularisers."""
    (tmp_path / "switching.py").write_text(SWITCHING, encoding="utf-8")
    return str(tmp_path / "switching.py")


NETWORKS = """
from search_spaces import Goal, Space
def suggest(trial):
    trial.suggest_categorical("model.kind", ["small_cnn", "my_net.py:MyNet"])
SPACE = Space(name="networks", summary="-", base="digits", suggest=suggest, num_trials=2,
              goals=(Goal("val/accuracy", "max"),))
"""


def test_files_of_networks_that_a_space_chooses_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "networks.py").write_text(NETWORKS, encoding="utf-8")
    path = write_network(tmp_path)
    text = path.read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    config = sweep_of_space("networks.py")
    path.write_text(text.replace("ReLU", "GELU"), encoding="utf-8")
    assert sweep_of_space("networks.py").name != config.name
    path.unlink()
    monkeypatch.chdir(path.root)
    again = SweepConfig.model_validate(config.model_dump(mode="json"))
    model = again.experiment({"model.kind": "my_net.py:MyNet"}).model
    assert (model.file, model.name, model.source) == (str(path), "MyNet", text)
    assert again.experiment({"model.kind": "small_cnn"}).model.kind == "small_cnn"


def test_an_assignment_holds_at_every_point(switching: str) -> None:
    """Also where the point's kind starts the section anew."""
    given = ["objective.background_noise=0.2", "objective.cutmix.probability=0.5", "training.epochs=3"]
    config = sweep_of_space(switching, assignments=given)
    for kind in ("cross_entropy", "contrastive"):
        for point in ({}, {"objective.divergence.weight": 5}):
            experiment = config.experiment({"objective.kind": kind, **point})
            assert (experiment.objective.kind, experiment.objective.background_noise) == (kind, 0.2)
            assert experiment.objective.cutmix is not None
            assert (experiment.objective.divergence is not None) == bool(point)
            assert experiment.training.epochs == 3
    assert set(config.set) == {"objective.background_noise", "objective.cutmix.probability"}
    assert sweep_of_space(switching).name != config.name


@pytest.mark.parametrize(
    ("assignment", "searched"),
    [
        ("optim.learning_rate=0.1", "optim.learning_rate"),
        ("objective.kind=contrastive", "objective.kind"),
        ("objective.divergence.weight=3", "objective.divergence.weight"),
        ("objective.divergence.map_scale=3", "objective.divergence.weight"),
        ("objective.divergence={weight: 3}", "objective.divergence.weight"),
        ("objective.divergence=null", "objective.divergence.weight"),
    ],
)
def test_an_assignment_of_what_the_space_decides_is_refused(switching: str, assignment: str, searched: str) -> None:
    field = assignment.partition("=")[0]
    with pytest.raises(ConfigError, match=rf"--set {field}: space switching searches {searched}; leave it out"):
        sweep_of_space(switching, assignments=[assignment])


def test_name_follows_from_what_is_searched() -> None:
    name = sweep_of_space(SPACE).name
    assert name.startswith(f"{SPACE}-")
    assert sweep_of_space(SPACE, max_concurrent=1, max_failures=5).name == name
    others = {
        sweep_of_space(SPACE, seed=1).name,
        sweep_of_space(SPACE, num_trials=3).name,
        sweep_of_space(SPACE, assignments=["seed=1"]).name,
        sweep_of_space(SPACE, asha=True).name,
    }
    assert len(others | {name}) == 5


def test_sampler_and_constraints_make_another_sweep_and_limits_do_not() -> None:
    plain = sweep_of_space(SPACE)
    by_options = {
        sweep_of_space(SPACE, search=SearchOptions(sampler="random")).name,
        sweep_of_space(SPACE, search=SearchOptions(constraints=["val/accuracy >= 0.5"])).name,
    }
    limited = sweep_of_space(SPACE, search=SearchOptions(time_budget_s=60.0, stop_when=["no improvement for 3 trials"]))
    assert len(by_options | {plain.name}) == 3
    assert (limited.name, limited.identity) == (plain.name, plain.identity)
    assert limited.stop_when == ("no improvement for 3",)
    assert sweep_of_space(SPACE, search=SearchOptions(sampler="tpe")) == plain


def test_config_of_an_earlier_version_has_the_same_identity(tmp_path: Path) -> None:
    config = sweep_of_space(SPACE)
    new = {"sampler", "constraints", "time_budget_s", "stop_when"}
    tree = {key: value for key, value in config.model_dump(mode="json").items() if key not in new}
    path = tmp_path / "sweep.yaml"
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    assert read_sweep_config(path) == config
    assert not new & config.identity.keys()


def test_grid_has_as_many_trials_as_points(tmp_path: Path) -> None:
    path = tmp_path / "grid.yaml"
    path.write_text(
        "base: digits\ngoals: {val/accuracy: max}\nnum_trials: 2\nparameters:\n"
        "  training.epochs: {type: int, low: 2, high: 7}\nfirst_points: [{training.epochs: 3}]\n",
        encoding="utf-8",
    )
    grid = SearchOptions(sampler="grid")
    config = sweep_of_space(str(path), search=grid)
    assert (config.num_trials, sweep_of_space(str(path), num_trials=4, search=grid).num_trials) == (6, 4)
    message = "sampler grid has 6 points, first points included, and 7 trials were asked for"
    with pytest.raises(ConfigError, match=message):
        sweep_of_space(str(path), num_trials=7, search=grid)
    folder = SweepFolder.of(tmp_path, config.name)
    folder.claim(config)
    with pytest.raises(ConfigError, match=message):
        folder.extend(1)


def test_constraints_add_to_those_of_the_space_and_read_as_written() -> None:
    config = sweep_of_space(SPACE, search=SearchOptions(constraints=["val/loss <= 2", "val/loss <= 2"]))
    assert list(map(str, config.constraints)) == ["val/loss <= 2"]
    assert config.searched_space.constraints == config.constraints


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"constraints": ["val/acuracy >= 1"]},
            "constraint val/acuracy >= 1: the metric val/acuracy is reported by no trial",
        ),
        (
            {"stop_when": ["val/acuracy >= 1"]},
            "--stop-when: the metric val/acuracy is reported by no trial, or neither",
        ),
        (
            {"constraints": ["test/accuracy >= 0.9"]},
            "the metric test/accuracy is measured on the test images, which are only reported; choose by val/accuracy",
        ),
        (
            {"stop_when": ["shift/a/accuracy >= 0.9"]},
            "--stop-when: the metric shift/a/accuracy is measured on a shifted",
        ),
    ],
)
def test_metric_that_nothing_reports_is_refused_in_options_too(options: dict[str, list[str]], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        sweep_of_space(SPACE, search=SearchOptions(**options))  # type: ignore[arg-type]


def test_asha_with_constraints_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"--asha compares trials by the goal alone, but space .* has constr"):
        sweep_of_space(SPACE, asha=True, search=SearchOptions(constraints=["val/loss <= 2"]))


def test_config_round_trips_through_its_file(tmp_path: Path) -> None:
    search = SearchOptions("gp", ["val/loss <= 2"], 60.0, ["no improvement for 3", "val/accuracy >= 0.5"])
    config = sweep_of_space(SPACE, name="a", num_trials=3, search=search, max_concurrent=2, max_failures=5)
    assert (config.max_concurrent, config.max_failures) == (2, 5)
    path = tmp_path / "sweep.yaml"
    path.write_text(sweep_yaml(config), encoding="utf-8")
    assert read_sweep_config(path) == config


def test_a_sweep_may_have_mean_average_precision_for_a_goal(tmp_path: Path) -> None:
    space = tmp_path / "voc.py"
    space.write_text(MINE.replace('"digits"', '"pascal-voc"').replace("val/accuracy", "val/mean_average_precision"))
    config = sweep_of_space(str(space))
    assert [(goal.metric, goal.direction) for goal in config.goals] == [("val/mean_average_precision", "max")]
    assert config.experiment().data.kind == "pascal_voc"


def test_space_file_is_kept_by_its_full_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text(MINE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    config = sweep_of_space("mine.py")
    assert config.space == str(tmp_path / "mine.py")
    assert config.campaign == "mine"
    assert config.asha
    assert not sweep_of_space("mine.py", asha=False).asha


@pytest.mark.parametrize("name", ["a/b", "", " a", "../a", ".hidden", "a b"])
def test_name_that_is_no_folder_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=r"sweep: campaign: found"):
        sweep_of_space(SPACE, name="a", campaign=name or " ")


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        (
            "optim.rate=1",
            r"space digits-background-weight: optim\.rate: unknown field .* valid fields: .*learning_rate",
        ),
        ("training.epochs=many", r"training\.epochs: found 'many'; "),
        ("optim.warmup_epochs=8", r"optim\.warmup_epochs = 8\.0 must be below training\.epochs = 8"),
    ],
)
def test_base_that_is_no_experiment_is_refused(assignment: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        sweep_of_space(SPACE, assignments=[assignment])


@pytest.mark.parametrize(
    ("space", "assignments", "message"),
    [
        ("pets-species", [], "space pets-species has 2 goals: val/accuracy"),
        (SPACE, ["training.epochs=2"], r"training\.epochs = 2 leaves nothing to stop; it needs at least 3"),
    ],
)
def test_asha_that_could_stop_nothing_is_refused(space: str, assignments: list[str], message: str) -> None:
    assert not sweep_of_space(space, assignments=assignments).asha
    with pytest.raises(ConfigError, match=message):
        sweep_of_space(space, assignments=assignments, asha=True)


EMBEDDING = """
from search_spaces import Goal, Space
def suggest(trial): trial.suggest_categorical("objective.kind", ["cross_entropy", "supcon"])
SPACE = Space(name="embedding", summary="-", base="digits", suggest=suggest, num_trials=2,
              goals=(Goal("{goal}", "max"),))
"""
NO_SHIFT = "evaluation.shift_every_epoch=false"


@pytest.fixture
def embedding(tmp_path: Path) -> Callable[[str], str]:
    """Return a function that writes a space with a goal, in which some trials train an embedding; returns its path."""

    def write(goal: str) -> str:
        (tmp_path / "embedding.py").write_text(EMBEDDING.format(goal=goal), encoding="utf-8")
        return str(tmp_path / "embedding.py")

    return write


@pytest.mark.parametrize(("every", "shown"), [(None, "null"), (2, "2")])
def test_asha_needs_a_classifier_after_each_epoch(
    embedding: Callable[[str], str], every: int | None, shown: str
) -> None:
    space = embedding("val/accuracy")
    point = {"objective.kind": "supcon", "objective.fit_every_epochs": every}
    sweep_of_space(space, assignments=[NO_SHIFT]).experiment(point)
    config = sweep_of_space(space, assignments=[NO_SHIFT], asha=True)
    config.experiment({"objective.kind": "cross_entropy"})
    config.experiment({**point, "objective.fit_every_epochs": 1})
    with pytest.raises(
        ConfigError, match=rf"--asha compares trials by val/accuracy after each epoch, .* {shown}; set it to 1"
    ):
        config.experiment(point)
    with pytest.raises(ConfigError, match=r"objective\.fit_every_epochs = null; set it to 1"):
        check_points(config)


def test_asha_may_compare_the_training_loss_of_embeddings(embedding: Callable[[str], str]) -> None:
    check_points(sweep_of_space(embedding("train/loss"), assignments=[NO_SHIFT], asha=True))


def test_a_goal_that_an_embedding_does_not_report_is_refused(embedding: Callable[[str], str]) -> None:
    config = sweep_of_space(embedding("train/accuracy"), assignments=[NO_SHIFT])
    with pytest.raises(ConfigError, match=r"train/accuracy is not reported by objective\.kind = supcon"):
        check_points(config)


def test_file_with_another_field_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text(sweep_yaml(sweep_of_space(SPACE, name="a")) + "trials: 3\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"sweep\.yaml: trials: unknown field .*num_trials"):
        read_sweep_config(path)


def test_goal_that_nothing_reports_is_refused(tmp_path: Path) -> None:
    space = tmp_path / "typo.py"
    space.write_text(
        "from search_spaces import Goal, Space\n"
        "def suggest(trial): trial.suggest_float('optim.learning_rate', 1e-4, 1e-2)\n"
        "SPACE = Space(name='typo', summary='', base='digits', suggest=suggest, num_trials=1,\n"
        "              goals=(Goal('val/acuracy', 'max'),))\n"
    )
    with pytest.raises(
        ConfigError, match=r"its goal val/acuracy is reported by no trial, or .*; valid metrics: .*val/accuracy"
    ):
        sweep_of_space(str(space))


def test_names_of_earlier_versions_are_read_and_leave_the_sweep_the_same(tmp_path: Path) -> None:
    config = sweep_of_space(SPACE, name="old", assignments=["evaluation.suite.images.gallery_images=3"])
    text = sweep_yaml(config)
    old = text.replace("images:\n", "pictures:\n")
    assert old != text
    (tmp_path / "sweep.yaml").write_text(old, encoding="utf-8")
    assert read_sweep_config(tmp_path / "sweep.yaml") == config
    assert sweep_of_space(SPACE, name="old", assignments=["evaluation.suite.pictures.gallery_images=3"]) == config


def test_default_name_stays() -> None:
    """Taken from the first commit with three splits: the same command continues its sweep."""
    assert sweep_of_space(SPACE).name == f"{SPACE}-41cbe373"
    assert sweep_of_space(SPACE, assignments=["evaluation.suite.sample=9"]).name == f"{SPACE}-612b6c4f"


def test_sweep_of_an_earlier_version_continues_with_the_base_that_it_has(tmp_path: Path) -> None:
    """Without fields that were added later, and with a default that was changed."""
    config = sweep_of_space(SPACE, name="old")
    folder = SweepFolder.of(tmp_path, "old")
    folder.claim(config)
    folder.trial("0000").claim(config.experiment({"optim.learning_rate": 1e-3}))
    tree = read_tree(folder.config_path)
    del tree["base"]["training"]["sync_batchnorm"], tree["base"]["optim"]["decay_biases_and_norms"]
    tree["base"]["evaluation"]["suite"]["adversarial"]["square_queries"] = 200
    folder.config_path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    folder.claim(config.model_copy(update={"max_concurrent": 3}))
    assert folder.config().max_concurrent == 3
    assert folder.config().base == tree["base"] != config.base
    decayed = sweep_of_space(SPACE, name="old", assignments=["optim.decay_biases_and_norms=true"])
    with pytest.raises(ConfigError, match="there is a sweep 'old' already, with other base"):
        folder.claim(decayed)


RENAMED_SPACE = """
from search_spaces import Goal, Space
def suggest(trial):
    trial.suggest_int("data.masked_repeats", 1, 9)
SPACE = Space(name="renamed", summary="-", base="imagenet-s", suggest=suggest, num_trials=2,
              goals=(Goal("val/accuracy", "max"),))
"""


def test_space_may_suggest_a_setting_by_its_old_name(tmp_path: Path) -> None:
    path = tmp_path / "renamed.py"
    path.write_text(RENAMED_SPACE, encoding="utf-8")
    config = sweep_of_space(str(path), assignments=["data.root=/data"])
    assert config.experiment(overrides_of({"data.masked_repeats": 7})).data.oversample_masked == 7
    for name in ("data.masked_repeats", "data.oversample_masked"):
        with pytest.raises(ConfigError, match=r"space renamed searches data\.oversample_masked; leave it out"):
            sweep_of_space(str(path), assignments=["data.root=/data", f"{name}=2"])


def test_sweep_of_one_epoch_clips_the_default_warm_up() -> None:
    config = sweep_of_space(SPACE, assignments=["training.epochs=1"])
    assert config.base["optim"]["warmup_epochs"] == 0.5
    assert config.experiment({"optim.learning_rate": 0.5}).optim.warmup_epochs == 0.5
    eight = sweep_of_space(SPACE)
    assert eight.experiment({"training.epochs": 1}).optim.warmup_epochs == 0.5
    assert eight.experiment({"training.epochs": 2}).optim.warmup_epochs == 1.0


GOAL = """
from search_spaces import Goal, Space
def suggest(trial): trial.suggest_float("optim.learning_rate", 1e-4, 1e-2)
SPACE = Space(name="mine", summary="-", base="{base}", suggest=suggest, num_trials=2, goals=(Goal("{goal}", "max"),))
"""


@pytest.mark.parametrize(
    ("goal", "base", "message"),
    [
        ("test/accuracy", "digits", "its goal test/accuracy is measured on the test images, .* choose by val/accuracy"),
        (
            "shift/random_background/accuracy",
            "digits",
            "its goal shift/random_background/accuracy is measured on a shifted test set, which is only reported; "
            "choose by val/worst_group_accuracy",
        ),
        ("val/background/rfs", "digits", "its goal val/background/rfs is reported by no trial"),
        ("background/rfs", "digits", "its goal val/background/rfs is reported by no trial"),
        ("val/acuracy", "digits", "is reported by no trial, .* valid metrics: train/loss, train/accuracy, val/loss"),
        ("val/worst_group_accuracy", "imagenet-s", "needs groups .* data.kind = imagenet_s does not have"),
        ("val/group_gap/place", "digits", "needs groups .* data.kind = spurious_digits does not have"),
        ("val/shift/a/accuracy", "imagenet-s", "needs groups or a shifted validation set"),
    ],
)
def test_goals_by_which_nothing_may_be_chosen_are_refused(tmp_path: Path, goal: str, base: str, message: str) -> None:
    path = tmp_path / "mine.py"
    path.write_text(GOAL.format(goal=goal, base=base), encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        sweep_of_space(str(path))


def test_a_goal_of_an_earlier_version_has_its_name_of_today(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(GOAL.format(goal="background/influence_share", base="digits"), encoding="utf-8")
    (goal,) = sweep_of_space(str(path)).goals
    assert goal.metric == "val/background/influence_share"


def test_a_stored_sweep_on_a_shifted_test_set_is_still_read(tmp_path: Path) -> None:
    tree = sweep_of_space(SPACE, name="old").model_dump(mode="json")
    tree["goals"] = [{"metric": "shift/random_background/accuracy", "direction": "max"}]
    del tree["base"]["data"]["validation"]
    path = tmp_path / "sweep.yaml"
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    config = read_sweep_config(path)
    assert config.goals[0].metric == "shift/random_background/accuracy"
    assert config.experiment().data.validation.source == "held_out"
