import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from PIL import Image

from tests.trainables.evaluations.conftest import Images, context_of, linear_classifier
from trainables.config import FolderSet, ImageFolder, NoiseSet, OodSet, ScoreName, SpuriousDigits, Suite
from trainables.data import DataBundle, build_data
from trainables.evaluations import EvaluationContext, NotPossibleError
from trainables.evaluations.ood import OOD
from trainables.evaluations.ood.ood import means_by_role
from trainables.evaluations.result import EvaluationResult
from trainables.models import Classifier, build_model

COLOURS = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1), "black": (0, 0, 0)}


def plain(**numbers: int) -> Images:
    """Return so many images of each colour, without masks."""
    return of([name for name, number in numbers.items() for _ in range(number)])


def of(names: Sequence[str]) -> Images:
    """Return an image of each colour, without masks."""
    colours_NC = torch.tensor([COLOURS[name] for name in names], dtype=torch.float32)
    images_NCHW = colours_NC[:, :, None, None].expand(-1, -1, 2, 2)
    return Images(images_NCHW, [0] * len(names), torch.zeros(len(names), 2, 2), [False] * len(names))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder of four images for each colour."""
    for name, colour in COLOURS.items():
        (tmp_path / name).mkdir()
        for index in range(4):
            Image.new("RGB", (40, 32), tuple(255 * value for value in colour)).save(tmp_path / name / f"{index}.png")
    return tmp_path


class Evaluate:
    """Evaluates a network whose features are colours, trained on 110 red and 60 green images, on red ones.

    With k = 100 KNN tells green from red, and with k = 50 it does not.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ticks: list[tuple[int, int]] = []

    def __call__(
        self,
        sets: Mapping[str, OodSet],
        *,
        scores: tuple[str, ...] = ("knn",),
        model: Classifier | None = None,
        in_distribution: Images | None = None,
    ) -> EvaluationResult:
        return OOD.run(self.context(sets, scores=scores, model=model, in_distribution=in_distribution))

    def context(
        self,
        sets: Mapping[str, OodSet],
        *,
        scores: tuple[str, ...] = ("knn",),
        model: Classifier | None = None,
        in_distribution: Images | None = None,
    ) -> EvaluationContext:
        tree = {"sample": 4, "ood": {"sets": sets, "scores": scores}}
        context = context_of(
            model or linear_classifier([[1.0, 0, 0], [0, 1.0, 0]]),
            in_distribution or plain(red=4),
            settings=Suite.model_validate(tree),
            tick=lambda done, total: self.ticks.append((done, total)),
        )
        data = replace(
            context.data,
            train_unaugmented=plain(red=110, green=60),
            config=ImageFolder(root=str(self.root), image_size=32),
        )
        return replace(context, data=data)


@pytest.fixture
def evaluate(root: Path) -> Evaluate:
    return Evaluate(root)


def found_in(metrics: Mapping[str, float], name: str) -> dict[str, float]:
    start = f"ood/{name}/knn/"
    return {key.removeprefix(start): value for key, value in metrics.items() if key.startswith(start)}


def folder(name: str, role: Any = "near") -> FolderSet:
    return FolderSet(role=role, folder=name)


