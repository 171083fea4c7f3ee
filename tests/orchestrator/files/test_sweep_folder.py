"""What a sweep's folder holds, who may write to it, and how a trial's end is recorded."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.files.sweep_folder import SweepFolder
from trainables.config import ConfigError
from trainables.json_file import BrokenFileError, write_json
from trainables.outcome import Outcome
from trainables.trial_folder import Row


def test_missing_sweep_is_refused_with_the_names_there_are(make_sweep: Callable[..., Any], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"no sweep 'x' in {tmp_path}; there is none yet"):
        SweepFolder.find(tmp_path, "x")
    make_sweep(name="b")
    make_sweep(name="a")
    with pytest.raises(ConfigError, match="sweeps there: a, b"):
        SweepFolder.find(tmp_path, "x")
    assert SweepFolder.find(tmp_path, "a").config().name == "a"


def test_same_config_may_claim_its_folder_again(make_sweep: Callable[..., Any]) -> None:
    sweep = make_sweep()
    before = sweep.folder.config_path.read_bytes()
    sweep.folder.claim(sweep.config)
    assert sweep.folder.config_path.read_bytes() == before


def test_other_config_is_refused_by_what_differs(make_sweep: Callable[..., Any]) -> None:
    make_sweep().start("0000")
    with pytest.raises(ConfigError, match=r"sweep 'first' already, with other goals, seed; .* campaign resume first"):
        make_sweep(seed=1, goals=[{"metric": "val/loss", "direction": "min"}])


def test_number_at_a_time_may_change(make_sweep: Callable[..., Any]) -> None:
    sweep = make_sweep()
    make_sweep(max_concurrent=1)
    assert sweep.folder.config().max_concurrent == 1


def test_trial_ends_completed_stopped_or_failed(make_sweep: Callable[..., Any]) -> None:
    sweep = make_sweep()
    sweep.complete("0000", {"val/accuracy": 0.5})
    sweep.start("0001", epochs=3)
    sweep.start("0002", epochs=1)
    sweep.start("0003")
    assert sweep.folder.trial("0001").finish() == Outcome("stopped", 3)
    assert sweep.folder.trial("0002").finish("OSError: full") == Outcome("failed", 1, "OSError: full")
    assert sweep.folder.trial("0000").outcome() == Outcome("completed", 10)
    assert sweep.folder.trial("0003").outcome() is None
    assert (sweep.folder.unfinished(), sweep.folder.num_finished()) == (["0003"], 3)


def test_evaluated_trial_that_fails_afterwards_has_failed(make_sweep: Callable[..., Any]) -> None:
    sweep = make_sweep()
    sweep.complete("0000", {"val/accuracy": 0.5})
    assert sweep.folder.trial("0000").finish("OSError: full").status == "failed"


def test_only_failures_are_forgotten(make_sweep: Callable[..., Any]) -> None:
    sweep = make_sweep()
    sweep.complete("0000", {})
    sweep.start("0001", epochs=1)
    sweep.folder.trial("0001").finish("OSError: full")
    sweep.start("0002", epochs=1)
    sweep.folder.trial("0002").finish()
    sweep.folder.forget_failures()
    assert sweep.folder.unfinished() == ["0001"]


def test_extension_adds_trials_to_a_search(make_sweep: Callable[..., Any]) -> None:
    sweep = make_sweep(space="digits-background-weight")
    sweep.folder.extend(3)
    assert sweep.folder.config().num_trials == 7


def test_fixed_list_of_trials_cannot_be_extended(make_sweep: Callable[..., Any]) -> None:
    with pytest.raises(ConfigError, match="first is a fixed list of trials"):
        make_sweep().folder.extend(1)


def test_second_driver_is_refused_and_changes_nothing(make_sweep: Callable[..., Any]) -> None:
    sweep = make_sweep(space="digits-background-weight")
    sweep.start("0000", epochs=1)
    sweep.folder.trial("0000").finish("OSError: full")
    with sweep.folder.locked():
        os.utime(sweep.folder.lock_path, (1, 1))
        with pytest.raises(ConfigError, match="sweep first is being run by another process"), sweep.folder.locked():
            pass
        for change in (lambda: sweep.folder.extend(1), sweep.folder.forget_failures):
            with pytest.raises(ConfigError, match="being run by another process"):
                change()
        assert sweep.folder.lock_path.stat().st_mtime == 1
    assert sweep.folder.config().num_trials == 4
    assert sweep.folder.trial("0000").outcome().status == "failed"


def test_lock_says_when_its_driver_started(make_sweep: Callable[..., Any]) -> None:
    folder = make_sweep().folder
    assert not folder.is_locked()
    with folder.locked():
        assert folder.is_locked()
    os.utime(folder.lock_path, (1, 1))
    with folder.locked():
        assert folder.lock_path.stat().st_mtime > 1
    assert not folder.is_locked()


def test_lock_of_a_killed_process_is_free(make_sweep: Callable[..., Any]) -> None:
    folder = make_sweep().folder
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time, pathlib; from orchestrator.files.sweep_folder import SweepFolder\n"
            f"with SweepFolder(pathlib.Path({str(folder.path)!r})).locked():\n"
            "    print('held', flush=True); time.sleep(600)",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    assert folder.is_locked()
    holder.kill()
    holder.communicate()
    with folder.locked():
        pass


def test_trial_evaluated_before_its_last_epoch_is_not_complete(make_sweep: Callable[..., Any]) -> None:
    sweep = make_sweep()
    sweep.start("0000", epochs=3)
    write_json(sweep.folder.trial("0000").evaluation_path, {"val/accuracy": 0.5})
    assert sweep.folder.trial("0000").finish() == Outcome("stopped", 3)


def test_sweep_that_never_had_a_trial_gives_way_to_another(make_sweep: Callable[..., Any]) -> None:
    folder = make_sweep().folder
    folder.study_path.write_text("queued points\n")
    make_sweep(seed=1)
    assert folder.config().seed == 1
    assert not folder.study_path.exists()
    with folder.locked(), pytest.raises(ConfigError, match="sweep first is being run by another process"):
        make_sweep(seed=2)
    assert folder.config().seed == 1


def test_rows_are_restored_from_the_checkpoints(
    make_sweep: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    sweep = make_sweep()
    sweep.complete("0002", {})
    sweep.folder.trial("0002").metrics_path.write_text("")
    for trial_id in ("0000", "0001"):
        sweep.start(trial_id)
        sweep.folder.trial(trial_id).commit({}, [{"epoch": 1}, {"epoch": 2}])
        sweep.folder.trial(trial_id).finish()
    before = [sweep.folder.trial(trial_id).metrics_path.stat().st_mtime_ns for trial_id in ("0000", "0001")]
    sweep.folder.trial("0001").metrics_path.write_text("")
    sweep.folder.restore_rows()
    assert sweep.folder.trial("0001").rows() == [{"epoch": 1}, {"epoch": 2}]
    assert sweep.folder.trial("0000").metrics_path.stat().st_mtime_ns == before[0]
    restored, broken = caplog.messages
    assert "trials/0001/metrics.jsonl: the rows of epoch 1 were missing: restored from " in restored
    assert broken.startswith("trial 0002 is broken: ")
    assert broken.endswith(f"; there is none in {sweep.folder.trial('0002').path}/checkpoint")


def test_trial_that_lost_its_last_checkpoint_is_unfinished(make_sweep: Callable[..., Any]) -> None:
    sweep = make_sweep(num_trials=2)
    for trial_id in ("0000", "0001"):
        sweep.start(trial_id)
        sweep.folder.trial(trial_id).commit({}, [{"epoch": 1}])
        sweep.folder.trial(trial_id).finish()
    checkpoints = sweep.folder.trial("0001").checkpoints
    checkpoints.state_path.write_bytes(b"")
    assert sweep.folder.num_finished() == 2
    with pytest.raises(
        BrokenFileError, match=r"it is now state\.pt\.bad: .* train from the first epoch, with `campaign re"
    ):
        checkpoints.load("cpu")
    assert sweep.folder.unfinished() == ["0001"]
    assert sweep.folder.num_finished() == 1


def test_trial_that_lost_its_best_epoch_is_unfinished(make_sweep: Callable[..., Any]) -> None:
    sweep = make_sweep(num_trials=1)
    sweep.start("0000")
    trial = sweep.folder.trial("0000")
    rows: list[Row] = [{"epoch": 1, "kept_epoch": 1}, {"epoch": 2, "kept_epoch": 1}]
    for num in (1, 2):
        trial.commit({}, rows[:num], {})
    assert trial.finish() == Outcome("stopped", 2, kept_epoch=1)
    assert sweep.folder.unfinished() == []
    trial.checkpoints.best_path.write_bytes(b"")
    message = (
        r"best\.pt: no checkpoint that can be read .*; it is now best\.pt\.bad: bring a copy back as best\.pt, or keep"
    )
    with pytest.raises(BrokenFileError, match=message):
        trial.checkpoints.load_kept("cpu")
    assert sweep.folder.unfinished() == ["0000"]
