"""A sweep's study over several drivers: no trial and no point is lost, none is doubled."""

import shutil
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState
from ray.tune.search.optuna import OptunaSearch

from orchestrator.launch.search import TRIAL_ID, TrialSampler, build_search, check_optuna_study, open_optuna_study
from search_spaces import Goal, Space
from tests.harness.fault_message import NoteMessage
from trainables.config import ConfigError
from trainables.json_file import write_json
from trainables.trial_folder import FolderGoneError

GOAL = "val/accuracy"
RATE = "optim.learning_rate"


def suggest(trial: optuna.Trial) -> None:
    trial.suggest_float(RATE, 1e-4, 1.0, log=True)


SPACE = Space(
    name="rates",
    summary="-",
    base="digits",
    suggest=suggest,
    goals=(Goal(GOAL, "max"),),
    num_trials=4,
    first_points=({RATE: 0.5}, {RATE: 0.25}),
)


class Driver:
    """One driver's searcher, used as Tune does."""

    def __init__(self, sweep: Any, space: Space = SPACE) -> None:
        self._sweep = sweep
        self.search: OptunaSearch = build_search(sweep.folder, sweep.config, space)

    def ask(self, number: int = 1) -> list[str]:
        """Return the ids of the next trials; Tune's own ids are of no importance."""
        return [self.search.suggest(uuid.uuid4().hex)["trial_id"] for _ in range(number)]

    def finish(self, trial_id: str, value: float) -> None:
        self._sweep.complete(trial_id, {GOAL: value}, {RATE: self.rate(trial_id)})

    def rate(self, trial_id: str) -> float:
        return self._sweep.folder.trial(trial_id).config().optim.learning_rate  # type: ignore[no-any-return]


@pytest.fixture
def sweep(make_sweep: Callable[..., Any]) -> Any:
    return make_sweep(space="rates")


def states(sweep: Any) -> list[str]:
    return [trial.state.name for trial in open_optuna_study(sweep.folder, sweep.config).trials]


def test_first_points_come_first_and_become_folders(sweep: Any) -> None:
    driver = Driver(sweep)
    assert driver.ask(3) == ["0000", "0001", "0002"]
    assert [driver.rate(trial_id) for trial_id in ("0000", "0001")] == [0.5, 0.25]
    assert sweep.folder.unfinished() == ["0000", "0001", "0002"]


def test_no_more_first_points_are_queued_than_there_are_trials(make_sweep: Callable[..., Any]) -> None:
    sweep = make_sweep(space="rates", num_trials=1)
    assert Driver(sweep).ask() == ["0000"]
    assert Driver(sweep).ask() == ["0000"]


def test_first_points_beyond_the_number_of_trials_come_when_it_grows(make_sweep: Callable[..., Any]) -> None:
    sweep = make_sweep(space="rates", num_trials=1)
    first = Driver(sweep)
    first.finish(*first.ask(), 0.5)
    sweep.folder.extend(1)
    sweep.config = sweep.folder.config()
    second = Driver(sweep)
    assert [second.rate(trial_id) for trial_id in second.ask()] == [0.25]


def test_trials_that_a_driver_left_running_go_on_under_their_ids(sweep: Any) -> None:
    first = Driver(sweep)
    rates = {trial_id: first.rate(trial_id) for trial_id in first.ask(3)}
    first.finish("0001", 0.5)
    second = Driver(sweep)
    assert second.ask(2) == ["0000", "0002"]
    assert {trial_id: second.rate(trial_id) for trial_id in rates} == rates
    assert second.ask() == ["0003"]


def test_trials_go_on_under_their_ids_after_several_interruptions(sweep: Any) -> None:
    Driver(sweep).ask(3)
    for _ in range(3):
        assert {"0000", "0001", "0002"}.issuperset(Driver(sweep).ask(2))
    assert sorted(Driver(sweep).ask(3)) == ["0000", "0001", "0002"]


def test_optuna_learns_what_ended_without_its_driver(sweep: Any) -> None:
    first = Driver(sweep)
    first.ask(3)
    first.finish("0000", 0.25)
    sweep.start("0001", {RATE: first.rate("0001")}, epochs=1, **{GOAL: 0.125})
    sweep.folder.trial("0001").finish()
    sweep.folder.trial("0002").finish("OSError: disk full")
    build_search(sweep.folder, sweep.config, SPACE)
    trials = open_optuna_study(sweep.folder, sweep.config).trials
    assert [trial.state for trial in trials] == [TrialState.COMPLETE, TrialState.COMPLETE, TrialState.FAIL]
    assert [trial.values for trial in trials] == [[0.25], [0.125], None]
    assert sweep.folder.trial("0001").outcome().status == "stopped"


