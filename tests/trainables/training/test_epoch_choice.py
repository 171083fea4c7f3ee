"""Which epoch is kept and when training ends, by hand; and which metrics are refused."""

import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.harness.counted_epochs import CountEpochs, epochs_in_files
from tests.trainables.conftest import CPU, MakeConfig
from tests.trainables.training.test_resume import DAMAGES, assert_same_trial, flip_bit
from trainables.config import ConfigError, ExperimentConfig
from trainables.data import build_data
from trainables.models import Classifier
from trainables.training import LocalContext, fit
from trainables.training.epoch_choice import check_epoch_choice
from trainables.training.loop import Fitted
from trainables.trial_folder import Row, TrialFolder

ACCURACY, LOSS = "val/accuracy", "val/loss"
KEEP = {"training.keep": "best", "training.keep_metric": ACCURACY}
EPOCHS = {"training.epochs": 5}


Contexts = Callable[[str], LocalContext]


@pytest.fixture
def contexts(tmp_path: Path) -> Contexts:
    """Return a maker of the place of a trial by its name."""
    return lambda name: LocalContext(TrialFolder(tmp_path / name), device=CPU)


@pytest.fixture
def context(contexts: Contexts) -> LocalContext:
    return contexts("trial")


@pytest.fixture
def heads() -> list[torch.Tensor]:
    """The weights of the head after each epoch that `fit_with` trains."""
    return []


FitWith = Callable[..., Fitted]


@pytest.fixture
def fit_with(make_config: MakeConfig, contexts: Contexts, heads: list[torch.Tensor]) -> FitWith:
    """Return a function that trains with the values of `metric` given by epoch, and stops after `until` epochs."""

    def run(
        metric: str, values: list[float], overrides: dict[str, Any], *, name: str = "trial", until: int | None = None
    ) -> Fitted:
        def validate(model: Classifier | None, epoch: int) -> Row:
            if model is None:
                return {}
            heads.append(model.head.weight.detach().clone())
            return {metric: values[epoch - 1]}

        def stop(row: Row) -> None:
            if row["epoch"] == until:
                raise SystemExit

        context, config = contexts(name), make_config(EPOCHS | overrides)
        context.on_report = stop
        return fit(config, context, data=build_data(config.data), validate=validate)

    return run


@pytest.mark.parametrize(
    ("metric", "values", "kept"),
    [
        (ACCURACY, [0.5, 0.75, 0.25, 0.75, 0.5], [1, 2, 2, 2, 2]),
        (LOSS, [3.0, 2.0, 4.0, 1.0, 1.0], [1, 2, 2, 4, 4]),
        (ACCURACY, [0.1, 0.2, 0.3, 0.4, 0.5], [1, 2, 3, 4, 5]),
        ("val/background/influence_share", [math.nan, 0.5, math.nan, 0.5, 0.25], [None, 2, 2, 2, 5]),
    ],
    ids=["a tie", "lower is better", "always better", "not finite"],
)
def test_the_first_of_the_best_epochs_is_kept(
    fit_with: FitWith,
    context: LocalContext,
    heads: list[torch.Tensor],
    metric: str,
    values: list[float],
    kept: list[int | None],
) -> None:
    fitted = fit_with(metric, values, {**KEEP, "training.keep_metric": metric})
    assert [row.get("kept_epoch") for row in context.folder.rows()] == kept
    best = kept[-1]
    assert best is not None
    assert (fitted.row["epoch"], fitted.row["kept_epoch"], fitted.row[metric]) == (5, best, values[best - 1])
    assert torch.equal(fitted.model.head.weight, heads[best - 1])


def test_without_a_choice_rows_say_nothing_of_it(fit_with: FitWith, context: LocalContext) -> None:
    fitted = fit_with(ACCURACY, [0.5, 0.4, 0.3, 0.2, 0.1], {})
    assert fitted.row == context.folder.rows()[-1]
    assert not [name for row in context.folder.rows() for name in row if name.startswith(("kept", "epochs"))]
    assert not context.folder.checkpoints.best_path.exists()


