"""Just Train Twice: the mistakes of a first network, and a second one that sees them more often."""

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.trainables.conftest import CPU, MakeConfig, Train
from tests.trainables.evaluations.conftest import linear_classifier
from tests.trainables.training.test_group_dro import World, core_and_shortcut, learner_of
from tests.trainables.training.test_preemption import STEPS, SpotContext, TakenAwayError
from tests.trainables.training.test_resume import assert_same_trial, flip_bit_of_checkpoint, stop_after
from trainables.config import ExperimentConfig
from trainables.data import Batch, Draw, ImageSet, build_data, evaluation_batches
from trainables.data.sampling import epoch_order
from trainables.models import Classifier
from trainables.training import LocalContext
from trainables.training.jtt import first_config, mistakes_of, with_mistakes_upweighted
from trainables.training.learner import Learner
from trainables.trial import load_model, run_trial
from trainables.trial_folder import TrialFolder

UPWEIGHT = 3
JTT: dict[str, Any] = {"training.jtt": {"epochs": 2, "upweight": UPWEIGHT}, "training.epochs": 2}
CHECKS = 3
"""For a notice, in an epoch of `STEPS` steps."""


class FaintWorld(World):
    """A world whose object is always right and faint, and whose background is right in 9 of 10 images."""

    def __init__(self) -> None:
        super().__init__(num_usual=9)
        self.images_NCHW[:, 0] = self.images_NCHW[:, 0].abs() * (2 * self.labels_N - 1).view(-1, 1, 1) / 10


def test_the_minority_is_the_mistakes_and_upweighted_leaves_no_shortcut(tmp_path: Path) -> None:
    """Nine times the minority is as much as the majority: then the background has no gradient, at any step."""
    world = FaintWorld()
    first = learner_of(world, tmp_path, {"kind": "cross_entropy"})
    first.begin(1)
    for _ in range(3):
        first.step(world.all())
    mistakes = mistakes_of(first.evaluated, evaluation_batches(world, batch_size=7), CPU)
    assert mistakes == (world.groups_N == 1).nonzero().flatten().tolist()
    times_N = (1 + 8 * world.groups_N).numpy()
    order = epoch_order(len(world), seed=0, epoch=1, times_N=times_N)
    batch = world.__getitems__([Draw(int(index), 0) for index in order.indices_M])
    assert batch.indices_B is not None
    assert Counter(batch.indices_B.tolist()) == dict(enumerate(times_N.tolist()))
    second = learner_of(world, tmp_path, {"kind": "cross_entropy"})
    for _ in range(3):
        second.step(batch)
    core, shortcut = core_and_shortcut(second)
    assert shortcut == pytest.approx(0, abs=1e-6)
    assert core > 0.01
    assert mistakes_of(second.evaluated, evaluation_batches(world, batch_size=7), CPU) == []
    assert core_and_shortcut(first)[1] > core_and_shortcut(first)[0] > 0


def test_mistakes_are_those_of_eval_mode_and_the_mode_comes_back() -> None:
    """Class 1 where the mean of green is above that of red: the world's usual background is green for it."""
    world = World()
    model = linear_classifier([[0.0, 0.0, 0.0], [0.0, 1.0, 0.0]]).train()
    mistakes = mistakes_of(model, evaluation_batches(world, batch_size=5), CPU)
    assert mistakes == (world.groups_N == 1).nonzero().flatten().tolist()
    assert model.training


def test_the_first_network_is_that_of_plain_training(make_config: MakeConfig, train: Train) -> None:
    """Of as many epochs and the same seed; the second begins with the same weights, and sees the mistakes thrice."""
    plain = train(make_config({"training.epochs": 2}), "plain")
    folder = train(make_config(JTT), "twice")
    data = build_data(make_config(JTT).data)
    mistakes = mistakes_of(load_model(plain, CPU), evaluation_batches(data.train, batch_size=64), CPU)
    assert 0 < len(mistakes) < 64
    noted = folder.first_network.load_state(CPU)
    assert noted is not None
    assert noted["mistakes"].tolist() == mistakes
    rows = folder.rows()
    assert [row["epoch"] for row in rows] == [1, 2]
    assert {row["train/upweighted_samples"] for row in rows} == {len(mistakes)}
    steps = (64 + (UPWEIGHT - 1) * len(mistakes)) // 16
    second = folder.load_state(CPU)
    assert second is not None
    assert second["schedule"]["last_epoch"] == 2 * steps
    first_rows = [row["train/loss"] for row in folder.first_network.rows()]
    assert first_rows == [row["train/loss"] for row in plain.rows()]


class AsPredicted:
    """The images of a set, whose labels are what a network makes of them."""

    num_skipped = 0

    def __init__(self, images: ImageSet, model: Classifier) -> None:
        self._images = images
        self._model = model
        self.class_names = images.class_names

    def __len__(self) -> int:
        return len(self._images)

    def __getitems__(self, draws: list[Draw]) -> Batch:
        batch = self._images.__getitems__(draws)
        return replace(batch, labels_B=self._model(batch.images_BCHW).logits.argmax(1))

    def digest(self) -> str:
        return self._images.digest()


