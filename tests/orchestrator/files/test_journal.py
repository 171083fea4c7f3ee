"""Optuna's own journal, cut short and locked as a killed driver leaves it."""

from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from orchestrator.files.journal import repair_journal
from tests.harness.fault_message import NoteMessage
from trainables.json_file import BrokenFileError


def study(path: Path) -> optuna.Study:
    storage = JournalStorage(JournalFileBackend(str(path)))
    return optuna.create_study(storage=storage, study_name="first", load_if_exists=True)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Return a journal with one finished trial, and a last line that starts a second one."""
    path = tmp_path / "study.journal"
    opened = study(path)
    opened.tell(opened.ask({"rate": optuna.distributions.FloatDistribution(0, 1)}), 0.5)
    opened.ask()
    return path


@pytest.mark.parametrize("left", [1, 7, 60, -1])
def test_line_cut_short_is_put_aside(journal: Path, left: int, caplog: pytest.LogCaptureFixture) -> None:
    *lines, last = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines) + last[:left])
    repair_journal(journal)
    assert journal.read_bytes() == b"".join(lines)
    assert Path(f"{journal}.torn").read_bytes() == last[:left] + b"\n"
    assert [record.getMessage() for record in caplog.records] == [
        f"{journal}: a crash or a full disk cut a line short; what is left of it is in {journal}.torn"
    ]
    assert study(journal).ask().number == 1
    assert [trial.value for trial in study(journal).trials] == [0.5, None]


def test_line_to_which_optuna_appended_is_split_again(journal: Path) -> None:
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:-1]) + lines[-1][:30])
    study(journal)
    with pytest.raises(ValueError, match=r"Expecting|Unterminated|delimiter"):
        study(journal).ask()
    repair_journal(journal)
    assert study(journal).ask().number == 1
    assert Path(f"{journal}.torn").read_bytes() == lines[-1][:30] + b"\n"


def test_whole_journal_stays_as_it_is(journal: Path) -> None:
    before = journal.read_bytes()
    repair_journal(journal)
    assert journal.read_bytes() == before
    assert list(journal.parent.iterdir()) == [journal]


@pytest.mark.fault("A line of study.journal was changed.", trains=False)
def test_changed_line_is_named_and_kept(journal: Path, note_message: NoteMessage) -> None:
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([lines[0], lines[1].replace(b":", b";"), *lines[2:]]))
    before = journal.read_bytes()
    with pytest.raises(BrokenFileError, match=r"study\.journal, line 2: expected one of Optuna's op") as caught:
        repair_journal(journal)
    note_message([str(caught.value)])
    assert journal.read_bytes() == before


@pytest.mark.parametrize("target", ["study.journal", "moved/study.journal"])
@pytest.mark.fault("A killed driver leaves the lock of study.journal.", trains=False, says=False)
def test_lock_of_a_killed_process_is_removed(journal: Path, target: str) -> None:
    """A dangling link would make Optuna try for ever; another one for half a minute."""
    Path(f"{journal}.lock").symlink_to(journal.parent / target)
    repair_journal(journal)
    assert list(journal.parent.iterdir()) == [journal]