def test_value_that_is_not_finite_is_a_failure_and_is_not_tried_again(sweep: Any) -> None:
    first = Driver(sweep)
    (trial_id,) = first.ask()
    sweep.complete(trial_id, {GOAL: None}, {RATE: first.rate(trial_id)})
    assert Driver(sweep).ask() == ["0001"]
    assert states(sweep)[0] == "FAIL"


def test_trial_that_optuna_knows_as_ended_but_has_no_outcome_continues(sweep: Any) -> None:
    first = Driver(sweep)
    first.ask(1)
    open_optuna_study(sweep.folder, sweep.config).tell(0, 0.5)
    assert "0000" in Driver(sweep).ask(2)


def test_failed_trial_is_tried_again_when_asked_for(sweep: Any) -> None:
    first = Driver(sweep)
    first.ask(2)
    first.finish("0001", 0.5)
    sweep.folder.trial("0000").finish("OSError: disk full")
    open_optuna_study(sweep.folder, sweep.config).tell(0, state=TrialState.FAIL)
    assert Driver(sweep).ask() != ["0000"]
    sweep.folder.forget_failures()
    assert "0000" in Driver(sweep).ask(2)


def test_ended_trial_that_lost_its_last_checkpoint_continues(sweep: Any) -> None:
    first = Driver(sweep)
    rates = {trial_id: first.rate(trial_id) for trial_id in first.ask(2)}
    for trial_id in rates:
        first.finish(trial_id, 0.5)
    checkpoints = sweep.folder.trial("0000").checkpoints
    checkpoints.path.mkdir()
    checkpoints.previous_path.touch()
    second = Driver(sweep)
    assert "0000" in second.ask(2)
    assert second.rate("0000") == rates["0000"]


def test_point_whose_driver_died_before_sampling_is_kept(sweep: Any) -> None:
    Driver(sweep)
    open_optuna_study(sweep.folder, sweep.config).ask()
    second = Driver(sweep)
    asked = second.ask(2)
    assert sorted(second.rate(trial_id) for trial_id in asked) == [0.25, 0.5]
    assert sorted(asked) == ["0000", "0001"]


def test_first_points_of_a_driver_that_died_while_queueing_are_kept(sweep: Any) -> None:
    open_optuna_study(sweep.folder, sweep.config).enqueue_trial({RATE: 0.5})
    driver = Driver(sweep)
    assert [driver.rate(trial_id) for trial_id in driver.ask(2)] == [0.5, 0.25]


def test_trial_queued_again_by_a_driver_that_died_is_queued_once(sweep: Any) -> None:
    first = Driver(sweep)
    first.ask(1)
    open_optuna_study(sweep.folder, sweep.config).enqueue_trial({RATE: 0.5}, user_attrs={TRIAL_ID: "0000"})
    assert sorted(Driver(sweep).ask(2)) == ["0000", "0001"]


def test_restarted_driver_samples_other_points(sweep: Any) -> None:
    first = Driver(sweep)
    ids = first.ask(4)
    for trial_id in ids:
        first.finish(trial_id, 0.5)
    second = Driver(sweep)
    rates = [first.rate(trial_id) for trial_id in ids] + [second.rate(trial_id) for trial_id in second.ask(4)]
    assert len(set(rates)) == 8


def test_same_seed_samples_the_same_points(make_sweep: Callable[..., Any]) -> None:
    def rates(name: str, seed: int) -> list[float]:
        driver = Driver(make_sweep(name=name, seed=seed, space="rates"))
        return [driver.rate(trial_id) for trial_id in driver.ask(4)]

    assert rates("a", 0) == rates("b", 0)
    assert rates("a1", 0)[:2] == rates("c", 1)[:2]
    assert rates("a2", 0)[2:] != rates("c1", 1)[2:]


def test_interrupted_sweep_samples_the_points_of_one_that_never_stopped(make_sweep: Callable[..., Any]) -> None:
    straight, cut = make_sweep(name="straight", space="rates"), make_sweep(name="cut", space="rates")
    driver = Driver(straight)
    expected = {trial_id: driver.rate(trial_id) for trial_id in driver.ask(7)}
    for number in range(1, 8):
        Driver(cut).ask(number)
        open_optuna_study(cut.folder, cut.config).ask()  # Killed before it had an id.
    driver = Driver(cut)
    assert {trial_id: driver.rate(trial_id) for trial_id in cut.folder.trial_ids()} == expected


def test_invalid_point_fails_loudly(sweep: Any) -> None:
    def wrong(trial: optuna.Trial) -> None:
        trial.suggest_float("optim.rate", 0.0, 1.0)

    space = Space(name="w", summary="-", base="digits", suggest=wrong, goals=SPACE.goals, num_trials=1)
    with pytest.raises(ConfigError, match=r"sweep first: optim\.rate: unknown field"):
        Driver(sweep, space).ask()


