"""A checkpoint that is not what was written is found before it is loaded, and the one before it is still there."""

import random
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.harness.counted_epochs import CountEpochs, epochs_in_files
from tests.harness.fault_message import NoteMessage
from tests.harness.scarce import file_size_limit, memory_limit
from tests.trainables.conftest import CPU, MakeConfig, Train
from trainables.checkpoint import CheckpointFolder, LastGood
from trainables.json_file import BrokenFileError
from trainables.trial import load_model

SHARES = {"records": 40, "names and paddings": 30, "directory": 30}
"""How many of the 100 places of a flipped bit lie in each part of a checkpoint."""


@pytest.fixture
def checkpoints(tmp_path: Path) -> CheckpointFolder:
    return CheckpointFolder(tmp_path / "checkpoint")


def state(epoch: int) -> dict[str, Any]:
    return {"model": {"weight": torch.full((8, 8), float(epoch))}, "row": {"epoch": epoch}, "rows": [{"epoch": epoch}]}


def commit(checkpoints: CheckpointFolder, *epochs: int) -> None:
    for epoch in epochs:
        checkpoints.commit(state(epoch))


def names(checkpoints: CheckpointFolder) -> list[str]:
    return sorted(path.name for path in checkpoints.path.iterdir())


def loaded(checkpoints: CheckpointFolder) -> LastGood:
    return checkpoints.load_last_good(CPU)


def equal(found: Any, expected: Any) -> bool:
    """Return whether both have the same types, values and tensors, bit for bit."""
    if isinstance(expected, torch.Tensor):
        return found.dtype == expected.dtype and torch.equal(found, expected)
    if isinstance(expected, dict):
        return list(found) == list(expected) and all(equal(found[key], value) for key, value in expected.items())
    if isinstance(expected, list | tuple):
        return len(found) == len(expected) and all(map(equal, found, expected))
    return type(found) is type(expected) and bool(found == expected)


def parts(path: Path) -> dict[str, list[int]]:
    """Return the places of a checkpoint's bytes: those of its records, between them, and in the archive's directory."""
    with zipfile.ZipFile(path) as archive:
        infos, start = archive.infolist(), archive.start_dir
    content = path.read_bytes()
    records = set()
    for info in infos:
        name, extra = (int.from_bytes(content[info.header_offset + at :][:2], "little") for at in (26, 28))
        begin = info.header_offset + 30 + name + extra
        records |= set(range(begin, begin + info.file_size))
    return {
        "records": sorted(records),
        "names and paddings": sorted(set(range(start)) - records),
        "directory": list(range(start, len(content))),
    }


