import json
import math
import shutil
from pathlib import Path

import pytest
import torch

from tests.harness.counted_epochs import CountEpochs, epochs_in_files
from tests.harness.fault_message import NoteMessage
from trainables.config import ConfigError, ExperimentConfig, config_hash, experiment_from_tree, to_yaml
from trainables.json_file import BrokenFileError, read_json, write_json, write_text
from trainables.outcome import Outcome
from trainables.trial_folder import Row, TrialFolder, as_json_line

CPU = torch.device("cpu")


@pytest.fixture
def folder(tmp_path: Path) -> TrialFolder:
    return TrialFolder(tmp_path / "trial")


def row(epoch: int) -> Row:
    return {"epoch": epoch, "train/loss": 1 / epoch}


def commit(folder: TrialFolder, *epochs: int) -> None:
    for epoch in epochs:
        folder.commit({"weight": torch.full((2,), float(epoch))}, list(map(row, range(1, epoch + 1))))


def committed_epoch(folder: TrialFolder) -> int:
    state = folder.load_state(CPU)
    assert state is not None
    assert state["weight"].tolist() == [state["row"]["epoch"]] * 2
    return int(state["row"]["epoch"])


def resumed(folder: TrialFolder) -> list[Row]:
    """Return the rows with which training continues."""
    return folder.continue_from(folder.checkpoints.load_last_good(CPU))


LINES = [as_json_line(row(epoch)).encode() for epoch in range(1, 5)]
DAMAGED = {
    "whole": b"".join(LINES[:3]),
    "empty": b"",
    "first row gone": b"".join(LINES[1:3]),
    "middle row gone": LINES[0] + LINES[2],
    "middle row broken": LINES[0] + b'{"epoch": 2, "tr\n' + LINES[2],
    "middle row not in UTF-8": LINES[0] + b"\xff\xfe\n" + LINES[2],
    "last row gone": b"".join(LINES[:2]),
    "last row cut short": b"".join(LINES[:3])[:-4],
    "last row without its end": b"".join(LINES[:3])[:-1],
    "row twice": b"".join([*LINES[:3], LINES[2]]),
    "uncommitted row": b"".join(LINES),
    "uncommitted row cut short": b"".join(LINES)[:-4],
}


def test_a_fresh_folder_holds_nothing(folder: TrialFolder) -> None:
    assert folder.rows() == []
    assert folder.load_state(CPU) is None
    assert folder.evaluation() is None


def test_claim_writes_the_config_that_replays_the_trial(folder: TrialFolder) -> None:
    config = experiment_from_tree({"seed": 3, "optim": {"kind": "sgd"}})
    folder.claim(config)
    assert folder.config() == config


def test_claim_keeps_the_file_of_a_config_that_computes_the_same(folder: TrialFolder) -> None:
    folder.claim(ExperimentConfig())
    before = folder.config_path.read_bytes()
    folder.claim(experiment_from_tree({"resources": {"cpus": 4}}))
    assert folder.config_path.read_bytes() == before


def test_claim_refuses_the_config_of_another_trial(folder: TrialFolder) -> None:
    folder.claim(ExperimentConfig())
    before = folder.config_path.read_bytes()
    with pytest.raises(ConfigError, match=r"holds a trial with config hash .* choose another folder"):
        folder.claim(ExperimentConfig(seed=1))
    assert folder.config_path.read_bytes() == before


def edit(folder: TrialFolder, old: str, new: str) -> None:
    text = folder.config_path.read_text(encoding="utf-8")
    assert old in text
    folder.config_path.write_text(text.replace(old, new), encoding="utf-8")


def test_config_that_was_edited_after_an_epoch_is_refused_with_the_hash_it_had(folder: TrialFolder) -> None:
    folder.claim(ExperimentConfig())
    edit(folder, "\nseed: 0", "\nseed: 1")
    assert folder.config() == ExperimentConfig(seed=1)
    folder.metrics_path.write_text('{"epoch": 1}\n')
    for read in (folder.config, lambda: folder.claim(ExperimentConfig())):
        with pytest.raises(ConfigError) as caught:
            read()
        assert str(caught.value).startswith(f"{folder.config_path} was edited after training began: its config hash ")
        assert f"was {config_hash(ExperimentConfig())} and is {config_hash(ExperimentConfig(seed=1))}; undo" in str(
            caught.value
        )
        assert "\n" not in str(caught.value)


