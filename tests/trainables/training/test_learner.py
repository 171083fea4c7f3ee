"""One optimiser step, and what the settings of `training` do to it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, distributed, nn

from tests.trainables.conftest import CPU, MakeConfig, Train
from tests.trainables.training.conftest import learner_of
from trainables.config import CrossEntropy, CutMix, ExperimentConfig, experiment_from_tree
from trainables.data import Batch, build_data, training_batches
from trainables.losses import build_objective
from trainables.models import build_model
from trainables.training.learner import Learner
from trainables.training.mixing import build_mixing
from trainables.trial_folder import TrialFolder


def batches_of(config: ExperimentConfig) -> list[Batch]:
    return list(training_batches(build_data(config.data).train, batch_size=16, seed=0, epoch=1))


def weights(learner: Learner) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in learner.evaluated.state_dict().items()}


def weights_after(config: ExperimentConfig, folder: TrialFolder, *, steps: int = 4) -> dict[str, Tensor]:
    learner = learner_of(config, folder)
    learner.begin(1)
    for batch in batches_of(config)[:steps]:
        learner.step(batch)
    return weights(learner)


def distance(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    return max((one[name] - other[name]).abs().max().item() for name in one)


def step_length(config: ExperimentConfig, folder: TrialFolder) -> float:
    """The length of the first step of plain gradient descent, over all weights."""
    learner = learner_of(config, folder)
    before = weights(learner)
    learner.step(batches_of(config)[0])
    after = weights(learner)
    return torch.cat([(after[name] - before[name]).flatten() for name in before]).norm().item()


@pytest.mark.parametrize("objective", [{}, {"objective.kind": "contrastive"}, {"objective.rrr.weight": 1.0}])
def test_two_micro_batches_make_the_step_of_the_whole_batch(
    make_config: MakeConfig, folder: TrialFolder, objective: dict[str, Any]
) -> None:
    base = {"optim.kind": "sgd", **objective}
    one = weights_after(make_config(base), folder)
    two = weights_after(make_config({**base, "training.accumulate": 2}), folder)
    torch.testing.assert_close(two, one, rtol=0, atol=1e-6)


def test_micro_batches_of_unequal_length_count_by_their_images(make_config: MakeConfig, folder: TrialFolder) -> None:
    """Skipped images may leave a batch that the number of micro-batches does not divide."""
    found = []
    for accumulate in (1, 2):
        config = make_config({"optim.kind": "sgd", "training.accumulate": accumulate})
        learner = learner_of(config, folder)
        (half, _) = batches_of(config)[0].split(2)
        short, _ = half.split(2)
        short = Batch(
            short.images_BCHW[:3], short.labels_B[:3], short.background_BHW[:3], short.has_mask_B[:3], short.ids[:3]
        )
        sums = learner.step(short)
        found.append((weights(learner), sums))
    torch.testing.assert_close(found[1], found[0], rtol=0, atol=1e-6)


def test_a_step_returns_summed_loss_and_hits(make_config: MakeConfig, folder: TrialFolder) -> None:
    config = make_config({"training.accumulate": 4})
    learner = learner_of(config, folder)
    batch = batches_of(config)[0]
    logits = learner.evaluated(batch.images_BCHW).logits
    expected_loss = torch.nn.functional.cross_entropy(logits, batch.labels_B, reduction="sum")
    sums = learner.step(batch)
    torch.testing.assert_close(sums["loss"], expected_loss.detach())
    assert sums["accuracy"] == (logits.argmax(1) == batch.labels_B).sum()
    assert {*sums} == {"loss", "accuracy"}


def test_a_step_of_a_loss_of_several_terms_returns_their_sums_too(make_config: MakeConfig, folder: TrialFolder) -> None:
    config = make_config({"objective.kind": "contrastive", "objective.divergence.weight": 2.0})
    learner = learner_of(config, folder)
    batch = batches_of(config)[0]
    terms = build_objective(config.objective)(learner.evaluated(batch.images_BCHW), learner.evaluated.head, batch)
    expected = {name: term_B.sum().detach() for name, term_B in terms.items()}
    assert {*expected} == {"contrastive_cross_entropy", "divergence"}
    sums = learner.step(batch)
    torch.testing.assert_close({name: sums[name] for name in expected}, expected)
    torch.testing.assert_close(sums["loss"], torch.stack(list(expected.values())).sum())


def test_an_image_counts_by_its_weight(make_config: MakeConfig, folder: TrialFolder) -> None:
    config = make_config({"objective.kind": "contrastive", "objective.divergence.weight": 2.0})
    learner = learner_of(config, folder)
    plain = batches_of(config)[0]
    weights_B = torch.linspace(0, 3, 16)
    terms = build_objective(config.objective)(learner.evaluated(plain.images_BCHW), learner.evaluated.head, plain)
    sums = learner.step(replace(plain, weights_B=weights_B))
    for name, term_B in terms.items():
        torch.testing.assert_close(sums[name], (weights_B * term_B).sum().detach())
    torch.testing.assert_close(sums["loss"], torch.stack([sums[name] for name in terms]).sum())


def test_each_epoch_has_its_background_weight(make_config: MakeConfig, folder: TrialFolder) -> None:
    base = {"objective.kind": "contrastive", "optim.learning_rate": 1e-12}
    batch, losses = batches_of(make_config())[0], {}
    for weight in (0.0, 1.0, 2.0):
        losses[weight] = learner_of(make_config({**base, "objective.background_weight": weight}), folder).step(batch)
    warmup = {"objective.background_weight": 2.0, "objective.background_weight_warmup": 2}
    learner = learner_of(make_config({**base, **warmup}), folder)
    for epoch, weight in ((1, 0.0), (2, 1.0), (3, 2.0)):
        learner.begin(epoch)
        assert learner.step(batch)["loss"].item() == pytest.approx(losses[weight]["loss"].item(), rel=1e-6)
    assert losses[0.0]["loss"] < losses[1.0]["loss"] < losses[2.0]["loss"]


def test_clipping_limits_the_length_of_a_step(make_config: MakeConfig, folder: TrialFolder) -> None:
    base = {"optim.kind": "sgd", "optim.learning_rate": 1.0, "optim.warmup_epochs": 0, "optim.weight_decay": 0}
    # Nesterov momentum 0.9 takes 1 + 0.9 times the first step's gradient.
    norm = step_length(make_config(base), folder) / 1.9
    for clip_norm in (0.01 * norm, 0.5 * norm):
        clipped = step_length(make_config({**base, "training.clip_norm": clip_norm}), folder)
        assert clipped == pytest.approx(1.9 * clip_norm, rel=1e-4)
    above = step_length(make_config({**base, "training.clip_norm": 2 * norm}), folder)
    assert above == pytest.approx(1.9 * norm, rel=1e-4)


def test_the_whole_batch_is_clipped_and_not_its_micro_batches(make_config: MakeConfig, folder: TrialFolder) -> None:
    base = {"optim.kind": "sgd", "training.clip_norm": 0.05}
    one = weights_after(make_config(base), folder)
    two = weights_after(make_config({**base, "training.accumulate": 2}), folder)
    torch.testing.assert_close(two, one, rtol=0, atol=1e-6)


def test_the_moving_average_follows_its_recursion(make_config: MakeConfig, folder: TrialFolder) -> None:
    averaged = learner_of(make_config({"training.ema_decay": 0.75, "model.norm": "batch"}), folder)
    plain = learner_of(make_config({"model.norm": "batch"}), folder)
    expected: dict[str, Tensor] = {}
    for number, batch in enumerate(batches_of(make_config())):
        averaged.step(batch)
        plain.step(batch)
        for name, value in weights(plain).items():
            if value.is_floating_point():
                expected[name] = value if number == 0 else 0.75 * expected[name] + 0.25 * value
    found = {name: value for name, value in weights(averaged).items() if value.is_floating_point()}
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    assert "trunk.block1.norm.running_var" in found
    assert distance(found, {name: weights(plain)[name] for name in found}) > 1e-3


def test_the_moving_average_takes_no_mean_of_counts_and_indices(make_config: MakeConfig, folder: TrialFolder) -> None:
    """As timm's Swin and BEiT have indices, in buffers that are not saved."""
    config = make_config({"training.ema_decay": 0.75, "model.norm": "batch"})
    model = build_model(config.model, num_classes=10).model
    model.register_buffer("index", torch.arange(100), persistent=False)
    learner = learner_of(config, folder, model)
    learner.begin(1)
    for number, batch in enumerate(batches_of(config), start=1):
        learner.step(batch)
        buffers = dict(learner.evaluated.named_buffers())
        assert buffers["index"].tolist() == list(range(100))
        assert buffers["trunk.block1.norm.num_batches_tracked"] == number


