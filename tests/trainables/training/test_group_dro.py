"""GroupDRO in a world of two pixels, whose weights are worked out by hand.

One pixel shows the object, which speaks for the label in 3 of 4 images, and the other a background, which does so in
the majority group and against it in the minority. Of 32 images, 24 are of the majority.
"""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tests.trainables.conftest import CPU, MakeConfig, Train
from tests.trainables.evaluations.conftest import linear_classifier
from trainables.config import ConfigError, GroupDro, experiment_from_tree
from trainables.data import Batch, Draw
from trainables.losses.contrastive import contrastive_cross_entropy
from trainables.training import LocalContext
from trainables.training.build import build_task
from trainables.training.classification import ClassificationTask
from trainables.training.group_dro import GroupDro as Weights
from trainables.training.learner import Learner
from trainables.trial_folder import TrialFolder

MAJORITY, MINORITY = 0, 1


class World:
    """Images of 1 x 2 pixels whose mean is +-1 in red for the object and +-1 in green for the background."""

    class_names = ("0", "1")
    group_names = ("label=x, place=usual", "label=x, place=unusual")
    group_uncommon = ((), ())
    num_skipped = 0

    def __init__(self, num_usual: int = 3) -> None:
        """Draw `num_usual` images of the majority for each one of the minority, the object right in 3 of 4."""
        rows = [
            (label, core, place)
            for label in (0, 1)
            for core in (1, 1, 1, -1)
            for place in (*[MAJORITY] * num_usual, MINORITY)
        ]
        sign_N = torch.tensor([2 * label - 1 for label, _, _ in rows])
        self.labels_N = torch.tensor([label for label, _, _ in rows])
        self.groups_N = torch.tensor([place for _, _, place in rows])
        self.images_NCHW = torch.zeros(len(rows), 3, 1, 2)
        self.images_NCHW[:, 0, 0, 0] = 2.0 * sign_N * torch.tensor([core for _, core, _ in rows])
        self.images_NCHW[:, 1, 0, 1] = 2.0 * sign_N * (1 - 2 * self.groups_N)

    def __len__(self) -> int:
        return len(self.labels_N)

    def groups(self) -> Tensor:
        return self.groups_N

    def __getitems__(self, draws: list[Draw]) -> Batch:
        indices_B = torch.tensor([draw.index for draw in draws])
        return Batch(
            images_BCHW=self.images_NCHW[indices_B],
            labels_B=self.labels_N[indices_B],
            background_BHW=torch.tensor([0.0, 1.0]).expand(len(draws), 1, 2),
            has_mask_B=torch.ones(len(draws), dtype=torch.bool),
            ids=tuple(map(str, indices_B.tolist())),
            indices_B=indices_B,
        )

    def digest(self) -> str:
        return "0" * 16

    def all(self) -> Batch:
        return self.__getitems__([Draw(index, 0) for index in range(len(self))])