def test_edit_that_changes_no_number_is_accepted_and_so_is_a_file_of_an_earlier_version(folder: TrialFolder) -> None:
    folder.claim(ExperimentConfig())
    folder.metrics_path.write_text('{"epoch": 1}\n')
    edit(folder, "cpus: 1", "cpus: 4")
    assert folder.config().resources.cpus == 4
    folder.config_path.write_text(to_yaml(ExperimentConfig(seed=7)), encoding="utf-8")
    assert folder.config().seed == 7


def test_commit_adds_a_checkpoint_and_a_line(folder: TrialFolder) -> None:
    commit(folder, 1, 2)
    assert committed_epoch(folder) == 2
    assert folder.rows() == [row(1), row(2)]
    assert sorted(path.name for path in folder.state_path.parent.iterdir()) == ["previous.pt", "state.pt"]


def test_an_interrupted_checkpoint_leaves_the_last_epoch_committed(folder: TrialFolder) -> None:
    commit(folder, 1)
    folder.state_path.with_suffix(".partial").mkdir()  # Writing the checkpoint fails.
    with pytest.raises((OSError, RuntimeError)):
        commit(folder, 2)
    assert committed_epoch(folder) == 1
    assert folder.rows() == [row(1)]


def test_the_checkpoint_is_committed_before_the_line(folder: TrialFolder) -> None:
    commit(folder, 1)
    lines = folder.metrics_path.read_text()
    folder.metrics_path.unlink()
    folder.metrics_path.mkdir()  # Writing the line fails.
    with pytest.raises(IsADirectoryError, match=r"metrics\.jsonl'$"):
        commit(folder, 2)
    folder.metrics_path.rmdir()
    folder.metrics_path.write_text(lines)
    assert committed_epoch(folder) == 2
    assert resumed(folder) == folder.rows() == [row(1), row(2)]


@pytest.mark.parametrize("cut", range(1, len(as_json_line(row(2)))))
def test_a_line_cut_short_is_no_row(folder: TrialFolder, cut: int) -> None:
    commit(folder, 1)
    with folder.metrics_path.open("a") as file:
        file.write(as_json_line(row(2))[:-cut])
    assert folder.rows() == ([row(1), row(2)] if cut == 1 else [row(1)])


@pytest.mark.parametrize("lines", DAMAGED.values(), ids=DAMAGED)
@pytest.mark.fault("metrics.jsonl is emptied, cut, or not UTF-8.")
def test_resume_restores_every_row_from_the_checkpoint(
    folder: TrialFolder, lines: bytes, caplog: pytest.LogCaptureFixture, count_epochs: CountEpochs
) -> None:
    commit(folder, 1, 2, 3)
    whole = folder.metrics_path.read_bytes()
    folder.metrics_path.write_bytes(lines)
    assert resumed(folder) == [row(1), row(2), row(3)]
    assert folder.metrics_path.read_bytes() == whole
    count_epochs(epochs_in_files([folder]), 3)
    lost = ", ".join(str(epoch) for epoch in (1, 2) if as_json_line(row(epoch)).encode() not in lines)
    warnings = [f"{folder.metrics_path}: the rows of epoch {lost} were missing: restored from {folder.state_path}"]
    assert caplog.messages == (warnings if lost else [])


@pytest.mark.parametrize("lines", ["", as_json_line(row(1)), as_json_line(row(1))[:9]])
def test_rows_without_a_checkpoint_are_dropped(folder: TrialFolder, lines: str) -> None:
    write_text(folder.metrics_path, lines)
    assert resumed(folder) == folder.rows() == []