def test_the_moving_average_leaves_the_training_alone(make_config: MakeConfig, folder: TrialFolder) -> None:
    averaged, plain = (learner_of(make_config(each), folder) for each in ({"training.ema_decay": 0.9}, {}))
    for batch in batches_of(make_config()):
        averaged.step(batch)
        plain.step(batch)
    torch.testing.assert_close(averaged.state()["model"], plain.state()["model"], rtol=0, atol=0)


def test_bf16_trains_float32_weights_to_nearly_the_same(make_config: MakeConfig, folder: TrialFolder) -> None:
    base = {"optim.kind": "sgd", "objective.kind": "contrastive"}
    full = weights_after(make_config(base), folder)
    half = weights_after(make_config({**base, "training.precision": "bf16"}), folder)
    assert {value.dtype for value in half.values()} == {torch.float32}
    start = weights(learner_of(make_config(base), folder))
    assert 0 < distance(half, full) < 0.1 * distance(full, start)


BATCH_NORMS = {"model.norm": "batch"}
SYNC = {**BATCH_NORMS, "training.sync_batchnorm": True, "resources": {"workers": 2, "gpus": 1}}


def test_sync_batchnorm_is_torch_s_and_one_worker_trains_as_without(
    make_config: MakeConfig, folder: TrialFolder
) -> None:
    synchronised = learner_of(make_config(SYNC), folder).evaluated
    norms = [module for module in synchronised.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    assert {type(norm) for norm in norms} == {nn.SyncBatchNorm}
    plain = weights_after(make_config(BATCH_NORMS), folder)
    torch.testing.assert_close(weights_after(make_config(SYNC), folder), plain, rtol=0, atol=0)


def test_sync_batchnorm_has_no_cpu_form(make_config: MakeConfig, folder: TrialFolder, tmp_path: Path) -> None:
    """Which is why the config refuses it without GPUs."""
    learner = learner_of(make_config(SYNC), folder)
    learner.begin(1)
    distributed.init_process_group("gloo", init_method=f"file://{tmp_path / 'meeting'}", rank=0, world_size=1)
    try:
        with pytest.raises(ValueError, match="SyncBatchNorm expected input tensor to be on GPU"):
            learner.step(batches_of(make_config({}))[0])
    finally:
        distributed.destroy_process_group()


def test_rrr_penalises_the_pixels_that_were_mixed(make_config: MakeConfig, folder: TrialFolder) -> None:
    """The loss of the loop is that of its definition, on the images after CutMix, with each label's background."""
    config = make_config({"objective.rrr.weight": 3.0, "objective.cutmix.probability": 1.0})
    learner, batch = learner_of(config, folder), batches_of(config)[0]
    torch.manual_seed(5)
    mixed = build_mixing(CrossEntropy(cutmix=CutMix(probability=1.0)))(batch)
    images = mixed[0].batch.images_BCHW.clone().requires_grad_()
    model = learner_of(config, folder).evaluated.train()
    (gradient,) = torch.autograd.grad(model(images).logits.log_softmax(1).sum(), images)
    expected = [
        share * g.square().sum(0).mul(b).sum()
        for m in mixed
        for g, b, share in zip(gradient, m.batch.background_BHW, m.share_B, strict=True)
    ]
    learner.begin(1)
    torch.manual_seed(5)
    sums = learner.step(batch)
    torch.testing.assert_close(sums["rrr"], 3 * torch.stack(expected).sum())
    torch.testing.assert_close(sums["loss"], sums["rrr"] + sums["cross_entropy"])
    assert not batch.images_BCHW.requires_grad


RRR = {"optim.kind": "sgd", "objective.rrr.weight": 10.0}
OTHER_STEPS = {
    "channels last": {"training.channels_last": True},
    "computed again": {"training.gradient_checkpointing": True, "model.norm": "running"},
    "average": {"training.ema_decay": 0.5},
}


@pytest.mark.parametrize("name", OTHER_STEPS)
def test_rrr_trains_alike_however_a_step_is_computed(make_config: MakeConfig, folder: TrialFolder, name: str) -> None:
    other = OTHER_STEPS[name]
    base = {**RRR, "model.norm": other.get("model.norm", "batch")}
    plain, found = (learner_of(make_config({**base, **each}), folder) for each in ({}, other))
    for learner in (plain, found):
        learner.begin(1)
        for batch in batches_of(make_config()):
            learner.step(batch)
    torch.testing.assert_close(found.state()["model"], plain.state()["model"], rtol=0, atol=1e-4)
    without = weights_after(make_config({"optim.kind": "sgd", "model.norm": base["model.norm"]}), folder)
    assert distance(plain.state()["model"], without) > 1e-3


def test_rrr_in_bf16_trains_to_nearly_the_same(make_config: MakeConfig, folder: TrialFolder) -> None:
    base = {**RRR, "objective.rrr.weight": 1.0}
    full = weights_after(make_config(base), folder)
    half = weights_after(make_config({**base, "training.precision": "bf16"}), folder)
    start = weights(learner_of(make_config(base), folder))
    assert 0 < distance(half, full) < 0.1 * distance(full, start)


def test_rrr_trains_the_head_of_a_frozen_backbone(make_config: MakeConfig, folder: TrialFolder) -> None:
    frozen = {"model.norm": "batch", "training.freeze.stages": "all"}
    learner = learner_of(make_config({**RRR, **frozen}), folder)
    before = weights(learner)
    learner.begin(1)
    learner.step(batches_of(make_config())[0])
    moved = {name for name, value in weights(learner).items() if not torch.equal(value, before[name])}
    assert moved == {"head.weight"}


ATTENTION = """
from torch import nn
from torch.nn.functional import scaled_dot_product_attention


class Attention(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 8, 8)
        self.head = nn.Linear(8, num_classes)

    def forward_features(self, images):
        map_ = self.patches(images)
        tokens = map_.flatten(2).mT.unsqueeze(1)
        tokens = scaled_dot_product_attention(tokens, tokens, tokens)
        return tokens.squeeze(1).mT.reshape(map_.shape)

    def forward(self, images):
        return self.head(self.forward_features(images).mean((2, 3)))
"""


def test_rrr_trains_attention(make_config: MakeConfig, folder: TrialFolder, tmp_path: Path) -> None:
    """The fused kernels of attention cannot be differentiated twice."""
    file = tmp_path / "attention.py"
    file.write_text(ATTENTION)
    tree = make_config().model_dump() | {"model": {"kind": f"{file}:Attention"}}
    tree["objective"]["rrr"] = {"weight": 1e-3}
    config = experiment_from_tree(tree)
    before = weights(learner_of(config, folder))
    after = weights_after(config, folder, steps=1)
    assert distance(after, before) > 0
    assert all(value.isfinite().all() for value in after.values())


def test_channels_last_trains_the_same_weights(make_config: MakeConfig, folder: TrialFolder) -> None:
    base = {"optim.kind": "sgd", "objective.kind": "contrastive"}
    learner = learner_of(make_config({**base, "training.channels_last": True}), folder)
    convolution = learner.evaluated.get_parameter("trunk.block2.conv.weight")
    assert convolution.is_contiguous(memory_format=torch.channels_last)
    contiguous = weights_after(make_config(base), folder)
    channels_last = weights_after(make_config({**base, "training.channels_last": True}), folder)
    torch.testing.assert_close(channels_last, contiguous, rtol=0, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("average", [None, 0.8])
def test_a_compiled_network_trains_to_the_same_figures(
    make_config: MakeConfig, train: Train, average: float | None
) -> None:
    base = {"optim.kind": "sgd", "training.epochs": 2, "training.ema_decay": average}
    plain = train(make_config(base), "plain")
    compiled = train(make_config({**base, "training.compile": True}), "compiled")
    for found, expected in zip(compiled.rows(), plain.rows(), strict=True):
        for name in ("train/loss", "val/loss", "val/background/influence_share"):
            assert found[name] == pytest.approx(expected[name], rel=1e-4)
    found_state, expected_state = compiled.load_state(CPU), plain.load_state(CPU)
    assert found_state is not None
    assert expected_state is not None
    torch.testing.assert_close(found_state["model"], expected_state["model"], rtol=0, atol=1e-4)
