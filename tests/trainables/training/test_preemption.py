"""An epoch that is kept on notice and resumed ends as if it had not been interrupted, bit for bit on a CPU."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.trainables.conftest import CPU, MakeConfig, Train
from tests.trainables.training.test_resume import VARIANTS, assert_same_trial
from trainables.config import ExperimentConfig
from trainables.training import LocalContext
from trainables.training.preemption import PartialEpoch, save_on_preemption
from trainables.trial import run_trial
from trainables.trial_folder import TrialFolder

STEPS = 4  # of an epoch: 64 images in batches of 16


class TakenAwayError(Exception):
    """The machine is gone."""


@dataclass(slots=True)
class SpotContext(LocalContext):
    """A place that gets notice at one check, and is gone some checks later."""

    noticed_at: int = 1
    gone_at: int = 1
    checks: int = 0

    def preemption_notice(self) -> bool:
        if self.checks == self.gone_at:
            raise TakenAwayError
        self.checks += 1
        return self.checks >= self.noticed_at


@pytest.fixture
def interrupt(tmp_path: Path) -> Callable[..., TrialFolder]:
    """Return a function that trains a config until its machine is gone."""

    def train(config: ExperimentConfig, *, noticed_at: int, gone_at: int) -> TrialFolder:
        folder = TrialFolder(tmp_path / "spot")
        folder.claim(config)
        with pytest.raises(TakenAwayError):
            run_trial(config, SpotContext(folder, device=CPU, noticed_at=noticed_at, gone_at=gone_at))
        return folder

    return train


@pytest.mark.parametrize("variant", VARIANTS)
def test_epoch_goes_on_where_it_was_kept(
    variant: str, make_config: MakeConfig, train: Train, interrupt: Callable[..., TrialFolder]
) -> None:
    config = make_config(VARIANTS[variant])
    straight = train(config, "straight")
    # Three checks an epoch: the notice comes after the first step of the second epoch, the end after its third.
    folder = interrupt(config, noticed_at=4, gone_at=5)
    assert [row["epoch"] for row in folder.rows()] == [1]
    kept = folder.checkpoints.load_partial_epoch(CPU)
    assert kept is not None
    assert (kept["epoch"], kept["step"]) == (2, 2)
    torch.rand(3)  # The state of the global generator has no effect.
    assert_same_trial(train(config, "spot"), straight)
    assert folder.checkpoints.load_partial_epoch(CPU) is None


def test_first_epoch_is_kept_too(make_config: MakeConfig, train: Train, interrupt: Callable[..., TrialFolder]) -> None:
    config = make_config()
    straight = train(config, "straight")
    folder = interrupt(config, noticed_at=1, gone_at=2)
    assert folder.rows() == []
    assert folder.load_state(CPU) is None
    assert_same_trial(train(config, "spot"), straight)


def test_only_the_steps_that_are_left_are_trained(
    make_config: MakeConfig, train: Train, interrupt: Callable[..., TrialFolder], monkeypatch: pytest.MonkeyPatch
) -> None:
    from trainables.training.learner import Learner

    config = make_config()
    interrupt(config, noticed_at=4, gone_at=5)
    steps = 0
    step = Learner.step

    def counted(self: Learner, batch: Any) -> Any:
        nonlocal steps
        steps += 1
        return step(self, batch)

    monkeypatch.setattr(Learner, "step", counted)
    train(config, "spot")
    assert steps == 2 * STEPS - 2


def test_nothing_is_kept_without_a_notice(make_config: MakeConfig, interrupt: Callable[..., TrialFolder]) -> None:
    assert interrupt(make_config(), noticed_at=99, gone_at=5).checkpoints.load_partial_epoch(CPU) is None


@pytest.mark.parametrize("change", [{"epoch": 3}, {"shares": []}])
def test_what_belongs_elsewhere_is_left(
    change: dict[str, Any], make_config: MakeConfig, train: Train, interrupt: Callable[..., TrialFolder]
) -> None:
    config = make_config()
    straight = train(config, "straight")
    folder = interrupt(config, noticed_at=4, gone_at=5)
    kept = folder.checkpoints.load_partial_epoch(CPU)
    assert kept is not None
    folder.checkpoints.save_partial_epoch({**kept, **change})
    assert_same_trial(train(config, "spot"), straight)


def test_torn_file_is_left(make_config: MakeConfig, train: Train, interrupt: Callable[..., TrialFolder]) -> None:
    config = make_config()
    straight = train(config, "straight")
    folder = interrupt(config, noticed_at=4, gone_at=5)
    folder.checkpoints.partial_epoch_path.write_bytes(folder.checkpoints.partial_epoch_path.read_bytes()[:100])
    assert_same_trial(train(config, "spot"), straight)


def test_generators_go_on(make_config: MakeConfig, interrupt: Callable[..., TrialFolder]) -> None:
    kept = interrupt(make_config(), noticed_at=1, gone_at=2).checkpoints.load_partial_epoch(CPU)
    assert kept is not None
    assert kept["shares"][0]["generators"]["cpu"].dtype == torch.uint8


@pytest.mark.parametrize(
    ("num_steps", "asked"),
    [
        (4, [1, 2, 3]),
        (39, list(range(2, 39, 2))),
        (40, list(range(2, 40, 2))),
        (1000, list(range(50, 1000, 50))),
        (10_010, list(range(50, 10_010, 50))),
    ],
)
def test_notice_is_asked_for_often_enough_and_not_too_often(num_steps: int, asked: list[int], tmp_path: Path) -> None:
    context = SpotContext(TrialFolder(tmp_path), device=CPU, noticed_at=10_000, gone_at=10_000)
    learner: Any = None  # what is not kept is not looked at
    found = []
    for step in range(1, num_steps + 1):
        before = context.checks
        save_on_preemption(context, learner, PartialEpoch(step=step), epoch=1, num_steps=num_steps)
        found += [step] * (context.checks - before)
    assert found == asked