def test_several_goals_reach_optuna_together(make_sweep: Callable[..., Any]) -> None:
    goals = [{"metric": GOAL, "direction": "max"}, {"metric": "train/loss", "direction": "min"}]
    sweep = make_sweep(space="rates", goals=goals)
    study = open_optuna_study(sweep.folder, sweep.config)
    assert [direction.name for direction in study.directions] == ["MAXIMIZE", "MINIMIZE"]
    Driver(sweep).ask(2)
    for trial_id, rate in (("0000", 0.5), ("0001", 0.25)):
        sweep.complete(trial_id, {GOAL: 0.75} | ({"train/loss": 2.0} if trial_id == "0000" else {}), {RATE: rate})
    Driver(sweep)
    trials = open_optuna_study(sweep.folder, sweep.config).trials[:2]
    assert [(trial.state.name, trial.values) for trial in trials] == [("COMPLETE", [0.75, 2.0]), ("FAIL", None)]


def test_outcome_of_a_trial_without_epochs_is_a_failure(sweep: Any) -> None:
    Driver(sweep).ask(1)
    write_json(
        sweep.folder.trial("0000").path / "outcome.json", {"status": "failed", "epoch": 0, "error": "OSError: gone"}
    )
    assert Driver(sweep).ask() == ["0001"]


def test_study_that_does_not_know_the_trials_is_refused(sweep: Any) -> None:
    driver = Driver(sweep)
    driver.ask(2)
    check_optuna_study(sweep.folder, sweep.config)
    sweep.folder.study_path.unlink()
    with pytest.raises(ConfigError, match=r"study.journal does not hold trial 0000, 0001 of sweep first"):
        check_optuna_study(sweep.folder, sweep.config)


@pytest.mark.fault("The last line of study.journal is cut short, and its lock is left.", trains=False)
def test_journal_that_a_killed_driver_left_is_repaired(sweep: Any, caplog: pytest.LogCaptureFixture) -> None:
    first = Driver(sweep)
    first.finish(*first.ask(), 0.5)
    first.ask()
    journal = sweep.folder.study_path
    journal.write_bytes(journal.read_bytes()[:-20])
    Path(f"{journal}.lock").symlink_to(sweep.folder.storage / "moved" / "study.journal")
    check_optuna_study(sweep.folder, sweep.config)
    assert Driver(sweep).ask(2) == ["0001", "0002"]
    assert len(caplog.records) == 1
    assert sorted(path.name for path in sweep.folder.path.glob("study*")) == ["study.journal", "study.journal.torn"]


def test_study_of_a_sweep_that_runs_is_left_alone(sweep: Any) -> None:
    Driver(sweep).ask()
    before = sweep.folder.study_path.read_bytes()
    with sweep.folder.locked(), pytest.raises(ConfigError, match="sweep first is being run by another process"):
        check_optuna_study(sweep.folder, sweep.config)
    assert sweep.folder.study_path.read_bytes() == before


@pytest.mark.fault("A sweep's folder is removed while it runs.", trains=False)
def test_no_trial_starts_in_a_sweep_that_was_removed(sweep: Any, note_message: NoteMessage) -> None:
    sampler = TrialSampler(sweep.folder, sweep.config, SPACE)
    shutil.rmtree(sweep.folder.path)
    with pytest.raises(FolderGoneError, match="first was removed or moved while its sweep ran") as caught:
        sampler(optuna.trial.FixedTrial({RATE: 0.5}))
    note_message([str(caught.value)])
    assert not sweep.folder.path.exists()


REPEATS = "data.oversample_masked"


def repeats_by(name: str) -> Space:
    def suggest(trial: optuna.Trial) -> None:
        trial.suggest_int(name, 1, 10**6)

    return Space(name="repeats", summary="-", base="digits", suggest=suggest, goals=SPACE.goals, num_trials=2)


def test_a_slow_disk_is_no_warning(sweep: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ray.tune.search.optuna.optuna_search.DEFINE_BY_RUN_WARN_THRESHOLD_S", 0)
    assert Driver(sweep).ask(1) == ["0000"]


@pytest.mark.parametrize("today", ["data.masked_repeats", REPEATS])
def test_point_stored_under_an_old_name_goes_on(make_sweep: Callable[..., Any], today: str) -> None:
    """Whether the space still suggests the setting by that name, or by the new one."""
    base = {"data": {"kind": "imagenet_s", "root": "/data"}}
    sweep = make_sweep(space="repeats", base=base)
    asked = Driver(sweep, repeats_by("data.masked_repeats")).ask(1)
    (point,) = (sweep.folder.trial(trial_id).config().data.oversample_masked for trial_id in asked)
    for _ in range(2):
        assert Driver(sweep, repeats_by(today)).ask(1) == ["0000"]
        assert sweep.folder.trial("0000").config().data.oversample_masked == point
