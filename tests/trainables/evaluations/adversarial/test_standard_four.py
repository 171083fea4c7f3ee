"""AutoAttack's four against distances in closed form, and against their package run as its authors run it."""

import logging
import math
import random
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.trainables.evaluations.adversarial.linear_images import convolutional, four_classes, quartered
from tests.trainables.evaluations.conftest import Images, context_of
from trainables.config import Suite
from trainables.evaluations import EvaluationContext
from trainables.evaluations.adversarial.attacks import Attacked, attackable
from trainables.evaluations.adversarial.ball import Ball, Norm
from trainables.evaluations.adversarial.standard_four import FOUR, STANDARD_QUERIES, left_out, one_of_four
from trainables.models import Classifier

EPS = 0.1
DISTANCES = (0.03, 0.09, 0.11, 0.3, 0.05, 0.2)
WITHIN = [True, True, False, False, True, False]


def context(model: Classifier, images: Images, **adversarial: Any) -> EvaluationContext:
    return context_of(model, images, settings=Suite.model_validate({"adversarial": adversarial}))


def run(name: str, model: Classifier, images: Images, ball: Ball, *, queries: int = 100) -> Attacked:
    with attackable(model) as logits_of:
        attack = one_of_four(name, context(model, images, square_queries=queries), logits_of, ball)
        return attack(images.batch.images_BCHW, images.batch.labels_B)


class TestClosedForm:
    @pytest.mark.parametrize("norm", ["linf", "l2"])
    @pytest.mark.parametrize("name", ["apgd-t", "fab-t"])
    def test_targeted_attacks_find_what_there_is(self, name: str, norm: Norm) -> None:
        model, weight_KP = four_classes()
        result = run(name, model, quartered(weight_KP, DISTANCES, norm), Ball(norm, EPS))
        assert result.fooled_B.tolist() == WITHIN

    def test_apgd_finds_what_there_is_in_the_maximum_norm(self) -> None:
        model, weight_KP = four_classes()
        result = run("apgd-ce", model, quartered(weight_KP, DISTANCES, "linf"), Ball("linf", EPS))
        assert result.fooled_B.tolist() == WITHIN

    @pytest.mark.parametrize("norm", ["linf", "l2"])
    @pytest.mark.parametrize("name", FOUR)
    def test_none_finds_more_than_there_is(self, name: str, norm: Norm) -> None:
        model, weight_KP = four_classes()
        result = run(name, model, quartered(weight_KP, DISTANCES, norm), Ball(norm, EPS))
        assert not result.fooled_B[~torch.tensor(WITHIN)].any()


class TestPoints:
    @pytest.mark.parametrize("norm", ["linf", "l2"])
    @pytest.mark.parametrize("name", FOUR)
    def test_are_images_in_the_ball(self, name: str, norm: Norm) -> None:
        model, images = convolutional()
        ball = Ball(norm, 0.05 if norm == "linf" else 0.4)
        result = run(name, model, images, ball)
        change = (result.images_BCHW.double() - images.batch.images_BCHW.double()).flatten(1)
        assert result.fooled_B.any()
        assert change.norm(math.inf if norm == "linf" else 2, dim=1).max() <= ball.eps * (1 + 1e-5)
        assert result.images_BCHW.min() >= 0
        assert result.images_BCHW.max() <= 1
        assert not result.images_BCHW.requires_grad

    @pytest.mark.parametrize("name", FOUR)
    def test_what_is_wrong_already_stays_as_it_is(self, name: str) -> None:
        model, images = convolutional()
        labels_B = (images.batch.labels_B + 1) % 4
        with attackable(model) as logits_of:
            attack = one_of_four(name, context(model, images, square_queries=10), logits_of, Ball("linf", 0.05))
            result = attack(images.batch.images_BCHW, labels_B)
        assert result.fooled_B.all()
        assert result.images_BCHW.equal(images.batch.images_BCHW)


class TestLeftOut:
    def test_nothing_with_four_classes(self) -> None:
        assert left_out("linf", num_classes=4, side=4) == {}
        assert left_out("l2", num_classes=4, side=5) == {}

    def test_says_what_is_missing(self) -> None:
        assert left_out("linf", num_classes=3, side=64) == {
            "apgd-t": "its loss compares 4 classes, and there are 3",
        }
        assert list(left_out("linf", num_classes=1, side=64)) == ["apgd-t", "fab-t"]
        assert left_out("l2", num_classes=4, side=4) == {
            "square": "its start in L2 needs images of 5 pixels, and these have 4",
        }


class TestLeftAlone:
    @pytest.mark.parametrize("name", FOUR)
    def test_same_seed_same_points_and_nothing_else_moves(
        self, name: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        model, images = convolutional()
        before = _generators()
        first = run(name, model, images, Ball("linf", 0.1))
        torch.rand(3)
        state = _generators()
        again = run(name, model, images, Ball("linf", 0.1))
        assert first.images_BCHW.equal(again.images_BCHW)
        assert _generators() == state != before
        assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())
        assert capfd.readouterr() == ("", "")
        assert not caplog.records
        assert logging.getLogger("auto-attack").level == logging.NOTSET


class TestAsItsAuthorsRunIt:
    @pytest.mark.parametrize("norm", ["linf", "l2"])
    def test_the_same_images_are_fooled_as_by_the_package(self, norm: Norm) -> None:
        from pyautoattack import AutoAttack

        model, images = convolutional(num_pictures=32)
        batch, ball = images.batch, Ball(norm, 0.012 if norm == "linf" else 0.08)
        ours = _one_after_the_other(model, images, ball)
        with attackable(model) as logits_of, torch.random.fork_rng():
            theirs = AutoAttack(logits_of, norm={"linf": "Linf", "l2": "L2"}[norm], eps=ball.eps, seed=0)
            theirs.apgd_targeted.n_target_classes = theirs.fab.n_target_classes = 3
            theirs.square.n_queries = 100
            _, classes_B = theirs.run_standard_evaluation(batch.images_BCHW, batch.labels_B)
        assert ours.any()
        assert not ours.all()
        assert ours.equal(classes_B != batch.labels_B)


def _one_after_the_other(model: Classifier, images: Images, ball: Ball) -> Tensor:
    fooled_B = torch.zeros(len(images), dtype=torch.bool)
    for name in FOUR:
        fooled_B |= run(name, model, images, ball).fooled_B
    return fooled_B


def _generators() -> tuple[Any, ...]:
    return tuple(torch.get_rng_state().tolist()), tuple(np.random.get_state()[1].tolist()), random.getstate()


def test_square_makes_its_authors_number_of_queries_unless_told_otherwise() -> None:
    from pyautoattack import AutoAttack

    theirs = AutoAttack(lambda images: images, norm="Linf", eps=0.1, device=torch.device("cpu"), version="standard")
    assert Suite().adversarial.square_queries == STANDARD_QUERIES == theirs.square.n_queries == 5000
