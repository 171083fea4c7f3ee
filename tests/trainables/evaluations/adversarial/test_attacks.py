"""FGSM and PGD against distances in closed form, and what they leave alone."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.trainables.evaluations.adversarial.linear_images import (
    convolutional,
    images_at,
    in_memory,
    two_classes,
)
from tests.trainables.evaluations.conftest import Images, linear_classifier
from trainables.evaluations.adversarial.attacks import Attacked, attackable, climb, fgsm, pgd, slope
from trainables.evaluations.adversarial.ball import Ball, Norm
from trainables.models import Classifier

EPS = 0.1
DISTANCES = (0.03, 0.09, 0.11, 0.3, 0.05, 0.2)
FOOLED = [True, True, False, False, True, False]
"""At EPS, by closed form."""


def attack(
    model: Classifier, images: Images, ball: Ball, *, steps: int = 20, restarts: int = 1, seed: int = 0
) -> Attacked:
    batch, generator = images.batch, torch.Generator().manual_seed(seed)
    with attackable(model) as logits_of:
        return pgd(
            logits_of,
            batch.images_BCHW,
            batch.labels_B,
            ball,
            steps=steps,
            restarts=restarts,
            generator=generator,
        )


def single_step(model: Classifier, images: Images, ball: Ball) -> Attacked:
    with attackable(model) as logits_of:
        return fgsm(logits_of, images.batch.images_BCHW, images.batch.labels_B, ball)


class TestClosedForm:
    def test_fgsm_finds_what_there_is_in_the_maximum_norm(self) -> None:
        model, weight_P = two_classes()
        result = single_step(model, images_at(weight_P, DISTANCES, "linf"), Ball("linf", EPS))
        assert result.fooled_B.tolist() == FOOLED

    @pytest.mark.parametrize("norm", ["linf", "l2"])
    def test_pgd_finds_what_there_is(self, norm: Norm) -> None:
        model, weight_P = two_classes()
        result = attack(model, images_at(weight_P, DISTANCES, norm), Ball(norm, EPS))
        assert result.fooled_B.tolist() == FOOLED

    def test_fgsm_goes_to_the_corner(self) -> None:
        model, weight_P = two_classes()
        images = images_at(weight_P, DISTANCES, "linf")
        result = single_step(model, images, Ball("linf", EPS))
        towards = torch.tensor([-1.0, 1.0]).repeat(3).view(-1, 1, 1, 1)
        corner = (images.batch.images_BCHW + EPS * towards * weight_P.sign().view(3, 8, 8)).clamp(0, 1)
        torch.testing.assert_close(result.images_BCHW, corner)

    def test_one_step_takes_an_image_no_further_than_many(self) -> None:
        model, images = convolutional()
        ball = Ball("linf", 0.03)
        one, many = single_step(model, images, ball), attack(model, images, ball)
        assert one.fooled_B.any()
        assert many.fooled_B[one.fooled_B].all()


class TestBall:
    @pytest.mark.parametrize("norm", ["linf", "l2"])
    def test_points_are_images_in_the_ball(self, norm: Norm) -> None:
        model, images = convolutional()
        points = attack(model, images, Ball(norm, 0.2), restarts=2).images_BCHW
        change = (points.double() - images.batch.images_BCHW.double()).flatten(1)
        assert change.norm(math.inf if norm == "linf" else 2, dim=1).max() <= 0.2 + 1e-7
        assert points.min() >= 0
        assert points.max() <= 1

    @pytest.mark.parametrize("norm", ["linf", "l2"])
    def test_eps_0_changes_nothing(self, norm: Norm) -> None:
        model, images = convolutional()
        result = attack(model, images, Ball(norm, 0.0), restarts=2)
        assert result.images_BCHW.equal(images.batch.images_BCHW)
        assert not result.fooled_B.any()
        assert single_step(model, images, Ball(norm, 0.0)).images_BCHW.equal(images.batch.images_BCHW)

    def test_eps_1_leaves_nothing(self) -> None:
        model, weight_P = two_classes()
        assert attack(model, images_at(weight_P, DISTANCES, "linf"), Ball("linf", 1.0)).fooled_B.all()
        assert attack(*convolutional(), Ball("linf", 1.0)).fooled_B.all()

    def test_a_network_that_sees_nothing_is_not_fooled(self) -> None:
        blind = linear_classifier([[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]], trunk=_Blind())
        result = attack(blind, in_memory(torch.rand(3, 3, 4, 4), [0, 0, 1]), Ball("linf", 1.0))
        assert result.fooled_B.tolist() == [False, False, True]


class _Blind(nn.Module):
    def forward(self, images_BCHW: Tensor) -> Tensor:
        return 0 * images_BCHW + 1


class TestFooled:
    def test_is_what_the_network_says_of_the_points(self) -> None:
        model, images = convolutional()
        result = attack(model, images, Ball("linf", 0.02))
        with torch.no_grad():
            classes = model(result.images_BCHW).logits.argmax(1)
        assert result.fooled_B.any()
        assert not result.fooled_B.all()
        assert result.fooled_B.equal(classes != images.batch.labels_B)

    def test_what_is_wrong_already_stays_as_it_is(self) -> None:
        model, right = convolutional()
        batch = right.batch
        images = in_memory(batch.images_BCHW, ((batch.labels_B + 1) % 4).tolist())
        for result in (attack(model, images, Ball("linf", 0.1)), single_step(model, images, Ball("linf", 0.1))):
            assert result.fooled_B.all()
            assert result.images_BCHW.equal(batch.images_BCHW)

    def test_a_restart_only_adds(self) -> None:
        model, images = convolutional(num_pictures=32)
        counts = []
        before = torch.zeros(32, dtype=torch.bool)
        for restarts in (1, 2, 4, 8):
            fooled = attack(model, images, Ball("l2", 0.14), steps=1, restarts=restarts).fooled_B
            assert fooled[before].all()
            counts.append(int(fooled.sum()))
            before = fooled
        assert counts[0] < counts[-1]

    def test_without_a_stop_images_climb_on(self) -> None:
        model, images = convolutional()
        batch, ball = images.batch, Ball("linf", 0.1)
        with attackable(model) as logits_of:
            stopped, not_stopped = (
                climb(
                    logits_of,
                    batch.images_BCHW,
                    batch.images_BCHW,
                    batch.labels_B,
                    ball,
                    step=0.025,
                    steps=20,
                    stop=stop,
                )
                for stop in (True, False)
            )
            probability = [
                logits_of(result.images_BCHW).softmax(1).gather(1, batch.labels_B[:, None]).mean()
                for result in (stopped, not_stopped)
            ]
        assert not_stopped.fooled_B.all()
        assert probability[1] < probability[0]


class TestLeftAlone:
    def test_same_seed_same_points(self) -> None:
        model, images = convolutional()
        ball = Ball("linf", 0.02)
        first, again, other = (attack(model, images, ball, seed=seed) for seed in (1, 1, 2))
        assert first.images_BCHW.equal(again.images_BCHW)
        assert not first.images_BCHW.equal(other.images_BCHW)

    def test_network_images_and_global_generators(self) -> None:
        model, data = convolutional()
        model.trunk[0].bias.requires_grad_(False)
        batch = data.batch
        images, states = batch.images_BCHW.clone(), {name: value.clone() for name, value in model.state_dict().items()}
        torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
        attack(model, data, Ball("linf", 0.05), restarts=2)
        single_step(model, data, Ball("linf", 0.05))
        assert torch.get_rng_state().equal(torch_state)
        assert (np.random.get_state()[1] == numpy_state).all()
        assert data.batch.images_BCHW.equal(images)
        assert all(value.equal(states[name]) for name, value in model.state_dict().items())
        assert all(parameter.grad is None for parameter in model.parameters())
        learning = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
        assert learning == {name for name, _ in model.named_parameters()} - {"trunk.0.bias"}
        assert not model.training

    def test_weights_come_back_after_an_error(self) -> None:
        model, _ = convolutional()
        with pytest.raises(RuntimeError, match="boom"), attackable(model):
            raise RuntimeError("boom")
        assert all(parameter.requires_grad for parameter in model.parameters())

    def test_a_network_in_training_is_refused(self) -> None:
        model, _ = convolutional()
        with pytest.raises(AssertionError), attackable(model.train()):
            pass

    def test_autocast_is_off(self) -> None:
        model, images = convolutional()
        batch = images.batch
        with attackable(model) as logits_of:
            expected = slope(logits_of, batch.images_BCHW, batch.labels_B)
        with torch.autocast("cpu", dtype=torch.bfloat16), attackable(model) as logits_of:
            result = slope(logits_of, batch.images_BCHW, batch.labels_B)
        assert all(a.equal(b) for a, b in zip(expected, result, strict=True))


@pytest.mark.parametrize("norm", ["linf", "l2"])
class TestAsTheToolbox:
    """The same points as adversarial-robustness-toolbox, which starts at the image and never stops.

    No pixel comes near 0 or 1: in L2 the toolbox clips before it projects, and we after.
    """

    def test_fgsm(self, norm: Norm) -> None:
        evasion = pytest.importorskip("art.attacks.evasion")
        model, images_BCHW, labels_B = self._inner()
        theirs = evasion.FastGradientMethod(self._estimator(model), norm=_order(norm), eps=0.1)
        expected = theirs.generate(images_BCHW.numpy(), labels_B.numpy())
        with attackable(model) as logits_of:
            result = fgsm(logits_of, images_BCHW, labels_B, Ball(norm, 0.1))
        np.testing.assert_allclose(result.images_BCHW.numpy(), expected, atol=1e-6)

    def test_pgd(self, norm: Norm) -> None:
        evasion = pytest.importorskip("art.attacks.evasion")
        model, images_BCHW, labels_B = self._inner()
        theirs = evasion.ProjectedGradientDescent(
            self._estimator(model), norm=_order(norm), eps=0.1, eps_step=0.025, max_iter=5, verbose=False
        )
        expected = theirs.generate(images_BCHW.numpy(), labels_B.numpy())
        with attackable(model) as logits_of:
            result = climb(
                logits_of,
                images_BCHW,
                images_BCHW,
                labels_B,
                Ball(norm, 0.1),
                step=0.025,
                steps=5,
                stop=False,
            )
        np.testing.assert_allclose(result.images_BCHW.numpy(), expected, atol=1e-6)

    def _inner(self) -> tuple[Classifier, Tensor, Tensor]:
        model, images = convolutional()
        images_BCHW = 0.25 + images.batch.images_BCHW / 2
        return model, images_BCHW, model(images_BCHW).logits.argmax(1)

    def _estimator(self, model: Classifier) -> Any:
        classification = pytest.importorskip("art.estimators.classification")
        return classification.PyTorchClassifier(
            _Logits(model), nn.CrossEntropyLoss(), input_shape=(3, 8, 8), nb_classes=4, clip_values=(0.0, 1.0)
        )


class _Logits(nn.Module):
    def __init__(self, model: Classifier) -> None:
        super().__init__()
        self.model = model

    def forward(self, images_BCHW: Tensor) -> Tensor:
        return self.model(images_BCHW).logits


def _order(norm: Norm) -> float:
    return math.inf if norm == "linf" else 2