@pytest.mark.parametrize(
    ("values", "patience", "min_delta", "counts"),
    [
        ([0.5, 0.25, 0.75, 0.5, 0.25], 2, 0.0, [0, 1, 0, 1, 2]),
        ([0.5, 0.25, 0.25, 0.75, 1.0], 2, 0.0, [0, 1, 2]),
        ([0.5, 0.5, 0.5, 0.5, 0.5], 1, 0.0, [0, 1]),
        ([0.25, 0.5, 0.75, 1.0, 1.0], 2, 0.25, [0, 1, 0, 1, 2]),
        ([0.5, math.nan, 0.75, math.nan, math.nan], 3, 0.0, [0, 1, 0, 1, 2]),
    ],
    ids=["at the end", "early", "no change", "too small a change", "not finite"],
)
def test_patience_counts_the_epochs_without_an_improvement(
    fit_with: FitWith, context: LocalContext, values: list[float], patience: int, min_delta: float, counts: list[int]
) -> None:
    early = {"metric": ACCURACY, "patience": patience, "min_delta": min_delta}
    fitted = fit_with(ACCURACY, values, {"training.early_stopping": early})
    assert [row["epochs_without_improvement"] for row in context.folder.rows()] == counts
    assert fitted.row["epoch"] == len(counts)
    assert fitted.row[ACCURACY] == pytest.approx(values[len(counts) - 1], nan_ok=True)


def test_schedules_keep_their_planned_length(fit_with: FitWith, context: LocalContext) -> None:
    fit_with(ACCURACY, [0.5] * 5, {"training.early_stopping": {"metric": ACCURACY, "patience": 2}})
    stopped = [row["optim/learning_rate"] for row in context.folder.rows()]
    for path in (context.folder.checkpoints.state_path, context.folder.checkpoints.previous_path):
        path.unlink()
    context.folder.metrics_path.unlink()
    fit_with(ACCURACY, [0.5] * 5, {})
    assert [row["optim/learning_rate"] for row in context.folder.rows()][:3] == stopped


def test_a_trial_that_stopped_early_trains_no_further(
    fit_with: FitWith, context: LocalContext, heads: list[torch.Tensor]
) -> None:
    early = {"training.early_stopping": {"metric": ACCURACY, "patience": 1}, **KEEP}
    values = [0.5, 0.25, 1.0, 1.0, 1.0]
    with pytest.raises(SystemExit):
        fit_with(ACCURACY, values, early, until=2)
    fitted = fit_with(ACCURACY, values, early)
    assert len(heads) == len(context.folder.rows()) == 2
    assert torch.equal(fitted.model.head.weight, heads[0])


def test_only_epochs_with_a_classifier_are_kept_and_counted(fit_with: FitWith, context: LocalContext) -> None:
    supcon = {"objective.kind": "supcon", "objective.fit_every_epochs": 2, **KEEP}
    early = {"training.early_stopping": {"metric": ACCURACY, "patience": 1}}
    fitted = fit_with(ACCURACY, [9.0, 0.5, 9.0, 0.25, 9.0], {**supcon, **early})
    assert [row.get("kept_epoch") for row in context.folder.rows()] == [None, 2, 2, 2]
    assert [row["epochs_without_improvement"] for row in context.folder.rows()] == [0, 0, 0, 1]
    assert fitted.row[ACCURACY] == 0.5


def test_a_metric_that_is_never_finite_keeps_nothing(fit_with: FitWith) -> None:
    with pytest.raises(FloatingPointError, match=r"^training\.keep_metric = val/accuracy was finite after no epoch"):
        fit_with(ACCURACY, [math.nan] * 5, KEEP)


def test_a_metric_that_the_data_do_not_give_is_refused_after_an_epoch(fit_with: FitWith, context: LocalContext) -> None:
    message = r"^training\.keep_metric = val/accuracy is not reported of these data; their epochs report val/loss$"
    with pytest.raises(ConfigError, match=message):
        fit_with(LOSS, [1.0] * 5, KEEP)
    assert context.folder.rows() == []