def flip(path: Path, place: int, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1 << bit
    path.write_bytes(content)


@pytest.mark.fault("One bit of a checkpoint flips, at a hundred places.")
def test_each_of_100_flipped_bits_is_refused_or_changes_nothing(
    make_config: MakeConfig, train: Train, count_epochs: CountEpochs
) -> None:
    config = make_config({"training.epochs": 2})
    folder = train(config)
    checkpoints = folder.checkpoints
    whole, chance = checkpoints.state_path.read_bytes(), random.Random(0)
    last, previous = (
        torch.load(path, weights_only=True) for path in (checkpoints.state_path, checkpoints.previous_path)
    )
    assert (last["row"]["epoch"], previous["row"]["epoch"]) == (2, 1)
    places = {name: chance.sample(own, SHARES[name]) for name, own in parts(checkpoints.state_path).items()}
    refused = dict.fromkeys(SHARES, 0)
    for name, own in places.items():
        for place in own:
            flip(checkpoints.state_path, place, chance.randrange(8))
            good = loaded(checkpoints)
            assert equal(good.state, previous if good.bad else last), (place, good.bad)
            refused[name] += good.bad is not None
            checkpoints.state_path.write_bytes(whole)
    assert refused["records"] == SHARES["records"]
    assert all(0 < refused[name] < SHARES[name] for name in ("names and paddings", "directory"))
    flip(checkpoints.state_path, places["records"][0], 0)
    count_epochs(epochs_in_files([train(config)]), 2)
    assert checkpoints.bad_path.exists()


def test_record_marked_as_a_folder_is_refused(checkpoints: CheckpointFolder) -> None:
    """Torch then leaves the tensor's memory as it was; the CRC32s are right."""
    commit(checkpoints, 1, 2)
    with zipfile.ZipFile(checkpoints.state_path) as archive:
        start = archive.start_dir
    flip(checkpoints.state_path, start + 38, 4)  # Of its attributes in the archive's directory.
    good = loaded(checkpoints)
    assert "is marked as a folder" in str(good.bad)
    assert good.row == {"epoch": 1}


@pytest.mark.parametrize(
    "content", [b"", b"no checkpoint", bytes(range(256)) * 20, None], ids=["empty", "text", "bytes", "cut"]
)
def test_training_continues_from_the_epoch_before(
    checkpoints: CheckpointFolder, content: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    commit(checkpoints, 1, 2)
    whole = checkpoints.state_path.read_bytes()
    content = whole[: len(whole) // 2] if content is None else content
    checkpoints.state_path.write_bytes(content)
    good = loaded(checkpoints)
    assert (good.path, good.row) == (checkpoints.previous_path, {"epoch": 1})
    checkpoints.continue_from(good)
    assert checkpoints.bad_path.read_bytes() == content
    assert names(checkpoints) == ["previous.pt", "state.pt.bad"]
    (message,) = caplog.messages
    assert message.startswith(f"{checkpoints.state_path}: no checkpoint that can be read (BadZipFile: ")
    assert message.endswith("; it is now state.pt.bad: training continues from epoch 1, in previous.pt")
    commit(checkpoints, 2)
    assert loaded(checkpoints).row == {"epoch": 2}
    assert names(checkpoints) == ["previous.pt", "state.pt", "state.pt.bad"]


def test_crash_between_the_two_renames_costs_no_checkpoint(checkpoints: CheckpointFolder) -> None:
    commit(checkpoints, 1, 2)
    checkpoints.state_path.replace(checkpoints.previous_path)
    good = loaded(checkpoints)
    assert (good.path, good.row) == (checkpoints.previous_path, {"epoch": 2})
    assert str(good.bad) == f"{checkpoints.state_path} is missing"


@pytest.mark.fault("The last two checkpoints are bad.", trains=False)
def test_two_that_cannot_be_read_are_both_named(checkpoints: CheckpointFolder, note_message: NoteMessage) -> None:
    commit(checkpoints, 1, 2)
    checkpoints.state_path.write_bytes(b"")
    checkpoints.previous_path.write_bytes(b"")
    with pytest.raises(
        BrokenFileError, match=r"state\.pt: no .*; .*previous\.pt: no .*; bring it back, or remove it to"
    ) as caught:
        loaded(checkpoints)
    note_message([str(caught.value)])
    assert names(checkpoints) == ["previous.pt", "state.pt"]


def test_first_checkpoint_that_cannot_be_read_is_named(checkpoints: CheckpointFolder) -> None:
    commit(checkpoints, 1)
    checkpoints.state_path.write_bytes(b"")
    with pytest.raises(
        BrokenFileError, match=r"state\.pt: no checkpoint .*\); bring it back, or remove it to train from"
    ):
        loaded(checkpoints)


@pytest.mark.parametrize(
    ("content", "reason"),
    [([1], "a list is in it"), ({"model": {}}, "no row of its epoch is in it"), ({"row": {"epoch": "1"}}, "no row of")],
)
def test_checkpoint_of_something_else_is_refused(checkpoints: CheckpointFolder, content: Any, reason: str) -> None:
    commit(checkpoints, 1, 2)
    torch.save(content, checkpoints.state_path)
    good = loaded(checkpoints)
    assert reason in str(good.bad)
    assert good.row == {"epoch": 1}


def test_full_disk_names_the_checkpoint_and_leaves_the_last_one(checkpoints: CheckpointFolder) -> None:
    commit(checkpoints, 1, 2)
    large = {**state(3), "optimizer": torch.zeros(10_000)}
    with file_size_limit(20_000), pytest.raises(OSError, match=r"File too large: '.*/checkpoint/state\.pt'$"):
        checkpoints.commit(large)
    assert names(checkpoints) == ["previous.pt", "state.pt"]
    assert equal(loaded(checkpoints).state, state(2))


def test_checkpoint_is_not_blamed_for_a_lack_of_memory(checkpoints: CheckpointFolder) -> None:
    commit(checkpoints, 1)
    checkpoints.commit({**state(2), "optimizer": torch.zeros(2**26, dtype=torch.uint8)})
    with memory_limit(2**25), pytest.raises(RuntimeError, match="can't allocate memory"):
        loaded(checkpoints)
    assert loaded(checkpoints).bad is None


@pytest.mark.parametrize("name", ["partial_epoch.pt", "unfinished.pt"])
def test_partial_epoch_is_read_until_the_next_commit_removes_it(checkpoints: CheckpointFolder, name: str) -> None:
    """Earlier versions called the file unfinished.pt."""
    checkpoints.save_partial_epoch({"step": 3})
    assert names(checkpoints) == ["partial_epoch.pt"]
    checkpoints.partial_epoch_path.rename(checkpoints.path / name)
    assert checkpoints.load_partial_epoch(CPU) == {"step": 3}
    commit(checkpoints, 1)
    assert checkpoints.load_partial_epoch(CPU) is None
    assert names(checkpoints) == ["state.pt"]


def test_new_partial_epoch_goes_before_one_of_an_earlier_version(checkpoints: CheckpointFolder) -> None:
    checkpoints.save_partial_epoch({"step": 3})
    checkpoints.partial_epoch_path.rename(checkpoints.old_partial_epoch_path)
    checkpoints.save_partial_epoch({"step": 5})
    assert checkpoints.load_partial_epoch(CPU) == {"step": 5}


@pytest.mark.fault("One bit of a checkpoint in the middle of an epoch flips.", trains=False)
def test_partial_epoch_with_a_flipped_bit_starts_again(
    checkpoints: CheckpointFolder, caplog: pytest.LogCaptureFixture
) -> None:
    checkpoints.save_partial_epoch({"step": 3, "model": torch.arange(99.0)})
    flip(checkpoints.partial_epoch_path, parts(checkpoints.partial_epoch_path)["records"][500], 0)
    assert checkpoints.load_partial_epoch(CPU) is None
    (message,) = caplog.messages
    assert message.startswith(
        f"{checkpoints.partial_epoch_path}: no checkpoint that can be read (BadZipFile: the CRC32"
    )
    assert message.endswith("; its epoch starts again")


@pytest.mark.fault("The checkpoint of the run that is evaluated is bad.", trains=False)
def test_network_of_another_epoch_is_never_evaluated(
    make_config: MakeConfig, train: Train, note_message: NoteMessage
) -> None:
    folder = train(make_config({"training.epochs": 2}))
    folder.finish()
    flip(folder.state_path, parts(folder.state_path)["records"][900], 0)
    with pytest.raises(
        BrokenFileError, match=r"state\.pt: .* now state\.pt\.bad: .* again, from previous\.pt, with `camp"
    ) as caught:
        load_model(folder, CPU)
    note_message([str(caught.value)])
    with pytest.raises(
        BrokenFileError, match=r"state\.pt is missing: bring a copy back as state\.pt, or train its epoch"
    ):
        load_model(folder, CPU)
    assert folder.checkpoints.has_lost_epoch
    folder.checkpoints.bad_path.replace(folder.state_path)
    assert not folder.checkpoints.has_lost_epoch


@pytest.mark.parametrize("broken", ["model", "evaluated", "optimizer", "schedule"])
@pytest.mark.fault("A checkpoint has the keys of another network.", trains=False)
def test_checkpoint_of_another_network_is_named(
    broken: str, make_config: MakeConfig, train: Train, note_message: NoteMessage
) -> None:
    config = make_config()
    folder = train(config)
    found = torch.load(folder.state_path, weights_only=True)
    del found[broken]
    torch.save(found, folder.state_path)
    with pytest.raises(
        BrokenFileError, match=rf"state\.pt: the checkpoint does not fit .* \(KeyError: '{broken}'\); bring"
    ):
        train(config)
    found["model"] = {"head.weight": torch.zeros(10, 3)}
    torch.save({**found, "evaluated": None}, folder.state_path)
    with pytest.raises(
        BrokenFileError, match=r"state\.pt: the checkpoint does not fit[^\n]* Missing key[^\n]*; bring"
    ) as caught:
        load_model(folder, CPU)
    note_message([str(caught.value)])
    assert len(str(caught.value)) < 500
