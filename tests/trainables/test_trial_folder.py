import json
import math
from pathlib import Path

import pytest
import torch

from trainables.config import ConfigError, ExperimentConfig, config_hash, experiment_from_tree, to_yaml
from trainables.json_file import BrokenFileError, read_json, write_json, write_text
from trainables.trial_folder import Outcome, Row, TrialFolder, as_json_line

CPU = torch.device("cpu")


@pytest.fixture
def folder(tmp_path: Path) -> TrialFolder:
    return TrialFolder(tmp_path / "trial")


def row(epoch: int) -> Row:
    return {"epoch": epoch, "train/loss": 1 / epoch}


def commit(folder: TrialFolder, *epochs: int) -> None:
    for epoch in epochs:
        folder.commit({"weight": torch.full((2,), float(epoch))}, row(epoch))


def committed_epoch(folder: TrialFolder) -> int:
    state = folder.load_state(CPU)
    assert state is not None
    assert state["weight"].tolist() == [state["row"]["epoch"]] * 2
    return int(state["row"]["epoch"])


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
    assert [path.name for path in folder.state_path.parent.iterdir()] == ["state.pt"]


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
    with pytest.raises(IsADirectoryError):
        commit(folder, 2)
    folder.metrics_path.rmdir()
    folder.metrics_path.write_text(lines)
    assert committed_epoch(folder) == 2
    folder.repair_rows(row(2))
    assert folder.rows() == [row(1), row(2)]


@pytest.mark.parametrize("cut", range(1, len(as_json_line(row(2)))))
def test_a_line_cut_short_is_no_row(folder: TrialFolder, cut: int) -> None:
    commit(folder, 1)
    with folder.metrics_path.open("a") as file:
        file.write(as_json_line(row(2))[:-cut])
    assert folder.rows() == ([row(1), row(2)] if cut == 1 else [row(1)])


@pytest.mark.parametrize(
    ("lines", "last"),
    [
        ("", 0),
        (as_json_line(row(1)), 0),
        (as_json_line(row(1))[:9], 0),
        ("", 1),
        (as_json_line(row(1)), 2),
        (as_json_line(row(1)) + as_json_line(row(2)), 2),
        (as_json_line(row(1)) + as_json_line(row(2))[:-1], 2),
        (as_json_line(row(1)) + as_json_line(row(2))[:-4], 2),
        (as_json_line(row(1)) + as_json_line(row(2)) + as_json_line(row(3)), 2),
        (as_json_line(row(1)) + as_json_line(row(2)) + as_json_line(row(3))[:-4], 2),
        (as_json_line(row(1)) + as_json_line(row(2)) + as_json_line(row(2)), 2),
    ],
)
def test_repair_leaves_every_committed_epoch_once(folder: TrialFolder, lines: str, last: int) -> None:
    write_text(folder.metrics_path, lines)
    folder.repair_rows(row(last) if last else {"epoch": 0})
    assert folder.metrics_path.read_text() == "".join(as_json_line(row(epoch)) for epoch in range(1, last + 1))


def test_a_figure_that_is_not_finite_is_null_and_survives_repairs(folder: TrialFolder) -> None:
    commit(folder, 1)
    folder.commit({}, {"epoch": 2, "val/loss": math.nan, "train/loss": math.inf})
    folder.repair_rows(row(3))
    expected = {"epoch": 2, "val/loss": None, "train/loss": None}
    assert [json.loads(line) for line in folder.metrics_path.read_text().splitlines()] == [row(1), expected, row(3)]


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


def test_an_outcome_of_no_known_status_is_named(folder: TrialFolder) -> None:
    write_json(folder.outcome_path, {"status": "done"})
    with pytest.raises(BrokenFileError, match=r"outcome\.json: status is 'done'; expected one of completed, stopped"):
        folder.outcome()


@pytest.mark.parametrize("name", ["partial_epoch.pt", "unfinished.pt"])
def test_a_partial_epoch_is_read_until_the_next_commit_removes_it(folder: TrialFolder, name: str) -> None:
    """Earlier versions called the file unfinished.pt."""
    folder.save_partial_epoch({"step": 3})
    assert folder.partial_epoch_path.name == "partial_epoch.pt"
    folder.partial_epoch_path.rename(folder.partial_epoch_path.with_name(name))
    assert folder.load_partial_epoch(CPU) == {"step": 3}
    commit(folder, 1)
    assert folder.load_partial_epoch(CPU) is None
    assert [path.name for path in folder.state_path.parent.iterdir()] == ["state.pt"]


def test_a_new_partial_epoch_goes_before_one_of_an_earlier_version(folder: TrialFolder) -> None:
    folder.save_partial_epoch({"step": 3})
    folder.partial_epoch_path.rename(folder.old_partial_epoch_path)
    folder.save_partial_epoch({"step": 5})
    assert folder.load_partial_epoch(CPU) == {"step": 5}


def test_a_missing_file_reads_as_none(tmp_path: Path) -> None:
    assert read_json(tmp_path / "outcome.json") is None


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    write_text(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "new \ud800")
    assert path.read_text() == "old"


@pytest.mark.parametrize("content", [b"", b"no checkpoint", bytes(range(256)) * 20])
def test_a_broken_checkpoint_is_named(tmp_path: Path, content: bytes) -> None:
    folder = TrialFolder(tmp_path)
    folder.state_path.parent.mkdir()
    folder.state_path.write_bytes(content)
    with pytest.raises(BrokenFileError, match=r"state\.pt: no checkpoint that can be read .*remove it to train"):
        folder.load_state(CPU)


def test_half_a_checkpoint_is_named(tmp_path: Path) -> None:
    folder = TrialFolder(tmp_path)
    folder.commit({"model": {"weight": torch.zeros(100, 100)}}, {"epoch": 1})
    whole = folder.state_path.read_bytes()
    folder.state_path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BrokenFileError, match=r"state\.pt"):
        folder.load_state(CPU)