VALUES = [0.5, 0.75, 0.25, 0.5, 1.0]
"""With a patience of 2 the second epoch is kept, and the fourth is the last."""
BEST_AND_EARLY = {**KEEP, "training.early_stopping": {"metric": ACCURACY, "patience": 2}}


def remove_best(folder: TrialFolder) -> None:
    """As a kill between the two checkpoints of a first epoch leaves it."""
    folder.checkpoints.best_path.unlink()


@pytest.mark.fault("A kill around the commit of the best epoch, with a bad checkpoint or rows lost.", says=False)
@pytest.mark.parametrize("damage", [*DAMAGES, remove_best], ids=lambda damage: damage.__name__)
def test_a_kill_around_the_commit_of_the_best_epoch_keeps_it(
    fit_with: FitWith, contexts: Contexts, damage: Callable[[TrialFolder], None], count_epochs: CountEpochs
) -> None:
    fit_with(ACCURACY, VALUES, BEST_AND_EARLY, name="straight")
    with pytest.raises(SystemExit):
        fit_with(ACCURACY, VALUES, BEST_AND_EARLY, name="killed", until=2)
    damage(contexts("killed").folder)
    fit_with(ACCURACY, VALUES, BEST_AND_EARLY, name="killed")
    assert [row["kept_epoch"] for row in contexts("killed").folder.rows()] == [1, 2, 2, 2]
    count_epochs(epochs_in_files([contexts("killed").folder]), 4)
    assert_same_trial(contexts("killed").folder, contexts("straight").folder)


@pytest.mark.fault("A kill before each rename of a trial that keeps its best epoch.", says=False)
def test_a_kill_before_any_rename_leaves_the_same_best_epoch(
    fit_with: FitWith, contexts: Contexts, monkeypatch: pytest.MonkeyPatch, count_epochs: CountEpochs
) -> None:
    replace, renames = Path.replace, 0

    def killed_before(number: int | None) -> Callable[[Path, Path], Path]:
        def rename(path: Path, target: Path) -> Path:
            nonlocal renames
            renames += 1
            if renames == number:
                raise SystemExit
            return replace(path, target)

        return rename

    monkeypatch.setattr(Path, "replace", killed_before(None))
    fit_with(ACCURACY, VALUES, BEST_AND_EARLY, name="straight")
    total = renames
    assert total == 2 + 4 * 3 + 2  # model.json and no rows; an epoch's two of state.pt and its rows; two of best.pt
    for number in range(3, total + 1):
        renames, name = 0, f"killed-{number}"
        monkeypatch.setattr(Path, "replace", killed_before(number))
        with pytest.raises(SystemExit):
            fit_with(ACCURACY, VALUES, BEST_AND_EARLY, name=name)
        monkeypatch.setattr(Path, "replace", replace)
        fit_with(ACCURACY, VALUES, BEST_AND_EARLY, name=name)
        count_epochs(epochs_in_files([contexts(name).folder]), 4)
        assert_same_trial(contexts(name).folder, contexts("straight").folder)


@pytest.mark.fault("One bit of the checkpoint of the best epoch flips.")
@pytest.mark.parametrize("damage", ["flip", "remove"])
def test_a_best_epoch_that_is_lost_is_replaced_by_the_last_one(
    fit_with: FitWith,
    context: LocalContext,
    heads: list[torch.Tensor],
    caplog: pytest.LogCaptureFixture,
    count_epochs: CountEpochs,
    damage: str,
) -> None:
    values, checkpoints = [0.75, 0.5, 0.25, 0.25, 0.5], context.folder.checkpoints
    with pytest.raises(SystemExit):
        fit_with(ACCURACY, values, KEEP, until=3)
    flip_bit(checkpoints.best_path) if damage == "flip" else checkpoints.best_path.unlink()
    with caplog.at_level(logging.WARNING):
        fitted = fit_with(ACCURACY, values, KEEP)
    (message,) = caplog.messages
    assert message.startswith(f"{checkpoints.best_path}")
    assert message.endswith("the network of epoch 1 is lost; epoch 3, the last one, is kept")
    assert ("it is now best.pt.bad" in message) == (damage == "flip")
    assert [row["kept_epoch"] for row in context.folder.rows()] == [1, 1, 3, 3, 5]
    count_epochs(epochs_in_files([context.folder]), 5)
    assert torch.equal(fitted.model.head.weight, heads[4])


