"""What `fit` commits and refuses; how it resumes is tested in other files."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.trainables.conftest import CPU, MakeConfig
from trainables.config import ConfigError, ExperimentConfig
from trainables.data import Batch, DataBundle, Draw, ImageSet, build_data
from trainables.json_file import read_json
from trainables.models import Classifier
from trainables.training import LocalContext, fit
from trainables.training.loop import Fitted
from trainables.trial_folder import Row, TrialFolder

Validate = Callable[[Classifier, int], Row]


def no_validation(model: Classifier, epoch: int) -> Row:  # noqa: ARG001
    return {}


@pytest.fixture
def context(tmp_path: Path) -> LocalContext:
    return LocalContext(TrialFolder(tmp_path), device=CPU)


def fit_in(
    context: LocalContext, config: ExperimentConfig, *, data: DataBundle | None = None, validate: Validate | None = None
) -> Fitted:
    return fit(config, context, data=data or build_data(config.data), validate=validate or no_validation)


class Masking:
    """A data set of which every `every`-th image has no mask."""

    num_skipped = 0

    def __init__(self, images: ImageSet, *, every: int) -> None:
        self._images = images
        self._every = every
        self.class_names = images.class_names

    def __len__(self) -> int:
        return len(self._images)

    def __getitems__(self, draws: list[Draw]) -> Batch:
        batch = self._images.__getitems__(draws)
        has_mask_B = torch.tensor([draw.index % self._every != 0 for draw in draws])
        return Batch(
            batch.images_BCHW,
            batch.labels_B,
            batch.background_BHW * has_mask_B.view(-1, 1, 1),
            has_mask_B,
            batch.ids,
        )

    def digest(self) -> str:
        return self._images.digest()


def test_every_epoch_is_committed_before_it_is_reported(make_config: MakeConfig, context: LocalContext) -> None:
    seen = []

    def on_report(row: Row) -> None:
        state = context.folder.load_state(CPU)
        assert state is not None
        assert state["row"] == row
        assert context.folder.rows()[-1] == row
        seen.append((row["epoch"], len(context.folder.rows())))

    context.on_report = on_report
    fit_in(context, make_config())
    assert seen == [(1, 1), (2, 2), (3, 3)]


def test_validation_sees_the_network_that_is_returned(make_config: MakeConfig, context: LocalContext) -> None:
    seen: list[tuple[Classifier, int]] = []

    def validate(model: Classifier, epoch: int) -> Row:
        seen.append((model, epoch))
        return {"val/loss": 1.0, "val/extra": epoch / 2}

    fitted = fit_in(context, make_config({"training.ema_decay": 0.5}), validate=validate)
    assert [epoch for _, epoch in seen] == [1, 2, 3]
    assert all(model is fitted.model for model, _ in seen)
    assert fitted.row == context.folder.rows()[-1]
    assert fitted.row["val/extra"] == 1.5


def test_the_row_is_worked_out_over_the_whole_epoch(make_config: MakeConfig, context: LocalContext) -> None:
    """At a rate of nearly nothing the weights stay, so that one pass over the images gives the same figures."""
    config = make_config({"optim.learning_rate": 1e-30, "optim.weight_decay": 0, "training.epochs": 2})
    data = build_data(config.data)
    fitted = fit_in(context, config, data=data)
    batch = data.train.__getitems__([Draw(index, 0) for index in range(len(data.train))])
    with torch.no_grad():
        logits = fitted.model(batch.images_BCHW).logits
    for row in context.folder.rows():
        assert row["train/loss"] == pytest.approx(torch.nn.functional.cross_entropy(logits, batch.labels_B).item())
        assert row["train/accuracy"] == (logits.argmax(1) == batch.labels_B).double().mean()
        assert row["train/samples_without_mask"] == 0
        assert row["time/images_per_s"] == pytest.approx(64 / row["time/train_s"])
        assert row["time/epoch_s"] >= row["time/train_s"]


def test_the_row_holds_the_rate_after_the_epoch(make_config: MakeConfig, context: LocalContext) -> None:
    config = make_config({"training.epochs": 2, "optim.warmup_epochs": 0, "optim.final_fraction": 0.1})
    fit_in(context, config)
    assert [row["optim/learning_rate"] for row in context.folder.rows()] == pytest.approx([0.0055, 0.001])


def test_samples_without_a_mask_are_counted(make_config: MakeConfig, context: LocalContext) -> None:
    config = make_config({"objective.kind": "contrastive"})
    data = build_data(config.data)
    fit_in(context, config, data=replace(data, train=Masking(data.train, every=4)))
    assert [row["train/samples_without_mask"] for row in context.folder.rows()] == [16, 16, 16]


def test_the_first_weights_and_their_description_follow_from_the_seed(make_config: MakeConfig, tmp_path: Path) -> None:
    def first_weights(seed: int, name: str) -> torch.Tensor:
        torch.rand(1)
        config = make_config({"seed": seed, "training.epochs": 1, "optim.warmup_epochs": 0})
        context = LocalContext(TrialFolder(tmp_path / name), device=CPU)
        return fit_in(context, config).model.head.weight.detach()

    first, again, other = first_weights(1, "a"), first_weights(1, "b"), first_weights(2, "c")
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    description = read_json(tmp_path / "a" / "model.json")
    assert description["edits"] == ["head: no bias"]
    assert description["num_parameters"] == 27 * 4 + 9 * (4 * 8 + 3 * 8 * 8) + 2 * (4 + 4 * 8) + 8 * 10


def assert_commits_nothing(context: LocalContext, reports: list[Row]) -> None:
    assert context.folder.load_state(CPU) is None
    assert context.folder.rows() == []
    assert reports == []


@pytest.mark.parametrize("objective", ["cross_entropy", "contrastive"])
def test_a_training_loss_that_is_not_finite_stops_the_trial(
    make_config: MakeConfig, context: LocalContext, objective: str
) -> None:
    reports: list[Row] = []
    context.on_report = reports.append
    config = make_config(
        {"objective.kind": objective, "optim.kind": "sgd", "optim.learning_rate": 1e30, "model.final_norm": False}
    )
    with pytest.raises(FloatingPointError, match=r"training loss of epoch 1 is (nan|inf): lower optim\.learning_rate"):
        fit_in(context, config)
    assert_commits_nothing(context, reports)


def test_a_validation_loss_that_is_not_finite_stops_the_trial(make_config: MakeConfig, context: LocalContext) -> None:
    """The last step of an epoch can spoil the weights after its loss was taken."""
    reports: list[Row] = []
    context.on_report = reports.append
    with pytest.raises(FloatingPointError, match=r"validation loss of epoch 1 is nan: lower optim\.learning_rate"):
        fit_in(context, make_config(), validate=lambda model, epoch: {"val/loss": float("nan")})  # noqa: ARG005
    assert_commits_nothing(context, reports)


def test_epochs_before_a_failure_stay_committed(make_config: MakeConfig, context: LocalContext) -> None:
    def validate(model: Classifier, epoch: int) -> Row:  # noqa: ARG001
        return {"val/loss": 1.0 if epoch < 3 else float("inf")}

    with pytest.raises(FloatingPointError, match="epoch 3 is inf"):
        fit_in(context, make_config(), validate=validate)
    assert [row["epoch"] for row in context.folder.rows()] == [1, 2]


def test_a_set_smaller_than_a_batch_is_refused(make_config: MakeConfig, context: LocalContext) -> None:
    data = build_data(make_config().data)
    with pytest.raises(ValueError, match="fewer than one batch of 128"):
        fit_in(context, make_config({"training.batch_size": 128, "data.num_train": 128}), data=data)


def test_an_objective_of_masks_that_saw_none_is_refused(make_config: MakeConfig, context: LocalContext) -> None:
    reports: list[Row] = []
    context.on_report = reports.append
    config = make_config({"objective.kind": "contrastive"})
    data = build_data(config.data)
    data = replace(data, train=Masking(data.train, every=1))
    with pytest.raises(ConfigError, match="not one of the 64 training images of epoch 1 showed an object"):
        fit_in(context, config, data=data)
    assert_commits_nothing(context, reports)
    fit_in(context, make_config(), data=data)


PARTS = {
    "objective.background_weight = 1.0": ({"objective.kind": "binary_contrastive"}, "objective.background_weight=0"),
    "objective.divergence.weight = 2.0": ({"objective.divergence.weight": 2}, "objective.divergence=null"),
    "objective.sliced_wasserstein.weight = 3.0": (
        {"objective.sliced_wasserstein.weight": 3},
        "objective.sliced_wasserstein=null",
    ),
    "objective.guidance.weight = 0.5": ({"objective.guidance.weight": 0.5}, "objective.guidance=null"),
    "objective.rrr.weight = 2.0": ({"objective.rrr.weight": 2}, "objective.rrr=null"),
    "objective.background_swap.probability = 0.5": (
        {"objective.background_swap.probability": 0.5},
        "objective.background_swap=null",
    ),
    "objective.object_only.probability = 1.0": ({"objective.object_only.fill": "grey"}, "objective.object_only=null"),
    "objective.background_noise = 0.1": ({"objective.background_noise": 0.1}, "objective.background_noise=0"),
}


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_needs_masks_and_saw_none_is_refused_by_name(
    make_config: MakeConfig, context: LocalContext, part: str
) -> None:
    overrides, remedy = PARTS[part]
    config = make_config(overrides)
    data = build_data(config.data)
    without = replace(data, train=Masking(data.train, every=1))
    with pytest.raises(ConfigError, match=f"{part} needs masks, and not one of the 64 .*, or set {remedy}$"):
        fit_in(context, config, data=without)
    fit_in(context, config, data=replace(data, train=Masking(data.train, every=4)))


def test_the_terms_of_a_loss_of_several_are_in_the_row(make_config: MakeConfig, context: LocalContext) -> None:
    weights = {"divergence": 2, "sliced_wasserstein": 3, "guidance": 4, "rrr": 5}
    overrides = {f"objective.{name}.weight": weight for name, weight in weights.items()}
    fit_in(context, make_config(overrides))
    for row in context.folder.rows():
        terms = [row[f"train/{name}"] for name in ("cross_entropy", *weights)]
        assert row["train/loss"] == pytest.approx(sum(terms), rel=1e-5)
        assert min(terms) > 0


def test_the_only_term_of_a_loss_is_not_told_twice(make_config: MakeConfig, context: LocalContext) -> None:
    fit_in(context, make_config({"objective.kind": "contrastive"}))
    assert {name for row in context.folder.rows() for name in row if name.startswith("train/")} == {
        "train/loss",
        "train/accuracy",
        "train/samples_without_mask",
    }


@pytest.mark.parametrize(
    ("overrides", "remedies"),
    [
        ({}, r"lower optim\.learning_rate, or set training\.clip_norm$"),
        (
            {"training.clip_norm": 1.0, "objective.divergence.weight": 1},
            r"lower optim\.learning_rate, lower training\.clip_norm, or lower objective\.divergence\.weight$",
        ),
        (
            {"objective.kind": "binary_contrastive"},
            r"lower optim\.learning_rate, set training\.clip_norm, or lower objective\.background_weight$",
        ),
    ],
)
def test_the_remedies_against_a_loss_that_is_not_finite_are_fields_of_the_config(
    make_config: MakeConfig, context: LocalContext, overrides: dict[str, Any], remedies: str
) -> None:
    with pytest.raises(FloatingPointError, match=remedies):
        fit_in(context, make_config(overrides), validate=lambda model, epoch: {"val/loss": float("nan")})  # noqa: ARG005


def test_workers_that_see_different_checkpoints_are_refused(make_config: MakeConfig, tmp_path: Path) -> None:
    class Split(LocalContext):
        def gather(self, value: Any) -> list[Any]:
            return [value, 7]

    with pytest.raises(RuntimeError, match=r"different epochs \[0, 7\] .* a file system that all nodes share"):
        fit_in(Split(TrialFolder(tmp_path), device=CPU), make_config())


@pytest.mark.parametrize("fails", [False, True])
def test_the_number_of_threads_is_the_config_s_and_restored(
    make_config: MakeConfig, context: LocalContext, fails: bool
) -> None:
    before, inside = torch.get_num_threads(), []

    def validate(model: Classifier, epoch: int) -> Row:  # noqa: ARG001
        inside.append(torch.get_num_threads())
        return {"val/loss": float("nan") if fails else 1.0}

    config = make_config({"resources.cpus": before + 1, "training.epochs": 1, "optim.warmup_epochs": 0})
    try:
        fit_in(context, config, validate=validate)
    except FloatingPointError:
        assert fails
    assert inside == [before + 1]
    assert torch.get_num_threads() == before
