"""KNN over 110 red and 60 green training images: its k of 50 and of 100 differ for green ones alone."""

import pytest
import torch
from torch import Tensor, tensor

from tests.trainables.evaluations.ood.conftest import seen, trained_on
from trainables.evaluations.ood.choice import Validation, choose
from trainables.evaluations.ood.encoded import Encoded
from trainables.evaluations.ood.scores import SCORES, Trained

RED, GREEN, BLUE = torch.eye(3)


@pytest.fixture
def trained() -> Trained:
    return trained_on(torch.cat([RED.expand(110, 3), GREEN.expand(60, 3)]))


def images(colour_F: Tensor) -> Encoded:
    return seen(colour_F.expand(4, 3))


def against_red(*colours: Tensor) -> Validation | None:
    ood = {f"set {number}": images(colour_F) for number, colour_F in enumerate(colours)}
    return Validation(images(RED), ood) if colours else None


def chosen_k(trained: Trained, *validation: Tensor) -> tuple[float, float | None]:
    choice = choose(SCORES["knn"], trained, against_red(*validation))
    return choice.setting["k"], choice.validation_auroc


def test_the_best_on_the_validation_set_is_taken(trained: Trained) -> None:
    """The 50th neighbour of a green image is green, as the 50th of a red one is red; its 100th is red."""
    assert chosen_k(trained, GREEN) == (100, 1)


def test_of_equals_the_published_one_is_taken(trained: Trained) -> None:
    assert chosen_k(trained, BLUE) == (50, 1)
    assert chosen_k(trained, RED) == (50, 0.5)


def test_several_validation_sets_count_alike(trained: Trained) -> None:
    """Green with a little red: its 50th neighbour is green, close but not at 0, so that k = 50 tells it as well."""
    assert chosen_k(trained, GREEN, BLUE) == (100, 1)
    assert chosen_k(trained, GREEN + 0.1 * RED, RED) == (50, 0.75)


def test_the_choice_is_fitted_and_says_what_it_was_made_on(trained: Trained) -> None:
    choice = choose(SCORES["knn"], trained, against_red(GREEN))
    assert choice.chosen_on == ("set 0",)
    assert choice.chosen_among == [{"k": 50}, {"k": 100}]
    assert choice.score(images(GREEN)).tolist() == pytest.approx([-(2**0.5)] * 4)


def test_without_a_validation_set_the_published_one_is_taken(trained: Trained) -> None:
    assert chosen_k(trained) == (50, None)


def test_without_an_alternative_nothing_is_validated(trained: Trained) -> None:
    assert choose(SCORES["softmax"], trained, against_red(BLUE)).validation_auroc is None
    assert chosen_k(trained_on(tensor([[1.0, 0, 0], [0, 1, 0]])), GREEN) == (2, None)