def test_a_best_epoch_that_is_lost_after_the_end_is_replaced_once(
    fit_with: FitWith, context: LocalContext, heads: list[torch.Tensor], caplog: pytest.LogCaptureFixture
) -> None:
    values = [0.75, 0.5, 0.25, 0.25, 0.5]
    fit_with(ACCURACY, values, KEEP)
    flip_bit(context.folder.checkpoints.best_path)
    for _ in range(2):
        fitted = fit_with(ACCURACY, values, KEEP)
        assert fitted.row["kept_epoch"] == 5
        assert torch.equal(fitted.model.head.weight, heads[4])
    assert len(caplog.messages) == 1
    assert len(heads) == 5


def test_an_embedding_that_loses_its_best_epoch_keeps_a_later_one(
    fit_with: FitWith, context: LocalContext, caplog: pytest.LogCaptureFixture
) -> None:
    supcon = {"objective.kind": "supcon", "objective.fit_every_epochs": 2, **KEEP}
    with pytest.raises(SystemExit):
        fit_with(ACCURACY, [0.0, 0.75, 0.0, 0.5, 0.25], supcon, until=3)
    flip_bit(context.folder.checkpoints.best_path)
    fit_with(ACCURACY, [0.0, 0.75, 0.0, 0.5, 0.25], supcon)
    (message,) = caplog.messages
    assert message.endswith("the network of epoch 2 is lost; the best of the epochs after it is kept")
    assert [row.get("kept_epoch") for row in context.folder.rows()] == [None, 2, None, 4, 4]


FOLDER = {"data.kind": "image_folder", "data.root": "/p"}
TEST = "is of test images, on which the trial is reported, and which therefore choose nothing"
REFUSED = [
    ("test/accuracy", {}, f"{TEST}; take val/accuracy"),
    ("shift/random_background/accuracy", {}, f"{TEST}; take val/worst_group_accuracy"),
    ("train/loss", {}, "is of the training images, on which a network that overfits only gets better; take val/loss"),
    (
        "val/background/foreground_influence",
        {},
        "is neither better when it is higher nor when it is lower; take one of ",
    ),
    ("background/rfs", {}, "is not measured on these data after every epoch; take one of val/loss, val/accuracy, "),
    ("val/acuracy", {}, "is not measured on these data after every epoch; take one of val/loss, val/accuracy, "),
    ("val/background/influence_share", FOLDER, "is not measured on these data after every epoch; take one of "),
    ("val/mean_average_precision", {}, "is not measured on these data after every epoch; take one of "),
]


def choosing(make_config: MakeConfig, metric: str, overrides: dict[str, Any]) -> list[tuple[str, ExperimentConfig]]:
    keep = {**KEEP, "training.keep_metric": metric}
    early = {"training.early_stopping": {"metric": metric, "patience": 1}}
    return [
        ("training.keep_metric", make_config(overrides | keep)),
        ("training.early_stopping.metric", make_config(overrides | early)),
    ]


@pytest.mark.parametrize(("metric", "overrides", "reason"), REFUSED)
def test_what_epochs_are_not_chosen_by_is_refused(
    make_config: MakeConfig, metric: str, overrides: dict[str, Any], reason: str
) -> None:
    for field, config in choosing(make_config, metric, overrides):
        with pytest.raises(ConfigError) as caught:
            check_epoch_choice(config)
        assert str(caught.value).startswith(f"{field} = {metric} {reason}")


@pytest.mark.parametrize(
    "metric", [ACCURACY, LOSS, "val/background/influence_share", "val/faithfulness/max_logit_error"]
)
def test_what_epochs_are_chosen_by_is_accepted(make_config: MakeConfig, metric: str) -> None:
    for _, config in choosing(make_config, metric, {}):
        check_epoch_choice(config)
    check_epoch_choice(make_config())