class TestHyperParameters:
    def test_are_published_ones_without_a_validation_set(self, evaluate: Evaluate) -> None:
        result = evaluate({"grass": folder("green")})
        assert result.settings["scores"] == {"knn": {"hyper_parameters": {"k": 50}, "chosen_by": "literature"}}
        assert result.metrics["ood/grass/knn/auroc"] == 0.5

    def test_follow_from_the_validation_sets(self, evaluate: Evaluate) -> None:
        result = evaluate({"sky": folder("blue"), "leaves": folder("green", "validation")})
        assert result.settings["scores"] == {
            "knn": {
                "hyper_parameters": {"k": 100},
                "chosen_by": "validation sets",
                "chosen_on": ["leaves"],
                "chosen_among": [{"k": 50}, {"k": 100}],
                "validation_auroc": 1,
            }
        }
        assert not any("leaves" in name for name in result.metrics)

    @pytest.mark.parametrize("role", ["near", "far"])
    def test_are_blind_to_what_is_measured(self, evaluate: Evaluate, role: str) -> None:
        """Here k = 100 would be perfect on the measured set, and the validation set prefers neither."""
        result = evaluate({"grass": folder("green", role), "sky": folder("blue", "validation")})
        assert result.settings["scores"]["knn"]["hyper_parameters"] == {"k": 50}
        assert result.metrics[f"ood/{role}/knn/auroc"] == 0.5
        assert evaluate({"sky": folder("blue", role), "v": folder("green", "validation")}).settings["scores"]["knn"][
            "hyper_parameters"
        ] == {"k": 100}

    def test_are_chosen_against_images_that_are_not_measured_where_there_are_enough(self, evaluate: Evaluate) -> None:
        """No k separates the green validation set from green images; from the measured red ones every k does."""
        sets = {"sky": folder("blue"), "leaves": folder("green", "validation")}
        context = context_of(linear_classifier([[1.0, 0, 0]]), plain(red=8), settings=Suite(sample=4))
        measured = {draw.index for draw in context.draws(context.data.val)}
        assert len(measured) == 4
        result = evaluate(sets, in_distribution=of(["red" if index in measured else "green" for index in range(8)]))
        assert result.settings["validated_on"] == "4 in-distribution images that are not measured"
        assert result.settings["scores"]["knn"]["validation_auroc"] == 0.5
        assert result.metrics["ood/sky/knn/auroc"] == 1

    def test_are_chosen_against_the_measured_images_where_there_are_no_more(self, evaluate: Evaluate) -> None:
        sets = {"sky": folder("blue"), "leaves": folder("green", "validation")}
        for number in (4, 7):
            result = evaluate(sets, in_distribution=plain(red=number))
            assert result.settings["validated_on"] == "4 in-distribution images that are measured"
            assert result.settings["scores"]["knn"]["validation_auroc"] == 1

    def test_are_not_chosen_without_a_validation_set(self, evaluate: Evaluate) -> None:
        assert evaluate({"sky": folder("blue")}).settings["validated_on"] == "nothing: there is no validation set"


class TestDrawnValidationSets:
    """Earlier versions chose on them, so configs still name them."""

    NOISE = NoiseSet(role="validation", distribution="uniform")

    def test_energy_does_not_follow_noise(self, evaluate: Evaluate, caplog: pytest.LogCaptureFixture) -> None:
        """At T = 1 energy is about the largest logit, at T = 100 it ranks by their mean.

        Red has the logits 10 and -6, blue 6 and 5, uniform noise about 11 and -20. So T = 100 finds all noise and no
        blue, and T = 1 finds all blue and no noise.
        """
        model = linear_classifier([[10.0, 6.0, 6.0], [-6.0, -39.0, 5.0]])
        sets = {"textures": folder("blue", "far"), "uniform_noise": self.NOISE}
        with caplog.at_level(logging.WARNING):
            result = evaluate(sets, scores=("energy",), model=model)
        assert result.metrics["ood/far/energy/auroc"] == 1
        expected = {"hyper_parameters": {"temperature": 1}, "chosen_by": "literature"}
        assert result.settings["scores"] == {"energy": expected}
        assert [record.getMessage() for record in caplog.records] == [
            "ood: the validation set uniform_noise is not used: kind noise is drawn, and hyper-parameters are chosen "
            "on an image_folder alone"
        ]

    def test_k_does_not_follow_noise(self, evaluate: Evaluate) -> None:
        settings = evaluate({"grass": folder("green"), "haze": self.NOISE}).settings
        assert settings["scores"]["knn"] == {"hyper_parameters": {"k": 50}, "chosen_by": "literature"}
        assert settings["validated_on"] == "nothing: there is no validation set"
        assert settings["sets"]["haze"]["skipped"].startswith("kind noise is drawn")

    def test_a_stored_result_holds_whether_or_not_a_set_is_used(self, evaluate: Evaluate) -> None:
        for other in (self.NOISE, folder("green", "validation")):
            sets = {"sky": folder("blue"), "other": other}
            assert OOD.still_holds(evaluate.context(sets), evaluate(sets))
        Image.new("RGB", (9, 9)).save(evaluate.root / "green" / "new.png")
        assert not OOD.still_holds(evaluate.context(sets), evaluate({**sets, "other": folder("red", "validation")}))


