"""Stores and experiments."""

import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.tracking import Store, StoreError, connect, ensure_experiment, resolve_store
from orchestrator.tracking import store as store_module
from orchestrator.tracking.store import without_passwords
from tests.harness.fault_message import NoteMessage

# MLflow's mappers use a loader strategy that SQLAlchemy 2.1 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated")


def test_default_store_is_a_database_in_the_storage(tmp_path: Path) -> None:
    storage = tmp_path / "a b"
    assert resolve_store(storage) == Store(f"sqlite:///{storage}/mlflow.db", f"file://{tmp_path}/a%20b/artifacts")


def test_relative_storage_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert resolve_store(Path("out")).sqlite_file == tmp_path / "out" / "mlflow.db"
    assert resolve_store(Path("out"), "sqlite:///x.db").sqlite_file == tmp_path / "x.db"


def test_server_chooses_where_artifacts_lie(tmp_path: Path) -> None:
    assert resolve_store(tmp_path, "http://tracking:5000") == Store("http://tracking:5000", None)


def test_database_elsewhere_keeps_artifacts_in_the_storage(tmp_path: Path) -> None:
    uri = "postgresql+psycopg://user@host/mlflow"
    assert resolve_store(tmp_path, uri) == Store(uri, f"file://{tmp_path}/artifacts")


def test_password_is_not_shown() -> None:
    assert str(Store("postgresql://me:secret@host:5432/mlflow")) == "postgresql://me:***@host:5432/mlflow"
    assert str(Store("http://127.0.0.1:5000")) == "http://127.0.0.1:5000"
    assert str(Store("http://me:se@cret@host:5000/a")) == "http://me:***@host:5000/a"
    assert (
        str(Store("postgresql://host/mlflow?user=me&password=secret"))
        == "postgresql://host/mlflow?user=me&password=***"
    )


@pytest.mark.parametrize(
    "password", ["hun/ter2", "hun:ter2", "hun?ter2", "hun?ter=2", "hun ter2", "hun#ter2", "5432/hunter2", "se@hunter/2"]
)
def test_no_part_of_a_password_is_shown(password: str) -> None:
    uri = f"postgresql+psycopg://u:{password}@127.0.0.1:1/x?options=a@b"
    shown = "postgresql+psycopg://u:***@127.0.0.1:1/x?options=a@b"
    assert str(Store(uri)) == shown
    assert without_passwords(f"serve --uri '{uri}' --port=1 a@b") == f"serve --uri '{shown}' --port=1 a@b"


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://u@host:5432/x?options=a:b@c",
        "postgresql://host:5432/x?options=a@b",
        "http://[::1]:5000/a@b",
        "no answer at http://127.0.0.1:5000; write to a@b",
        "http://127.0.0.1:5000: write to a@b",
        "(http://head:5000) a@b",
        "sqlite:////data/a:b@c.db",
    ],
)
def test_what_is_no_password_is_shown(text: str) -> None:
    assert without_passwords(text) == text


def test_password_is_not_shown_by_an_error_of_mlflow(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as caught:
        ensure_experiment(resolve_store(tmp_path, "http://me:secret@127.0.0.1:9"), "any")
    assert "API request to http://me:***@127.0.0.1:9/api" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("uri", ["file:///tmp/mlruns", "mlruns"])
def test_folder_store_is_refused(uri: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no longer tracks runs in plain folders"):
        resolve_store(tmp_path, uri)


def test_experiment_is_made_once(store: Store) -> None:
    first = ensure_experiment(store, "made once")
    assert ensure_experiment(store, "made once") == first
    assert connect(store).get_experiment(first).artifact_location == store.artifact_location


def test_database_that_is_gone_is_not_made_anew(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=f"{tmp_path}/gone/mlflow.db does not exist"):
        connect(resolve_store(tmp_path / "gone"))
    assert list(tmp_path.iterdir()) == []


def test_experiment_in_the_trash_is_restored(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    first = ensure_experiment(store, "thrown away")
    connect(store).delete_experiment(first)
    assert ensure_experiment(store, "thrown away") == first
    assert connect(store).get_experiment(first).lifecycle_stage == "active"
    assert "'thrown away' was in MLflow's trash" in caplog.text


def test_storage_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=f"MLflow store sqlite:///{tmp_path}/file/mlflow.db: "):
        ensure_experiment(resolve_store(tmp_path / "file"), "any")


@pytest.mark.fault("Another process holds the sqlite store for ever.", trains=False)
def test_process_that_holds_the_store_for_ever_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, note_message: NoteMessage
) -> None:
    monkeypatch.setattr(store_module, "MIGRATION_WAIT_S", 0.1)
    with (tmp_path / "mlflow.db.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(StoreError, match=rf"has held {tmp_path}/mlflow.db.lock for 0.1 s; end it") as caught:
            ensure_experiment(resolve_store(tmp_path), "any")
    note_message([str(caught.value)])


@pytest.mark.slow
def test_drivers_may_open_a_fresh_store_at_once(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from orchestrator.tracking import ensure_experiment, resolve_store;"
        "print(ensure_experiment(resolve_store(Path(sys.argv[1])), 'shared'))"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    drivers = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    answers = [driver.communicate(timeout=120) for driver in drivers]
    assert [driver.returncode for driver in drivers] == [0, 0], answers
    assert {answer.strip() for answer, _ in answers} == {"1"}
