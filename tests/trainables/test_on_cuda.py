"""On a simulated CUDA device: nothing is left on the CPU, and a training step waits for the device nowhere."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.harness.fake_cuda import CPU, WaitedForDeviceError, fake_cuda
from tests.trainables.conftest import MakeConfig, Train
from tests.trainables.evaluations.conftest import RED_GREEN_OR_BLUE, context_of, linear_classifier, several_labels
from trainables.classifiers import embed_images, fit_classifier, fit_last_layer, with_last_layer
from trainables.config import (
    ExperimentConfig,
    LinearProbe,
    NearestCentroid,
    NearestNeighbours,
    SmallCnn,
    SpuriousDigits,
    Suite,
)
from trainables.data import Batch, DataBundle, Draw, build_data
from trainables.evaluations import EVALUATIONS, EvaluationContext
from trainables.models import Classifier, build_model
from trainables.training import LocalContext
from trainables.training.build import build_task
from trainables.training.classification import ClassificationTask
from trainables.training.learner import Learner
from trainables.training.mixing import unmixed
from trainables.trial import run_trial
from trainables.trial_folder import TrialFolder

NUM = 8
"""Images in a batch."""


@pytest.fixture(scope="module")
def digits() -> DataBundle:
    return build_data(SpuriousDigits(num_train=60, num_test=20, image_size=32))


@pytest.fixture(scope="module")
def batch(digits: DataBundle) -> Batch:
    return digits.train.__getitems__([Draw(index, index) for index in range(NUM)])


def network() -> Classifier:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build_model(SmallCnn(width=4), num_classes=10).model


LEFT_ON_THE_CPU: dict[str, Callable[[Tensor], Any]] = {
    "a sum": lambda values: values + torch.ones(2),
    "a matrix": lambda values: torch.ones(2, 2) @ values,
    "an index": lambda values: torch.ones(4)[values.long()],
    "a generator": lambda values: values.uniform_(generator=torch.Generator()),
}


@pytest.mark.parametrize("left", LEFT_ON_THE_CPU)
def test_a_tensor_left_on_the_cpu_raises(left: str) -> None:
    with fake_cuda() as device:
        values = torch.ones(2).to(device)
        with pytest.raises(RuntimeError, match="on cuda"):
            LEFT_ON_THE_CPU[left](values)


READS: dict[str, Callable[[Tensor], Any]] = {
    "cpu": Tensor.cpu,
    "item": lambda values: values.sum().item(),
    "if": lambda values: bool(values.any()),
    "nonzero": Tensor.nonzero,
    "a mask as index": lambda values: values[values > 0],
    "into the CPU": lambda values: torch.ones(2).copy_(values),
}


@pytest.mark.parametrize("read", READS)
def test_a_read_waits_for_the_device(read: str) -> None:
    with fake_cuda(may_wait=False) as device:
        values = torch.ones(2).to(device)
        with pytest.raises(WaitedForDeviceError):
            READS[read](values)


def learner_of(config: ExperimentConfig, device: torch.device, folder: Path) -> Learner:
    torch.manual_seed(0)
    context = LocalContext(TrialFolder(folder), device=device)
    task = build_task(config, build_data(config.data).train)
    return Learner(config, network(), task, context, steps_per_epoch=2)


def two_steps(learner: Learner, batch: Batch) -> dict[str, Tensor]:
    learner.begin(1)
    torch.manual_seed(1)
    learner.step(batch)
    return learner.step(batch)


STEPS: dict[str, dict[str, Any]] = {
    "cross-entropy": {
        "objective.background_noise": 0.1,
        "objective.background_swap.probability": 0.5,
        "objective.object_only.probability": 0.2,
        "objective.cutmix": {"probability": 1.0},
        "training.accumulate": 2,
        "optim.kind": "sgd",
    },
    "contrastive": {
        "objective.kind": "contrastive",
        "objective.cutmix": {"probability": 1.0},
        "objective.divergence.weight": 1.0,
        "objective.sliced_wasserstein.weight": 1.0,
        "training.clip_norm": 1.0,
        "model.norm": "batch",
    },
    "binary cross-entropy": {"objective.kind": "binary_cross_entropy", "training.ema_decay": 0.9},
    "binary contrastive": {
        "objective.kind": "binary_contrastive",
        "objective.guidance.weight": 1.0,
        "objective.rrr.weight": 1.0,
        "training.channels_last": True,
    },
    "groups": {"objective.group_dro": {"step_size": 1.0}, "data.correlation": 0.5},
    "embedding": {"objective.kind": "supcon", "optim.kind": "adam"},
}


@pytest.mark.parametrize("name", STEPS)
def test_a_training_step_waits_nowhere_and_has_the_numbers_of_the_cpu(
    name: str, make_config: MakeConfig, batch: Batch, tmp_path: Path
) -> None:
    config = make_config({"training.batch_size": NUM, **STEPS[name]})
    expected = two_steps(learner_of(config, CPU, tmp_path), batch)
    with fake_cuda() as device:
        learner = learner_of(config, device, tmp_path)
    with fake_cuda(may_wait=False):
        found = two_steps(learner, batch)
    with fake_cuda():
        assert {name: value.item() for name, value in found.items()} == pytest.approx(
            {name: value.item() for name, value in expected.items()}, rel=1e-4
        )
        assert all(group["fused"] for group in learner.state()["optimizer"]["param_groups"])


PLANTED: dict[str, tuple[Callable[[Tensor], Tensor], type[Exception]]] = {
    "a read": (lambda loss_B: loss_B * loss_B.max().item(), WaitedForDeviceError),
    "a tensor on the CPU": (lambda loss_B: loss_B * torch.ones(NUM), RuntimeError),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_a_fault_planted_in_a_loss_is_found(fault: str, make_config: MakeConfig, batch: Batch, tmp_path: Path) -> None:
    config = make_config({"training.batch_size": NUM})
    change, error = PLANTED[fault]
    with fake_cuda() as device:
        learner = learner_of(config, device, tmp_path)
    learner.task = ClassificationTask(config, lambda output, *_: {"planted": change(output.logits.sum(1))}, unmixed)
    with fake_cuda(may_wait=False), pytest.raises(error):
        learner.step(batch)


def test_triplets_are_read(make_config: MakeConfig, batch: Batch, tmp_path: Path) -> None:
    """Which of them are semi-hard decides how many there are."""
    config = make_config({"training.batch_size": NUM, "objective.kind": "triplet"})
    with fake_cuda() as device:
        learner = learner_of(config, device, tmp_path)
        two_steps(learner, batch)
    with fake_cuda(may_wait=False), pytest.raises(WaitedForDeviceError):
        learner.step(batch)


@pytest.mark.filterwarnings("ignore:'pin_memory' argument is set as true")  # There is no device to pin it for.
def test_a_trial_has_the_rows_of_the_cpu(make_config: MakeConfig, train: Train, tmp_path: Path) -> None:
    config = make_config({"training.epochs": 2, "objective.kind": "contrastive", "evaluation.panel_images": 1})
    expected = train(config, "cpu").rows()
    folder = TrialFolder(tmp_path / "cuda")
    folder.claim(config)
    with fake_cuda() as device:
        run_trial(config, LocalContext(folder, device=device))
    for found_row, row in zip(folder.rows(), expected, strict=True):
        without_times = {name: value for name, value in row.items() if not name.startswith("time/")}
        assert {name: found_row[name] for name in without_times} == pytest.approx(without_times, rel=1e-4, abs=1e-6)


CLASSIFIERS = (LinearProbe(penalty=0.1), NearestCentroid(), NearestNeighbours(num_neighbours=2))


@pytest.mark.parametrize("config", CLASSIFIERS, ids=lambda each: each.kind)
def test_a_classifier_is_fitted_and_run(config: Any, batch: Batch) -> None:
    def logits_on(device: torch.device) -> Tensor:
        model = network().to(device)
        embeddings_NF = torch.rand(NUM, model.head.in_features, generator=torch.Generator().manual_seed(0))
        fitted = fit_classifier(config, model, embeddings_NF, batch.labels_B)
        return fitted.model(batch.images_BCHW.to(device)).logits

    with fake_cuda() as device:
        found = logits_on(device).cpu()
    torch.testing.assert_close(found, logits_on(CPU))


def test_a_last_layer_is_fitted_anew_and_run(batch: Batch) -> None:
    def logits_on(device: torch.device) -> Tensor:
        model = network().to(device)
        found = embed_images(model, [batch], device=device, unit_length=False)
        assert found.embeddings_NF.device == CPU
        labels_N = torch.arange(NUM) % 2
        layer = fit_last_layer(found.embeddings_NF, labels_N, labels_N, num_subsets=1, most=None, seed=0)
        return with_last_layer(model, layer)(batch.images_BCHW.to(device)).logits

    with fake_cuda() as device:
        found = logits_on(device).cpu()
    torch.testing.assert_close(found, logits_on(CPU), rtol=1e-3, atol=1e-3)


SETTINGS = Suite.model_validate(
    {
        "attribution": {"integration_steps": 2, "sensitivity_samples": 1, "costly_sample": 2},
        "adversarial": {"sample": 20, "steps": 2, "square_queries": 5, "linf": 1.0, "l2": 100.0},
    }
)
"""Balls so large that the first attack of AutoAttack fools all images: the targeted ones after it take a minute."""


def context(name: str, digits: DataBundle) -> EvaluationContext:
    if name == "multilabel":
        return context_of(linear_classifier(RED_GREEN_OR_BLUE), several_labels())
    # Of 20 some are right, and so worth an attack; and they make enough pairs for circuits.
    num = 20 if EVALUATIONS[name].category == "adversarial" or name == "circuits" else 6
    settings = SETTINGS.model_copy(update={"sample": num})
    return EvaluationContext(network().eval(), digits, CPU, batch_size=num, split="test", settings=settings)


@pytest.mark.filterwarnings("ignore:'pin_memory' argument is set as true")
@pytest.mark.parametrize("name", EVALUATIONS)
def test_an_evaluation_leaves_nothing_on_the_cpu_and_has_its_numbers(name: str, digits: DataBundle) -> None:
    expected = EVALUATIONS[name].run(context(name, digits)).metrics
    with fake_cuda() as device:
        on_cuda = context(name, digits)
        found = EVALUATIONS[name].run(replace(on_cuda, model=on_cuda.model.to(device), device=device)).metrics
    assert found == pytest.approx(expected, rel=1e-5, nan_ok=True)
