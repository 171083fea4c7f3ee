"""Networks that hide their gradients are detected, and plain ones are not."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.trainables.evaluations.adversarial.linear_images import (
    convolutional,
    images_at,
    two_classes,
)
from tests.trainables.evaluations.conftest import Images, context_of
from trainables.config import Suite
from trainables.evaluations import EvaluationResult
from trainables.evaluations.adversarial import MASKING
from trainables.evaluations.adversarial.masking import beyond_noise, reasons
from trainables.models import Classifier

NOTHING = {
    "square_beats_pgd": 0,
    "fgsm_beats_pgd": 0,
    "noise_beats_pgd": 0,
    "zero_gradient": 0,
    "accuracy_at_eps_1": 0,
}


def run(model: Classifier, images: Images, **adversarial: Any) -> EvaluationResult:
    settings = Suite.model_validate({"adversarial": {"square_queries": 300, **adversarial}})
    return MASKING.run(replace(context_of(model, images, settings=settings), batch_size=32))


class _Coarse(nn.Module):
    """Rounds pixels to quarters, whose derivative is 0."""

    def forward(self, images_BCHW: Tensor) -> Tensor:
        return (4 * images_BCHW).round() / 4


class TestBeyondNoise:
    @pytest.mark.parametrize(
        ("count", "total", "expected"),
        [(0, 100, False), (3, 100, False), (4, 100, True), (1, 4, False), (2, 4, False), (3, 4, True), (1, 1, True)],
    )
    def test_two_standard_errors(self, count: int, total: int, expected: bool) -> None:
        """3 of 100: .03 < 2 sqrt(.03 * .97 / 100) = .034; 4 of 100: .04 > .0392; 2 of 4: .5 = 2 sqrt(.25 / 4)."""
        assert beyond_noise(count, total) is expected


class TestReasons:
    def test_none_without_a_symptom(self) -> None:
        assert reasons(NOTHING, 100) == []

    def test_defeats_within_noise_are_none(self) -> None:
        assert reasons({**NOTHING, "square_beats_pgd": 3}, 100) == []

    def test_each_in_words(self) -> None:
        counts = dict.fromkeys(NOTHING, 5)
        assert reasons(counts, 100) == [
            "Square, which sees no gradient, fools 5 of 100 images that PGD does not",
            "one step fools 5 of 100 images that many do not",
            "random noise fools 5 of 100 images that PGD does not",
            "the gradient is exactly 0 on 5 of 100 images that PGD does not fool",
            "at eps = 1, where all images are allowed, 5 of 100 still stand",
        ]

    def test_one_image_at_eps_1_is_enough(self) -> None:
        assert len(reasons({**NOTHING, "accuracy_at_eps_1": 1}, 100)) == 1


class TestMasked:
    def test_saturated_logits(self) -> None:
        """Logits of thousands, whose cross-entropy has a gradient of exactly 0 in float32."""
        model, images = convolutional(num_pictures=32)
        with torch.no_grad():
            model.head.weight.mul_(1e5)
            model.head.bias.mul_(1e5)
        result = run(model, images, linf=0.05)
        assert result.metrics["adversarial/masking/suspected"] == 1
        assert result.metrics["adversarial/masking/square_beats_pgd"] > 0.1
        assert result.metrics["adversarial/masking/zero_gradient"] > 0.5
        assert any("Square" in reason for reason in result.settings["reasons"])

    def test_rounded_pixels(self) -> None:
        model, images = convolutional(num_pictures=32)
        masked = Classifier(nn.Sequential(_Coarse(), *model.trunk), model.head).eval()
        with torch.no_grad():
            logits_NK = masked(images.batch.images_BCHW).logits
            masked.head.bias -= logits_NK.mean(0)
            images._labels_N.copy_((logits_NK - logits_NK.mean(0)).argmax(1))
        result = run(masked, images, linf=0.1)
        assert result.metrics["adversarial/masking/suspected"] == 1
        assert result.metrics["adversarial/masking/square_beats_pgd"] > 0.1
        assert result.metrics["adversarial/masking/zero_gradient"] > 0.5

    def test_a_network_that_sees_nothing(self) -> None:
        model, weight_P = two_classes()
        images = images_at(weight_P, [0.1, 0.1], "linf")
        with torch.no_grad():
            model.trunk.weight_KP.zero_()
        result = run(model, images)
        assert result.metrics["adversarial/masking/accuracy_at_eps_1"] == 0.5
        assert result.settings["reasons"][-1] == "at eps = 1, where all images are allowed, 1 of 2 still stand"


class TestPlain:
    @pytest.mark.parametrize("seed", [0, 1, 2])
    @pytest.mark.parametrize("eps", [0.01, 0.03])
    def test_convolutional(self, seed: int, eps: float) -> None:
        result = run(*convolutional(seed, num_pictures=32), linf=eps)
        assert result.settings["reasons"] == []
        assert result.metrics["adversarial/masking/suspected"] == 0
        assert result.metrics["adversarial/masking/accuracy_at_eps_1"] == 0
        assert result.metrics["adversarial/masking/square_beats_pgd"] <= 1 / 32

    def test_linear(self) -> None:
        model, weight_P = two_classes()
        result = run(model, images_at(weight_P, [0.03, 0.09, 0.11, 0.2], "linf"), linf=0.1)
        assert result.metrics["adversarial/masking/suspected"] == 0