def test_rows_that_an_earlier_version_lost_are_named(folder: TrialFolder, caplog: pytest.LogCaptureFixture) -> None:
    """Its checkpoints hold the last row alone."""
    commit(folder, 1, 2, 3)
    state = torch.load(folder.state_path, weights_only=True)
    del state["rows"]
    torch.save(state, folder.state_path)
    assert resumed(folder) == [row(1), row(2), row(3)]
    assert caplog.messages == []
    folder.metrics_path.write_text(as_json_line(row(2)))
    assert resumed(folder) == folder.rows() == [{"epoch": 1}, row(2), row(3)]
    (message,) = caplog.messages
    assert "metrics.jsonl: the rows of epoch 1 were missing: lost; an earlier version did not keep them" in message


@pytest.mark.fault("Rows of an ended trial are missing.")
def test_rows_of_a_trial_that_has_ended_are_held_against_its_epoch(
    folder: TrialFolder, count_epochs: CountEpochs, note_message: NoteMessage
) -> None:
    folder.claim(experiment_from_tree({"training": {"epochs": 4}}))
    commit(folder, 1, 2, 3)
    folder.finish()
    for text, epochs in [("", "1, 2, 3"), (as_json_line(row(2)), "1, 3"), (as_json_line(row(1)), "2, 3")]:
        folder.metrics_path.write_text(text)
        with pytest.raises(
            BrokenFileError, match=rf"jsonl: no row of epoch {epochs}; `campaign resume`, `campaign"
        ) as error:
            folder.rows()
        note_message([str(error.value)])
    folder.restore_rows()
    assert folder.rows() == [row(1), row(2), row(3)]
    count_epochs(epochs_in_files([folder]), 3)
    assert folder.outcome() == Outcome("stopped", 3)


def test_rows_of_a_trial_that_has_ended_without_a_checkpoint_stay(folder: TrialFolder) -> None:
    folder.claim(ExperimentConfig())
    commit(folder, 1, 2)
    folder.finish()
    shutil.rmtree(folder.checkpoints.path)
    folder.metrics_path.write_text(as_json_line(row(2)))
    with pytest.raises(BrokenFileError, match=r"no row of epoch 1; .*; there is none in .*checkpoint"):
        folder.restore_rows()
    assert folder.metrics_path.read_text() == as_json_line(row(2))


def test_a_row_that_is_there_twice_is_no_row(folder: TrialFolder) -> None:
    write_text(folder.metrics_path, as_json_line(row(1)) + as_json_line(row(2)) * 2)
    with pytest.raises(BrokenFileError, match=r"metrics\.jsonl: rows of the epochs 1, 2, 2; `campaign resume`"):
        folder.rows()


def test_a_figure_that_is_not_finite_is_null_and_survives_a_resume(folder: TrialFolder) -> None:
    folder.commit({}, [row(1), {"epoch": 2, "val/loss": math.nan, "train/loss": math.inf}])
    folder.metrics_path.write_text("")
    resumed(folder)
    expected = {"epoch": 2, "val/loss": None, "train/loss": None}
    assert [json.loads(line) for line in folder.metrics_path.read_text().splitlines()] == [row(1), expected]


def test_json_files_are_strict(tmp_path: Path) -> None:
    path = tmp_path / "new" / "evaluation.json"
    write_json(path, {"a": math.nan, "b": [1.5, -math.inf, "x"], "c": {"d": (True, 2)}})
    assert read_json(path) == {"a": None, "b": [1.5, None, "x"], "c": {"d": [True, 2]}}
    assert [found.name for found in path.parent.iterdir()] == [path.name]


