"""The contract of `RunContext`, which every place a trial can run in keeps."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import ray.train
import torch
from ray.train.torch import TorchTrainer
from torch import nn

from tests.trainables.conftest import CPU
from trainables.training import LocalContext, RunContext, default_device
from trainables.trial_folder import Row, TrialFolder
from trainables.worker import TrainWorkerContext

MakeContext = Callable[[Callable[[Row], None]], RunContext]
Run = Callable[[Callable[[], None]], None]


def run_here(function: Callable[[], None]) -> None:
    function()


def run_in_ray_train(function: Callable[[], None]) -> None:
    """Ray Train's local mode, which needs no Ray cluster."""
    TorchTrainer(function, scaling_config=ray.train.ScalingConfig(num_workers=0)).fit()


@pytest.fixture(params=["local", "train_worker"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[MakeContext, Run]:
    """A maker of contexts of one worker, and a function that runs another as that worker."""
    folder = TrialFolder(tmp_path)
    if request.param == "local":
        return lambda on_report: LocalContext(folder, on_report, device=CPU), run_here

    def make(on_report: Callable[[Row], None]) -> RunContext:
        return TrainWorkerContext(folder=folder, on_report=on_report, rank=0, world_size=1, device=CPU)

    return make, run_in_ray_train


def test_a_single_worker_is_rank_0_of_1(place: tuple[MakeContext, Run], tmp_path: Path) -> None:
    context = place[0](lambda _: None)
    assert (context.rank, context.world_size) == (0, 1)
    assert context.device == CPU
    assert context.folder == TrialFolder(tmp_path)


def test_a_wrapped_network_shares_its_weights_and_trains(place: tuple[MakeContext, Run]) -> None:
    model = nn.Linear(3, 2)
    wrapped = place[0](lambda _: None).wrap(model)
    inputs = torch.ones(4, 3)
    torch.testing.assert_close(wrapped(inputs), model(inputs))
    wrapped(inputs).sum().backward()
    assert model.weight.grad is not None


@pytest.mark.parametrize("value", [3, None, {"a": [1.5]}, ("b", (1, 2))])
def test_gather_returns_a_value_for_each_rank(place: tuple[MakeContext, Run], value: Any) -> None:
    assert place[0](lambda _: None).gather(value) == [value]


def test_gather_returns_tensors_as_they_are(place: tuple[MakeContext, Run]) -> None:
    value = torch.tensor([1.0, torch.nan])
    (found,) = place[0](lambda _: None).gather(value)
    torch.testing.assert_close(found, value, equal_nan=True)


def test_report_hands_the_row_on(place: tuple[MakeContext, Run]) -> None:
    make, run = place
    seen: list[Row] = []
    run(lambda: make(seen.append).report({"epoch": 1, "val/loss": 0.5}))
    assert seen == [{"epoch": 1, "val/loss": 0.5}]


def test_report_can_end_the_trial(place: tuple[MakeContext, Run]) -> None:
    make, run = place

    def stop(_: Row) -> None:
        raise SystemExit

    with pytest.raises(SystemExit):
        run(lambda: make(stop).report({"epoch": 1}))


def test_a_local_report_needs_no_listener(tmp_path: Path) -> None:
    LocalContext(TrialFolder(tmp_path)).report({"epoch": 1})


def test_the_default_device_is_an_accelerator_where_there_is_one(tmp_path: Path) -> None:
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert default_device().type == expected
    assert LocalContext(TrialFolder(tmp_path)).device == default_device()


def test_no_machine_leaves_without_a_notice(place: tuple[MakeContext, Run]) -> None:
    make, run = place
    found = []
    run(lambda: found.append(make(lambda _: None).preemption_notice()))
    assert found == [False]