class TestMetrics:
    def test_near_and_far_are_unweighted_means_over_their_sets(self, evaluate: Evaluate) -> None:
        """At k = 50 blue is far from all training images, green and red are not."""
        sets = {
            "sky": folder("blue", "near"),
            "grass": folder("green", "near"),
            "roses": FolderSet(role="far", folder=".", classes=("red", "green")),
        }
        metrics = evaluate(sets).metrics
        assert len(metrics) == 5 * 4
        expected = {
            "sky": {"auroc": 1, "fpr95": 0, "aupr_in": 1, "aupr_out": 1},
            "grass": {"auroc": 0.5, "fpr95": 1, "aupr_in": 0.5, "aupr_out": 0.5},
            "roses": {"auroc": 0.5, "fpr95": 1, "aupr_in": 0.5, "aupr_out": 0.5},
            "near": {"auroc": 0.75, "fpr95": 0.5, "aupr_in": 0.75, "aupr_out": 0.75},
            "far": {"auroc": 0.5, "fpr95": 1, "aupr_in": 0.5, "aupr_out": 0.5},
        }
        assert {name: found_in(metrics, name) for name in expected} == expected

    def test_softmax_and_energy_by_hand(self, evaluate: Evaluate) -> None:
        """Red has the logits 1 0, green 0 1, blue and black 0 0."""
        sets = {"grass": folder("green"), "sky": folder("blue"), "night": folder("black", "far")}
        metrics = evaluate(sets, scores=("softmax", "energy")).metrics
        for score in ("softmax", "energy"):
            assert [metrics[f"ood/{name}/{score}/auroc"] for name in ("grass", "sky", "night")] == [0.5, 1, 1]
            assert metrics[f"ood/near/{score}/fpr95"] == 0.5

    def test_means_of_sets_with_a_slash_in_their_name(self) -> None:
        metrics = {"ood/a/b/knn/auroc": 0.25, "ood/c/knn/auroc": 0.75, "ood/d/knn/auroc": 1.0}
        roles = {"a/b": "near", "c": "near", "d": "far"}
        assert means_by_role(metrics, roles) == {"ood/near/knn/auroc": 0.5, "ood/far/knn/auroc": 1.0}


class TestReport:
    def test_settings_say_what_was_looked_at(self, evaluate: Evaluate) -> None:
        settings = evaluate({"grass": folder("green"), "haze": NoiseSet(role="far")}).settings
        assert (settings["seed"], settings["num_pictures"], settings["fit_sample"]) == (0, 4, 170)
        assert settings["sets"]["grass"].items() >= {"role": "near", "kind": "image_folder", "num_pictures": 4}.items()
        assert settings["sets"]["haze"].items() >= {"role": "far", "kind": "noise", "num_pictures": 4}.items()
        assert len(settings["sets"]["haze"]["digest"]) == 16

    def test_curves_are_named_by_set_and_score(self, evaluate: Evaluate) -> None:
        result = evaluate({"grass": folder("green"), "sky": folder("blue", "far")}, scores=("softmax", "knn"))
        assert [(curve.chart, curve.name) for curve in result.curves] == [
            ("ood-grass", "softmax"),
            ("ood-grass", "knn"),
            ("ood-sky", "softmax"),
            ("ood-sky", "knn"),
        ]
        assert (result.curves[0].x, result.curves[0].y) == ((0, 1), (0, 1))
        assert (result.curves[3].x, result.curves[3].y) == ((0, 0, 1), (0, 1, 1))

    def test_progress_ends_when_all_is_done(self, evaluate: Evaluate) -> None:
        evaluate({"grass": folder("green"), "v": folder("blue", "validation")}, scores=("softmax", "knn"))
        assert evaluate.ticks == [(1, 4), (2, 4), (3, 4), (4, 4)]