def test_null_in_a_row_is_nan_and_what_is_no_number_is_left_out(folder: TrialFolder) -> None:
    write_text(folder.metrics_path, '{"epoch": 1, "val/loss": null, "note": "text", "flag": true, "train/loss": 2}\n')
    (found,) = folder.rows()
    assert found.keys() == {"epoch", "val/loss", "train/loss"}
    assert math.isnan(found["val/loss"])
    assert found["train/loss"] == 2
    write_json(folder.evaluation_path, {"val/loss": math.inf, "note": "text"})
    evaluation = folder.evaluation()
    assert evaluation is not None
    assert evaluation.keys() == {"val/loss"}
    assert math.isnan(evaluation["val/loss"])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("nonsense", "line 2: not valid JSON"),
        ("[1]", "line 2: expected a JSON object, found list"),
        ('{"val/loss": 1}', "line 2: expected an object with a whole number `epoch`"),
    ],
)
def test_a_line_in_the_middle_that_is_no_row_is_named(folder: TrialFolder, line: str, message: str) -> None:
    write_text(folder.metrics_path, as_json_line(row(1)) + line + "\n" + as_json_line(row(2)))
    with pytest.raises(BrokenFileError, match=rf"metrics\.jsonl, {message}"):
        folder.rows()


def test_a_trial_finishes_completed_only_if_it_was_evaluated_after_its_last_epoch(folder: TrialFolder) -> None:
    folder.claim(experiment_from_tree({"training": {"epochs": 2}}))
    assert folder.outcome() is None
    assert folder.finish() == folder.outcome() == Outcome("stopped", 0)
    commit(folder, 1)
    write_json(folder.evaluation_path, {"val/accuracy": 0.5})
    assert folder.finish() == folder.outcome() == Outcome("stopped", 1)
    commit(folder, 2)
    assert folder.finish() == folder.outcome() == Outcome("completed", 2)
    assert folder.finish("OSError: full") == folder.outcome() == Outcome("failed", 2, "OSError: full")
    assert read_json(folder.outcome_path) == {"status": "failed", "epoch": 2, "error": "OSError: full"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"status": "done"}', r"status is 'done'; expected one of completed, stopped, failed"),
        (b'{"status": "failed", "epoch": "2"}', "epoch is '2'; expected a whole number"),
        (b'{"status": "comp', "not valid JSON: Unterminated string"),
        (b"[" * 100_000, "not valid JSON: maximum recursion depth exceeded"),
        (b'{"epoch": ' + b"9" * 5000 + b"}", "not valid JSON: Exceeds the limit"),
        (b"\xff\xfe", "not a text in UTF-8: 'utf-8' codec can't decode byte 0xff in position 0"),
    ],
    ids=["status", "epoch", "cut", "deep", "long number", "not in UTF-8"],
)
@pytest.mark.fault("outcome.json is cut short, or not UTF-8.", trains=False)
def test_an_outcome_that_cannot_be_read_is_named(
    folder: TrialFolder, content: bytes, message: str, note_message: NoteMessage
) -> None:
    folder.path.mkdir()
    folder.outcome_path.write_bytes(content)
    with pytest.raises(
        BrokenFileError, match=rf"outcome\.json: {message}.*; remove it, and `campaign resume`"
    ) as error:
        folder.outcome()
    note_message([str(error.value)])


def test_a_trial_whose_files_cannot_be_read_has_failed(folder: TrialFolder) -> None:
    folder.claim(ExperimentConfig())
    write_text(folder.metrics_path, as_json_line(row(2)))
    assert folder.finish() == folder.outcome()
    outcome = folder.outcome()
    assert outcome is not None
    assert (outcome.status, outcome.epoch) == ("failed", 0)
    assert str(outcome.error).startswith(f"BrokenFileError: {folder.metrics_path}: no row of epoch 1; ")


def test_a_missing_file_reads_as_none(tmp_path: Path) -> None:
    assert read_json(tmp_path / "outcome.json") is None


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    write_text(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "new \ud800")
    assert path.read_text() == "old"


def test_metrics_of_earlier_versions_have_the_names_of_today(tmp_path: Path) -> None:
    folder = TrialFolder(tmp_path)
    write_text(folder.metrics_path, '{"epoch": 1, "val/loss": 2, "background/influence_share": 0.5}\n')
    write_json(folder.evaluation_path, {"faithfulness/max_logit_error": 0.25, "shift/a/accuracy": 0.75})
    assert folder.rows() == [{"epoch": 1, "val/loss": 2, "val/background/influence_share": 0.5}]
    assert folder.evaluation() == {"val/faithfulness/max_logit_error": 0.25, "shift/a/accuracy": 0.75}
