"""Steps of an embedding: what they change, and under which settings they are the same."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.trainables.conftest import CPU, MakeConfig, Train
from tests.trainables.training.conftest import learner_of
from trainables.config import ExperimentConfig
from trainables.data import Batch, build_data, training_batches
from trainables.json_file import read_json
from trainables.losses import supervised_contrastive
from trainables.models import Embedder, build_model
from trainables.training.build import build_task
from trainables.training.embedding import EmbeddingTask
from trainables.trial_folder import TrialFolder

SUPCON: dict[str, Any] = {"objective.kind": "supcon", "objective.projection_size": 6}
TRIPLET: dict[str, Any] = {"objective.kind": "triplet", "objective.margin": 2.0}
OBJECTIVES = pytest.mark.parametrize("objective", [SUPCON, TRIPLET], ids=["supcon", "triplet"])


def batches_of(config: ExperimentConfig) -> list[Batch]:
    views = build_task(config).num_views
    return list(training_batches(build_data(config.data).train, batch_size=16, seed=0, epoch=1, num_views=views))


def weights_after(config: ExperimentConfig, folder: TrialFolder) -> dict[str, Tensor]:
    learner = learner_of(config, folder)
    learner.begin(1)
    for batch in batches_of(config):
        learner.step(batch)
    weights: dict[str, Tensor] = learner.state()["model"]
    return weights


def test_supcon_has_the_projection_of_the_literature_and_triplets_none(make_config: MakeConfig) -> None:
    config = make_config({"objective.kind": "supcon"})
    model = build_model(config.model, num_classes=10).model
    network = build_task(config).trained_network(model)
    assert isinstance(network, Embedder)
    shapes = [(part.in_features, part.out_features) for part in network.projection if isinstance(part, nn.Linear)]
    assert shapes == [(8, 8), (8, 128)]
    network = build_task(make_config(TRIPLET)).trained_network(model)
    assert isinstance(network, Embedder)
    assert isinstance(network.projection, nn.Identity)


@pytest.mark.parametrize(("objective", "views"), [({}, 1), (SUPCON, 2), (TRIPLET, 1)])
def test_the_objective_decides_how_often_an_image_is_drawn(
    make_config: MakeConfig, objective: dict[str, Any], views: int
) -> None:
    config = make_config(objective)
    task = build_task(config)
    assert task.num_views == views
    model = build_model(config.model, num_classes=10).model
    assert task.classifier(task.trained_network(model)) is model


def test_a_step_returns_the_loss_of_the_batch_by_its_rows(make_config: MakeConfig, folder: TrialFolder) -> None:
    config = make_config(SUPCON)
    batch = batches_of(config)[0]
    assert len(batch) == 32
    torch.manual_seed(0)
    model = build_model(config.model, num_classes=10).model
    embeddings = build_task(config).trained_network(model).train()(batch.images_BCHW)
    expected = supervised_contrastive(embeddings, batch.labels_B, temperature=0.07)
    found = learner_of(config, folder).step(batch)
    assert set(found) == {"loss"}
    torch.testing.assert_close(found["loss"], 32 * expected.detach())


@OBJECTIVES
def test_steps_on_a_batch_lower_its_loss(
    make_config: MakeConfig, folder: TrialFolder, objective: dict[str, Any]
) -> None:
    config = make_config({**objective, "training.epochs": 10, "model.width": 8, "model.norm": "batch"})
    learner, batch = learner_of(config, folder), batches_of(config)[0]
    losses = [float(learner.step(batch)["loss"]) / len(batch) for _ in range(40)]
    assert losses[-1] < 0.8 * losses[0]


@OBJECTIVES
def test_the_head_is_left_alone(make_config: MakeConfig, folder: TrialFolder, objective: dict[str, Any]) -> None:
    config = make_config(objective)
    before = learner_of(config, folder).evaluated.head.weight
    after = weights_after(config, folder)
    assert torch.equal(after["classifier.head.weight"], before)
    start = learner_of(config, folder).state()["model"]
    changed = [name for name in after if not torch.equal(after[name], start[name])]
    trained = [name for name in start if name.startswith(("classifier.trunk", "projection"))]
    assert changed == trained


@OBJECTIVES
def test_bf16_trains_float32_weights_to_nearly_the_same(
    make_config: MakeConfig, folder: TrialFolder, objective: dict[str, Any]
) -> None:
    base = {**objective, "optim.kind": "sgd", "model.norm": "batch"}
    full = weights_after(make_config(base), folder)
    half = weights_after(make_config({**base, "training.precision": "bf16"}), folder)
    start = learner_of(make_config(base), folder).state()["model"]
    trained = [name for name in full if name.endswith((".weight", ".bias"))]
    assert {half[name].dtype for name in trained} == {torch.float32}
    away = max(float((full[name] - start[name]).abs().max()) for name in trained)
    apart = max(float((full[name] - half[name]).abs().max()) for name in trained)
    assert 0 < apart < 0.2 * away


@OBJECTIVES
def test_channels_last_trains_the_same_weights(
    make_config: MakeConfig, folder: TrialFolder, objective: dict[str, Any]
) -> None:
    base = {**objective, "optim.kind": "sgd", "model.norm": "batch"}
    found = weights_after(make_config({**base, "training.channels_last": True}), folder)
    torch.testing.assert_close(found, weights_after(make_config(base), folder), rtol=0, atol=1e-4)


def test_the_moving_average_is_what_is_evaluated(make_config: MakeConfig, folder: TrialFolder) -> None:
    config = make_config({**SUPCON, "training.ema_decay": 0.5})
    learner = learner_of(config, folder)
    expected: dict[str, Tensor] = {}
    for number, batch in enumerate(batches_of(config)):
        learner.step(batch)
        now = {name: value.clone() for name, value in learner.state()["model"].items()}
        expected = now if number == 0 else {name: 0.5 * expected[name] + 0.5 * now[name] for name in now}
    found = learner.evaluated.state_dict()
    torch.testing.assert_close(found, {name: expected[f"classifier.{name}"] for name in found}, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("every", "due"), [(None, [5]), (1, [1, 2, 3, 4, 5]), (2, [2, 4, 5]), (4, [4, 5])])
def test_when_a_fit_is_due(make_config: MakeConfig, every: int | None, due: list[int]) -> None:
    config = make_config({**SUPCON, "training.epochs": 5, "objective.fit_every_epochs": every})
    task = build_task(config)
    assert isinstance(task, EmbeddingTask)
    assert [epoch for epoch in range(1, 6) if task.fit_is_due(epoch)] == due


def test_the_sample_is_the_seed_s(make_config: MakeConfig, train: Train) -> None:
    def weights(name: str, **overrides: Any) -> Tensor:
        one_epoch = {"training.epochs": 1, "optim.warmup_epochs": 0, "optim.learning_rate": 1e-30}
        state = train(make_config({**SUPCON, **one_epoch, **overrides}), name).load_state(CPU)
        assert state is not None
        head: Tensor = state["evaluated"]["head.weight"]
        return head

    sample = {"objective.fit_sample": 20}
    assert torch.equal(weights("a", **sample), weights("b", **sample))
    assert not torch.equal(weights("a", **sample), weights("c"))
    torch.testing.assert_close(weights("c"), weights("d", **{"objective.fit_sample": 64}), rtol=0, atol=0)


def test_the_description_names_the_head_that_is_evaluated(make_config: MakeConfig, train: Train) -> None:
    centroid = {"objective.classifier.kind": "nearest_centroid"}
    folder = train(make_config({**SUPCON, **centroid, "training.epochs": 1, "optim.warmup_epochs": 0}), "centroid")
    description = read_json(folder.path / "model.json")
    assert description["edits"] == ["head: nearest_centroid fitted to features of unit length"]
    assert folder.load_state(CPU)["evaluated"]["head.bias"] is not None  # type: ignore[index]


@pytest.mark.slow
def test_a_compiled_network_trains_to_the_same_figures(make_config: MakeConfig, train: Train) -> None:
    base = {**SUPCON, "optim.kind": "sgd", "training.epochs": 2, "training.ema_decay": 0.8}
    plain = train(make_config(base), "plain")
    compiled = train(make_config({**base, "training.compile": True}), "compiled")
    for found, expected in zip(compiled.rows(), plain.rows(), strict=True):
        assert found["train/loss"] == pytest.approx(expected["train/loss"], rel=1e-4)
    assert compiled.rows()[-1]["val/loss"] == pytest.approx(plain.rows()[-1]["val/loss"], rel=1e-3)
