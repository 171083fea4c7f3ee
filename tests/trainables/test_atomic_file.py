"""Files are written whole or not at all: a disk without room is a real limit of the kernel."""

import errno
from pathlib import Path

import pytest

from tests.harness.scarce import file_size_limit
from trainables.atomic_file import atomic_file
from trainables.json_file import write_json, write_text


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_file_appears_whole_with_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "new" / "outcome.json"
    with atomic_file(path) as file:
        file.write(b"one")
        assert not path.exists()
    assert path.read_bytes() == b"one"
    assert names(path.parent) == ["outcome.json"]


def test_file_that_was_there_is_kept_where_asked(tmp_path: Path) -> None:
    path, previous = tmp_path / "state.pt", tmp_path / "previous.pt"
    for content in (b"one", b"two", b"three"):
        with atomic_file(path, previous=previous) as file:
            file.write(content)
    assert (path.read_bytes(), previous.read_bytes()) == (b"three", b"two")


@pytest.mark.parametrize("size", [5_000, 500_000], ids=["in the buffer", "past the buffer"])
def test_full_disk_names_the_file_and_leaves_the_old_one(tmp_path: Path, size: int) -> None:
    path = tmp_path / "outcome.json"
    write_text(path, "old")
    with file_size_limit(4096), pytest.raises(OSError, match=r"File too large: '.*/outcome\.json'$") as caught:
        write_json(path, {"error": "x" * size})
    assert caught.value.errno == errno.EFBIG
    assert path.read_text() == "old"
    assert names(tmp_path) == ["outcome.json"]


def test_interrupt_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "outcome.json"
    write_text(path, "old")

    def interrupted() -> None:
        with atomic_file(path) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["outcome.json"]


def test_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "trial").write_text("")
    with pytest.raises(OSError, match=r"'.*/trial/outcome\.json'$"):
        write_json(tmp_path / "trial" / "outcome.json", {})
