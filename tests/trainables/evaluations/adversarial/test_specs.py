"""FGSM, the curve, AutoAttack and Square as evaluations of the suite."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch

from tests.trainables.evaluations.adversarial.linear_images import (
    convolutional,
    four_classes,
    images_at,
    quartered,
    two_classes,
)
from tests.trainables.evaluations.conftest import Images, context_of
from trainables.config import Suite
from trainables.evaluations import EvalSpec, EvaluationContext
from trainables.evaluations.adversarial import ATTACKED_MAPS, AUTOATTACK, FGSM, MASKING, PGD, SQUARE
from trainables.models import Classifier

SPECS = (FGSM, PGD, AUTOATTACK, SQUARE, MASKING, ATTACKED_MAPS)
DISTANCES = (0.03, 0.09, 0.11, 0.3, 0.05, 0.2)


def context(
    model: Classifier, images: Images, adversarial: Mapping[str, Any], *, sample: int = 200, **options: Any
) -> EvaluationContext:
    settings = {"sample": sample, "adversarial": {"square_queries": 50, **adversarial}}
    return replace(context_of(model, images, settings=Suite.model_validate(settings), **options), batch_size=32)


class TestFgsm:
    def test_closed_form(self) -> None:
        model, weight_P = two_classes()
        result = FGSM.run(context(model, images_at(weight_P, DISTANCES, "linf"), {"linf": 0.1}))
        assert result.metrics == {"adversarial/fgsm/linf_0.1": 0.5}
        assert result.settings == {"num_pictures": 6, "seed": 0, "linf": 0.1, "clean_accuracy": 1.0}
        assert result.samples == {
            "adversarial/fgsm/linf_0.1": {
                f"image-{index}": float(stands) for index, stands in enumerate([0, 0, 1, 1, 0, 1])
            }
        }


class TestCurve:
    def test_closed_form_by_radius(self) -> None:
        """Of distances .03 .05 .09 .11 .2 .3, and of 31 times as many in L2: `2 / sqrt(5 / 192) * d / 12.4`."""
        model, weight_P = two_classes()
        curves = {"linf_curve": [0.04, 0.15, 1.0, 0.25], "l2_curve": [0.04]}
        linf = PGD.run(context(model, images_at(weight_P, DISTANCES, "linf"), curves))
        assert linf.curves[0].x == (0, 0.04, 0.15, 0.25, 1)
        assert linf.curves[0].y == (1, 5 / 6, 2 / 6, 1 / 6, 0)
        assert (linf.curves[0].chart, linf.curves[0].name) == ("accuracy under attack (Linf)", "PGD")
        l2 = PGD.run(context(model, images_at(weight_P, DISTANCES, "l2"), curves))
        assert l2.curves[1].x == (0, 0.04)
        assert l2.curves[1].y == (1, 5 / 6)
        assert l2.curves[1].chart == "accuracy under attack (L2)"
        assert l2.metrics.keys() == {
            "adversarial/pgd/linf_0",
            "adversarial/pgd/linf_0.04",
            "adversarial/pgd/linf_0.15",
            "adversarial/pgd/linf_0.25",
            "adversarial/pgd/linf_1",
            "adversarial/pgd/l2_0",
            "adversarial/pgd/l2_0.04",
        }

    def test_eps_0_is_the_accuracy_of_the_same_sample(self) -> None:
        model, images = convolutional()
        images._labels_N[:3] = (images._labels_N[:3] + 1) % 4
        result = PGD.run(context(model, images, {}, sample=10))
        sampled = context(model, images, {}, sample=10).sampled
        expected = (model(sampled.images_BCHW).logits.argmax(1) == sampled.labels_B).double().mean().item()
        assert result.metrics["adversarial/pgd/linf_0"] == result.metrics["adversarial/pgd/l2_0"] == expected
        assert result.settings["num_pictures"] == 10

    def test_eps_1_leaves_nothing(self) -> None:
        assert PGD.run(context(*convolutional(), {})).metrics["adversarial/pgd/linf_1"] == 0


class TestAutoAttack:
    def test_closed_form_in_both_norms(self) -> None:
        model, weight_KP = four_classes()
        linf = AUTOATTACK.run(context(model, quartered(weight_KP, DISTANCES, "linf"), {"linf": 0.1, "l2": 0.0}))
        l2 = AUTOATTACK.run(context(model, quartered(weight_KP, DISTANCES, "l2"), {"linf": 0.0, "l2": 0.1}))
        assert linf.metrics["adversarial/autoattack/linf_0.1"] == 0.5
        assert l2.metrics["adversarial/autoattack/l2_0.1"] == 0.5
        assert list(l2.settings["accuracy_after"]["l2_0.1"]) == ["pgd", "apgd-ce", "apgd-t", "fab-t", "square"]
        assert l2.settings["left_out"] == {"linf_0": {}, "l2_0.1": {}}

    def test_two_classes(self) -> None:
        model, weight_P = two_classes()
        result = AUTOATTACK.run(context(model, images_at(weight_P, DISTANCES, "l2"), {"linf": 0.0, "l2": 0.1}))
        assert result.metrics == {"adversarial/autoattack/linf_0": 1, "adversarial/autoattack/l2_0.1": 0.5}
        reason = {"apgd-t": "its loss compares 4 classes, and there are 2"}
        assert result.settings["left_out"] == {"linf_0": reason, "l2_0.1": reason}
        assert list(result.settings["accuracy_after"]["l2_0.1"]) == ["pgd", "apgd-ce", "fab-t", "square"]

    def test_accuracy_only_falls_from_attack_to_attack(self) -> None:
        """The more so after a PGD of one step, which leaves the four something to find."""
        result = AUTOATTACK.run(context(*convolutional(num_pictures=32), {"linf": 0.02, "l2": 0.0, "steps": 1}))
        accuracies = list(result.settings["accuracy_after"]["linf_0.02"].values())
        assert accuracies == sorted(accuracies, reverse=True)
        assert 1 > accuracies[0] > accuracies[-1]
        assert result.metrics["adversarial/autoattack/linf_0.02"] == accuracies[-1]

    def test_looks_at_as_many_images_as_the_settings_say(self) -> None:
        model, images = convolutional()
        one = context(model, images, {"sample": 5, "linf": 0.1, "l2": 2.0})
        result = AUTOATTACK.run(one)
        assert result.settings["num_pictures"] == 5
        assert set(result.samples["adversarial/autoattack/l2_2"]) < set(one.sampled.ids)


class TestSquare:
    @pytest.mark.parametrize("eps", [0.01, 0.03, 0.1])
    def test_is_no_better_than_pgd_on_plain_networks(self, eps: float) -> None:
        settings = {"linf": eps, "linf_curve": [eps], "square_queries": 300, "sample": 32}
        for model, images in (convolutional(num_pictures=32), convolutional(seed=1, num_pictures=32)):
            one = context(model, images, settings)
            square = SQUARE.run(one).metrics[f"adversarial/square/linf_{eps:.4g}"]
            assert square >= PGD.run(one).metrics[f"adversarial/pgd/linf_{eps:.4g}"]

    def test_more_queries_only_add(self) -> None:
        model, images = convolutional(num_pictures=32)
        few, many = (
            SQUARE.run(context(model, images, {"linf": 0.04, "square_queries": queries})) for queries in (1, 400)
        )
        name = "adversarial/square/linf_0.04"
        assert many.metrics[name] < few.metrics[name]
        assert all(many.samples[name][image] <= stands for image, stands in few.samples[name].items())
        assert many.settings["square_queries"] == 400
        assert many.settings["standard_square_queries"] == 5000


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
class TestEveryPart:
    def test_same_seed_same_metrics_and_nothing_else_moves(self, spec: EvalSpec) -> None:
        model, images = convolutional()
        weights = {name: value.clone() for name, value in model.state_dict().items()}
        state = torch.get_rng_state()
        first, again = (spec.run(context(model, images, {"linf": 0.1, "l2": 2.0})) for _ in range(2))
        assert first.metrics == again.metrics
        assert first.samples == again.samples
        assert torch.get_rng_state().equal(state)
        assert all(value.equal(weights[name]) for name, value in model.state_dict().items())
        assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())
        assert not model.training

    def test_reports_what_it_says_it_does_and_its_progress(self, spec: EvalSpec) -> None:
        ticks: list[tuple[int, int]] = []
        model, images = convolutional()
        result = spec.run(
            context(model, images, {"linf": 0.1, "l2": 2.0}, tick=lambda done, total: ticks.append((done, total)))
        )
        assert result.metrics
        assert all(any(_fits(name, pattern) for pattern in spec.directions) for name in result.metrics)
        assert {"num_pictures", "seed"} <= result.settings.keys()
        assert spec.category == "adversarial"
        assert [done for done, _ in ticks] == sorted(done for done, _ in ticks)
        assert {total for _, total in ticks} == {ticks[-1][1]}
        assert 0 < ticks[-1][0] <= ticks[-1][1]


def _fits(name: str, pattern: str) -> bool:
    from fnmatch import fnmatchcase

    return fnmatchcase(name, pattern)