def learner_of(world: World, folder: Path, objective: dict[str, object]) -> Learner:
    """Return a linear network on the world's pixels, of weights 0, that plain gradient descent trains."""
    tree = {
        "objective": objective,
        "optim": {"kind": "sgd", "momentum": 0.1, "nesterov": False, "learning_rate": 0.5, "final_fraction": 1},
        "training": {"epochs": 1000, "batch_size": len(world)},
    }
    tree["optim"] |= {"weight_decay": 0, "warmup_epochs": 0}
    config = experiment_from_tree(tree)
    context = LocalContext(TrialFolder(folder), device=CPU)
    model = linear_classifier([[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    return Learner(config, model, build_task(config, world), context, steps_per_epoch=1)


def trained(world: World, folder: Path, objective: dict[str, object], *, steps: int = 400) -> Learner:
    learner = learner_of(world, folder, objective)
    learner.begin(1)
    for _ in range(steps):
        learner.step(world.all())
    return learner


def core_and_shortcut(learner: Learner) -> list[float]:
    """Return what object and background add to the logit of class 1 over that of class 0."""
    weight_KF = learner.evaluated.head.weight.detach()
    return (weight_KF[1] - weight_KF[0])[:2].tolist()


def group_losses(learner: Learner, world: World) -> list[float]:
    batch = world.all()
    with torch.no_grad():
        loss_N = nn.functional.cross_entropy(
            learner.evaluated(batch.images_BCHW).logits, batch.labels_B, reduction="none"
        )
    return [loss_N[world.groups_N == group].mean().item() for group in (MAJORITY, MINORITY)]


def dro_of(learner: Learner) -> Weights:
    assert isinstance(learner.task, ClassificationTask)
    assert learner.task.group_dro is not None
    return learner.task.group_dro


def test_erm_follows_the_shortcut(tmp_path: Path) -> None:
    """Object and background are right independently, each in 3 of 4: both weigh ln 3."""
    world = World()
    learner = trained(world, tmp_path, {"kind": "cross_entropy"})
    assert core_and_shortcut(learner) == pytest.approx([math.log(3)] * 2, abs=1e-3)
    assert group_losses(learner, world)[MINORITY] == pytest.approx(0.75 * math.log(2) + 0.25 * math.log(10), abs=1e-3)


def test_group_dro_ends_without_the_shortcut(tmp_path: Path) -> None:
    """Both groups have one loss where the shortcut weighs nothing; the object then weighs ln 3, and each group half."""
    world = World()
    learner = trained(world, tmp_path, {"kind": "cross_entropy", "group_dro": {"step_size": 0.2}})
    assert core_and_shortcut(learner) == pytest.approx([math.log(3), 0], abs=1e-3)
    entropy = -0.75 * math.log(0.75) - 0.25 * math.log(0.25)
    assert group_losses(learner, world) == pytest.approx([entropy, entropy], abs=1e-3)
    assert dro_of(learner).metrics() == pytest.approx(
        {"train/group_dro/label=x_place=usual": 0.5, "train/group_dro/label=x_place=unusual": 0.5}, abs=1e-3
    )


def test_the_minority_weighs_more_while_its_loss_is_higher(tmp_path: Path) -> None:
    """After a step of ERM it is: the second step of GroupDRO raises its weight."""
    world = World()
    learner = learner_of(world, tmp_path, {"kind": "cross_entropy", "group_dro": {"step_size": 0.2}})
    with torch.no_grad():
        learner.evaluated.head.weight[1, 1] = 1
    sums = learner.step(world.all())
    usual, unusual = group_losses_of(torch.tensor([1.0, -1.0]))
    q = math.exp(0.2 * unusual) / (math.exp(0.2 * unusual) + math.exp(0.2 * usual))
    assert list(dro_of(learner).metrics().values()) == pytest.approx([1 - q, q])
    assert sums["loss"].item() / len(world) == pytest.approx(q * unusual + (1 - q) * usual)


def group_losses_of(margins_G: Tensor) -> list[float]:
    losses: list[float] = nn.functional.softplus(-margins_G).tolist()
    return losses


def test_all_terms_of_an_objective_are_weighed(tmp_path: Path) -> None:
    """Losses of groups, and so their weights, are those of the whole objective, here with the background's penalty."""
    world = World()
    learner = learner_of(world, tmp_path, {"kind": "contrastive", "group_dro": {"step_size": 0.2}})
    with torch.no_grad():
        learner.evaluated.head.weight.copy_(torch.tensor([[0.2, 0.1, 0.0], [0.5, 0.9, 0.0]]))
    batch = world.all()
    loss_B = contrastive_cross_entropy(
        batch.images_BCHW, learner.evaluated.head.weight.detach(), batch.labels_B, batch.background_BHW
    )
    means = [loss_B[world.groups_N == group].mean().item() for group in (MAJORITY, MINORITY)]
    sums = learner.step(batch)
    q = math.exp(0.2 * means[MINORITY]) / sum(math.exp(0.2 * mean) for mean in means)
    assert list(dro_of(learner).metrics().values()) == pytest.approx([1 - q, q])
    assert sums["loss"].item() / len(world) == pytest.approx((1 - q) * means[0] + q * means[1])


def test_images_of_one_group_are_refused() -> None:
    world = World(num_usual=3)
    world.groups_N[:] = MAJORITY
    with pytest.raises(ConfigError) as caught:
        Weights(GroupDro(), world)
    assert str(caught.value) == (
        "objective.group_dro has no effect: all 32 training images are of one group, label=x, place=usual; set it to "
        "null, or take data with several groups"
    )


def test_groups_whose_metrics_would_have_one_name_keep_a_weight_each() -> None:
    """The hash is the start of the SHA-256 of the group's name."""
    world = World()
    world.group_names = ("place=sea side", "place=sea_side")
    assert Weights(GroupDro(), world).metrics() == pytest.approx(
        {"train/group_dro/place=sea_side-e5c8e3": 0.5, "train/group_dro/place=sea_side-4e26e7": 0.5}
    )


def test_a_checkpoint_of_other_groups_is_refused() -> None:
    weights = Weights(GroupDro(), World())
    with pytest.raises(ValueError, match=r"^weights of 3 groups, and there are 2$"):
        weights.load({"log_weights": torch.zeros(3)})


def test_every_epoch_reports_the_weights(make_config: MakeConfig, train: Train) -> None:
    config = make_config({"objective.group_dro": {"step_size": 1.0}, "training.epochs": 2, "data.correlation": 0.8})
    rows = train(config).rows()
    for row in rows:
        own, another = row["train/group_dro/own_texture"], row["train/group_dro/another_texture"]
        assert own + another == pytest.approx(1)
    assert rows[0]["train/group_dro/own_texture"] != rows[1]["train/group_dro/own_texture"]
