"""The time of an epoch, from a clock whose steps are known."""

from itertools import accumulate
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.trainables.conftest import MakeConfig
from trainables.training import step_time


@pytest.mark.parametrize(
    ("num_train", "seconds", "expected"),
    [
        (112, [9, 1, 2, 3, 4, 5], 3 * 7),  # seven batches; the first step warms up and the last one is not timed
        (48, [9, 1, 3], 2 * 3),  # fewer batches than timed steps
        (16, [9], 9),  # the only step counts
    ],
)
def test_epoch_is_its_batches_times_the_mean_step_after_the_first(
    num_train: int,
    seconds: list[int],
    expected: float,
    make_config: MakeConfig,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    readings = iter(accumulate(reading for step in seconds for reading in (100, step)))
    monkeypatch.setattr(step_time, "time", SimpleNamespace(perf_counter=lambda: next(readings)))
    config = make_config({"data.num_train": num_train})
    assert step_time.time_epoch(config) == expected
    assert next(readings, None) is None
    assert list(tmp_path.iterdir()) == []