class TestMissing:
    def test_a_set_that_is_not_there_is_left_out_and_said(
        self, evaluate: Evaluate, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.WARNING):
            result = evaluate({"grass": folder("green"), "nowhere": folder("no/such/folder", "far")})
        assert "nowhere is left out: evaluation.suite.ood.sets.nowhere: there is no folder" in caplog.text
        assert "there is no folder" in result.settings["sets"]["nowhere"]["skipped"]
        assert result.metrics["ood/near/knn/auroc"] == 0.5
        assert not any(name.startswith(("ood/far", "ood/nowhere")) for name in result.metrics)

    def test_a_set_of_which_nothing_can_be_read_is_left_out(self, evaluate: Evaluate) -> None:
        for path in (evaluate.root / "blue").iterdir():
            path.write_bytes(b"no image")
        sets = {"grass": folder("green"), "sky": FolderSet(role="far", folder="blue", on_error="skip")}
        assert "none of its images" in evaluate(sets).settings["sets"]["sky"]["skipped"]

    def test_without_any_set_the_evaluation_is_not_possible(self, evaluate: Evaluate) -> None:
        with pytest.raises(NotPossibleError, match="no score could be measured"):
            evaluate({"nowhere": folder("no/such/folder")})
        with pytest.raises(NotPossibleError, match="no near and no far set"):
            evaluate({"v": folder("green", "validation")})

    def test_data_without_a_config_have_no_ood_sets(self) -> None:
        with pytest.raises(NotPossibleError, match="do not name their config"):
            OOD.run(context_of(linear_classifier([[1.0, 0, 0]]), plain(red=2)))

    def test_a_score_that_the_network_leaves_undefined_is_left_out(self, evaluate: Evaluate) -> None:
        dead = linear_classifier([[0.0, 0, 0], [0, 0, 0]], trunk=torch.nn.Threshold(2, 0))
        result = evaluate({"grass": folder("green")}, scores=("vim", "softmax", "mahalanobis"), model=dead)
        assert "no residual" in result.settings["scores"]["vim"]["skipped"]
        assert result.metrics["ood/grass/softmax/auroc"] == result.metrics["ood/grass/mahalanobis/auroc"] == 0.5
        assert not any("vim" in name for name in result.metrics)

    def test_a_network_without_finite_outputs_is_not_measured(self, evaluate: Evaluate) -> None:
        with pytest.raises(NotPossibleError, match="not all finite"):
            evaluate({"grass": folder("green")}, model=linear_classifier([[float("nan"), 0, 0]]))


@pytest.fixture(scope="module")
def digits() -> DataBundle:
    return build_data(SpuriousDigits(num_train=60, num_test=20, image_size=32))


def digit_subject(data: DataBundle, **options: Any) -> EvaluationContext:
    from trainables.config import experiment_from_tree

    config = experiment_from_tree(
        {"data": {"kind": "spurious_digits"}, "model": {"kind": "small_cnn", "width": 4, "norm": "group"}}
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = build_model(config.model, num_classes=10).model.eval()
    settings = Suite.model_validate({"sample": 8, **options})
    return EvaluationContext(model=model, data=data, device=torch.device("cpu"), batch_size=5, settings=settings)


def test_the_default_sets_and_all_scores(digits: DataBundle) -> None:
    result = OOD.run(digit_subject(digits))
    names = {tuple(name.split("/")) for name in result.metrics}
    assert {name[1] for name in names} == {"chimeras", "textures", "noise", "near", "far"}
    assert {name[2] for name in names} == set(get_args(ScoreName))
    assert len(result.metrics) == 5 * 9 * 4
    for name, value in result.metrics.items():
        assert 0 <= value <= 1
        assert [pattern for pattern in OOD.directions if fnmatchcase(name, pattern)] == [f"ood/*/{name.split('/')[3]}"]
    assert {score["chosen_by"] for score in result.settings["scores"].values()} == {"literature"}


def test_once_more_gives_the_same_metrics_and_leaves_everything_as_it_was(digits: DataBundle) -> None:
    context = digit_subject(digits)
    torch.manual_seed(1)
    first = OOD.run(context)
    torch.manual_seed(2)
    np.random.seed(2)
    states = torch.random.get_rng_state(), np.random.get_state()[1].tolist()  # type: ignore[index]
    weights = {name: value.clone() for name, value in context.model.state_dict().items()}
    second = OOD.run(replace(context))
    assert second.metrics == first.metrics
    assert second.settings == first.settings
    assert torch.equal(torch.random.get_rng_state(), states[0])
    assert np.random.get_state()[1].tolist() == states[1]  # type: ignore[index]
    assert all(torch.equal(value, weights[name]) for name, value in context.model.state_dict().items())
    assert all(weight.grad is None and weight.requires_grad for weight in context.model.parameters())
    assert not any(module.training for module in context.model.modules())


def test_another_seed_looks_at_other_images(digits: DataBundle) -> None:
    first, second = (OOD.run(digit_subject(digits, seed=seed)).settings["sets"] for seed in (0, 1))
    assert all(first[name]["digest"] != second[name]["digest"] for name in first)
