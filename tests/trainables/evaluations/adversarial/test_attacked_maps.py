"""Influence and maps before and under attack, on networks whose maps are worked out by hand."""

import pytest
import torch
from torch import Tensor, nn

from tests.trainables.evaluations.adversarial.linear_images import convolutional
from tests.trainables.evaluations.conftest import Images, context_of, linear_classifier
from trainables.config import Suite
from trainables.evaluations import EvaluationResult, NotPossibleError
from trainables.evaluations.adversarial import ATTACKED_MAPS
from trainables.models import Classifier

SIZE = 12


def run(model: Classifier, images: Images, *, linf: float) -> EvaluationResult:
    settings = Suite.model_validate({"adversarial": {"linf": linf}})
    return ATTACKED_MAPS.run(context_of(model, images, settings=settings))


class _Weighted(nn.Module):
    """Features are the pixels, times a weight for each place."""

    def __init__(self, weight_HW: Tensor) -> None:
        super().__init__()
        self.weight_HW = nn.Parameter(weight_HW)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        return images_BCHW * self.weight_HW


def half_and_half(*, has_mask: bool = True) -> tuple[Classifier, Images]:
    """Return red images whose left half is the object, and a network for which a pixel on the right counts half.

    Class 0 scores red and class 1 green, so `|CC| = w |red - green|` on each cell.
    """
    weight_HW = torch.ones(SIZE, SIZE)
    weight_HW[:, SIZE // 2 :] = 0.5
    model = linear_classifier([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], trunk=_Weighted(weight_HW))
    images = torch.zeros(2, 3, SIZE, SIZE)
    images[:, 0, :, : SIZE // 2], images[:, 1], images[:, 2] = 0.75, 0.25, 0.5
    images[:, 0, :, SIZE // 2 :] = 0.5
    background = torch.zeros(2, SIZE, SIZE)
    background[:, :, SIZE // 2 :] = 1
    return model, Images(images, [0, 0], background if has_mask else 0 * background, [has_mask] * 2)


class TestInfluence:
    def test_by_hand(self) -> None:
        """Red - green is 1/2 on the object and 1/4 at half weight next to it; the attack takes 2 eps = 1/8 from both.

        Clean: (1/8) / (1/2 + 1/8) = 1/5. Attacked: (1/16) / (3/8 + 1/16) = 1/7.
        """
        result = run(*half_and_half(), linf=1 / 16)
        assert result.metrics["adversarial/maps/influence_share_clean"] == pytest.approx(1 / 5, abs=1e-6)
        assert result.metrics["adversarial/maps/influence_share_attacked"] == pytest.approx(1 / 7, abs=1e-6)
        assert result.settings["accuracy_attacked"] == 1

    def test_without_masks_the_shares_are_left_out(self) -> None:
        result = run(*half_and_half(has_mask=False), linf=1 / 16)
        assert result.metrics.keys() == {"adversarial/maps/ssim"}
        assert result.settings["influence_shares"] == "left out: no image has a mask"
        assert result.settings["num_without_mask"] == 2


class TestSimilarity:
    def test_is_1_at_eps_0(self) -> None:
        result = run(*half_and_half(), linf=0.0)
        assert result.metrics["adversarial/maps/ssim"] == pytest.approx(1, abs=1e-9)
        shares = [result.metrics[f"adversarial/maps/influence_share_{name}"] for name in ("clean", "attacked")]
        assert shares[0] == shares[1]

    def test_falls_as_the_attack_grows(self) -> None:
        model, images = convolutional()
        similarities = [run(model, images, linf=eps).metrics["adversarial/maps/ssim"] for eps in (0.002, 0.02, 0.1)]
        assert 1 > similarities[0] > similarities[1] > similarities[2] > -1

    def test_a_reversed_map_is_unlike(self) -> None:
        """At eps 1/2 the object's red - green goes from 1/2 to -1/2, and next to it from 1/4 to -3/4."""
        result = run(*half_and_half(), linf=0.5)
        assert result.metrics["adversarial/maps/ssim"] < 0
        assert result.settings["accuracy_attacked"] == 0

    def test_empty_maps_are_skipped_and_counted(self) -> None:
        model, images = half_and_half()
        images._images_NCHW[1] = 0.5
        result = run(model, images, linf=1 / 16)
        assert result.settings["num_empty_maps"] == 1
        assert list(result.samples["adversarial/maps/ssim"]) == ["image-0"]


class TestPanels:
    def test_at_most_three_and_attacked_ones_first(self) -> None:
        model, images = convolutional()
        result = run(model, images, linf=0.02)
        ids = {f"image-{index}" for index in range(len(images))}
        assert len(result.images) == 3
        assert result.images.keys() <= ids

    def test_shows_both_rows(self) -> None:
        result = run(*half_and_half(), linf=0.5)
        panel = result.images["image-0"]
        assert panel.height > panel.width / 2
        upper, lower = (panel.crop((0, top, panel.width, top + panel.height // 2)) for top in (0, panel.height // 2))
        assert upper.tobytes() != lower.tobytes()


def test_one_class_has_no_rival() -> None:
    _, images = half_and_half()
    with pytest.raises(NotPossibleError, match="a network with one class has no rival"):
        run(linear_classifier([[1.0, 0.0, 0.0]]), images, linf=0.1)