def test_a_first_network_without_mistakes_upweights_nothing_and_says_so(
    make_config: MakeConfig, train: Train, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plain = train(make_config({"training.epochs": 2}), "plain")
    config, context = make_config(JTT), LocalContext(TrialFolder(tmp_path / "twice"), device=CPU)
    context.folder.claim(config)
    data = build_data(config.data)
    right = replace(data, train_unaugmented=AsPredicted(data.train, load_model(plain, CPU)))
    with caplog.at_level(logging.WARNING):
        times_N = with_mistakes_upweighted(config, context, right).train_times_N
    assert caplog.messages == [
        "training.jtt: the first network gets all 64 training images right, so that none is upweighted; lower "
        "training.jtt.epochs"
    ]
    assert times_N is not None
    assert times_N.tolist() == [1] * 64


def test_the_first_network_warms_up_within_its_epochs_keeps_its_head_and_chooses_none(make_config: MakeConfig) -> None:
    config = make_config(
        {
            "training.epochs": 9,
            "training.jtt": {"epochs": 2, "upweight": 3},
            "training.keep": "best",
            "training.keep_metric": "val/accuracy",
            "training.early_stopping": {"metric": "val/loss", "patience": 1},
            "optim.warmup_epochs": 4,
            "objective.dfr": {},
        }
    )
    assert config.training.jtt is not None
    first = first_config(config, config.training.jtt)
    plain = make_config({"training.epochs": 2, "optim.warmup_epochs": 1})
    assert first == plain


@dataclass(slots=True)
class CutContext(SpotContext):
    """A place that is gone at a check, and gets no notice before."""

    noticed_at: int = 99


@dataclass(frozen=True)
class Cut:
    """Where a trial is cut off, and what is left of it."""

    checks: int
    """Checks for a notice until then."""
    notice: int = 99
    """The check at which notice is given, if any."""
    first_epochs: int = 2
    """Epochs of the first network that are committed."""
    steps_left: int = 0
    """Of both trainings, less the whole of the second."""


CUTS = {
    "in the first network's first epoch": Cut(checks=1, first_epochs=0, steps_left=2 * STEPS),
    "after the first network's first epoch": Cut(checks=CHECKS, first_epochs=1, steps_left=STEPS),
    "in its second epoch, with notice": Cut(checks=CHECKS + 2, notice=CHECKS + 1, first_epochs=1, steps_left=STEPS - 2),
    "between the two networks": Cut(checks=2 * CHECKS),
    "in the second network's first epoch, with notice": Cut(
        checks=2 * CHECKS + 2, notice=2 * CHECKS + 1, steps_left=-2
    ),
}


def cut_off(config: ExperimentConfig, folder: TrialFolder, cut: Cut) -> None:
    folder.claim(config)
    context = CutContext(folder, device=CPU, noticed_at=cut.notice, gone_at=cut.checks)
    with pytest.raises(TakenAwayError):
        run_trial(config, context)


@pytest.mark.parametrize("where", CUTS)
def test_a_trial_that_is_cut_off_before_its_first_epoch_goes_on(
    where: str, make_config: MakeConfig, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, cut, folder = make_config(JTT), CUTS[where], TrialFolder(tmp_path / "cut")
    straight = train(config, "straight")
    cut_off(config, folder, cut)
    assert folder.rows() == []
    assert len(folder.first_network.rows()) == cut.first_epochs
    steps = count_steps(monkeypatch)
    assert_same_trial(train(config, "cut"), straight)
    state = straight.load_state(CPU)
    assert state is not None
    assert steps() == cut.steps_left + state["schedule"]["last_epoch"]
    assert noted(folder) == noted(straight)


def count_steps(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Return what says how many steps learners have taken since."""
    taken = 0
    step = Learner.step

    def counted(self: Learner, batch: Any) -> Any:
        nonlocal taken
        taken += 1
        return step(self, batch)

    monkeypatch.setattr(Learner, "step", counted)
    return lambda: taken


def noted(folder: TrialFolder) -> list[int]:
    """Return the mistakes in the checkpoint of the first network."""
    state = folder.first_network.load_state(CPU)
    assert state is not None
    mistakes: list[int] = state["mistakes"].tolist()
    return mistakes


def lose_the_mistakes(first: TrialFolder) -> None:
    """Leave what there is between the last epoch of the first network and its mistakes."""
    first.checkpoints.previous_path.replace(first.checkpoints.state_path)


@pytest.mark.parametrize("damage", [lose_the_mistakes, flip_bit_of_checkpoint])
def test_mistakes_that_are_lost_are_found_again(
    damage: Callable[[TrialFolder], None], make_config: MakeConfig, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config(JTT)
    folder = train(config)
    before = noted(folder)
    damage(folder.first_network)
    steps = count_steps(monkeypatch)
    rows = folder.rows()
    train(config)
    assert steps() == 0
    assert noted(folder) == before
    assert folder.rows() == rows


def test_a_trial_that_is_stopped_in_the_second_training_goes_on(make_config: MakeConfig, train: Train) -> None:
    config = make_config({**JTT, "training.ema_decay": 0.8})
    straight = train(config, "straight")
    for epoch in (1, 2):
        with pytest.raises(SystemExit):
            train(config, "stopped", on_report=stop_after(epoch))
    assert_same_trial(train(config, "stopped"), straight)


def test_a_stopped_trial_goes_on_with_the_mistakes_that_are_noted(make_config: MakeConfig, train: Train) -> None:
    """Others in their place make another training."""
    config = make_config(JTT)
    straight = train(config, "straight")
    with pytest.raises(SystemExit):
        train(config, "stopped", on_report=stop_after(1))
    folder = TrialFolder(straight.path.with_name("stopped"))
    first = folder.first_network
    first.commit({"mistakes": torch.tensor([3])}, first.rows())
    assert train(config, "stopped").rows()[-1]["train/upweighted_samples"] == 1


def test_two_workers_find_the_mistakes_of_one() -> None:
    """Each finds those of its share of the images."""
    world = World(num_usual=2)
    model = linear_classifier([[0.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    shares = [
        mistakes_of(model, evaluation_batches(world, batch_size=5, rank=rank, world_size=2), CPU) for rank in (0, 1)
    ]
    assert sorted([*shares[0], *shares[1]]) == (world.groups_N == 1).nonzero().flatten().tolist()
    assert all(shares)
