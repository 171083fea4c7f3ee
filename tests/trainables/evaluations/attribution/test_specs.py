from collections.abc import Sequence
from dataclasses import replace
from math import isnan, log
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from orchestrator.files.evaluation_files import EvaluationFiles
from tests.trainables.evaluations.attribution.networks import make_images, small_network
from tests.trainables.evaluations.conftest import Images, context_of, linear_classifier
from trainables.config import Suite
from trainables.evaluations import EvaluationContext, EvaluationResult, NotPossibleError
from trainables.evaluations.attribution import ATTRIBUTION
from trainables.evaluations.result import on_split
from trainables.models import Classifier

SPECS = {spec.name: spec for spec in ATTRIBUTION}
LEFT = torch.ones(8, 8)
LEFT[:, :2] = 0
"""Background: the object is the two columns on the left, a quarter of the image."""


def judged(name: str, context: EvaluationContext) -> EvaluationResult:
    return SPECS[f"attribution-{name}"].run(context)


def metric(result: EvaluationResult, name: str) -> float:
    (value,) = [value for metric, value in result.metrics.items() if metric.endswith(f"/{name}")]
    return value


def columns(red: Sequence[int]) -> Tensor:
    """Return an image that is red in the given columns and elsewhere black."""
    image_CHW = torch.zeros(3, 8, 8)
    image_CHW[0, :, list(red)] = 1
    return image_CHW


def shown(images: Sequence[Tensor], *, has_mask: bool = True, background_HW: Tensor = LEFT) -> Images:
    num = len(images)
    return Images(torch.stack(list(images)), [0] * num, background_HW.expand(num, -1, -1), [has_mask] * num)


def textured(num: int = 7, *, has_mask: bool = True) -> Images:
    return shown(list(make_images(num)), has_mask=has_mask)


def suite(**attribution: object) -> Suite:
    settings = {"flip_steps": 8, "integration_steps": 4, "sensitivity_samples": 2} | attribution
    return Suite.model_validate({"attribution": settings})


def blind() -> Classifier:
    return linear_classifier([[0.0] * 3, [0.0] * 3])


@pytest.mark.parametrize("name", SPECS)
def test_every_map_has_all_its_metrics(name: str) -> None:
    spec = SPECS[name]
    result = spec.run(context_of(small_network(num_classes=2), textured(), settings=suite()))
    assert spec.category == "attribution"
    assert set(result.metrics) == set(spec.directions)
    assert all(isinstance(value, float) and not isnan(value) for value in result.metrics.values())
    (curve,) = result.curves
    assert (curve.chart, f"attribution-{curve.name}") == ("pixel flipping", name)
    assert curve.x == tuple(step / 8 for step in range(9))
    assert len(curve.y) == 9


def test_only_maps_that_add_up_are_asked_for_completeness() -> None:
    complete = [name for name, spec in SPECS.items() if any("completeness" in metric for metric in spec.directions)]
    assert complete == [f"attribution-{name}" for name in ("hirescam", "contrastive", "class_reconstructed")] + [
        "attribution-integrated_gradients"
    ]


@pytest.mark.parametrize("name", ["hirescam", "contrastive", "gradcam", "eigencam", "integrated_gradients"])
def test_evidence_on_the_object(red_or_green: Classifier, name: str) -> None:
    result = judged(name, context_of(red_or_green, shown([columns([0, 1])]), settings=suite()))
    assert metric(result, "localisation") == pytest.approx(1)
    assert metric(result, "pointing_game") == 1
    assert metric(result, "complexity") == pytest.approx(log(16))
    assert metric(result, "sparseness") == pytest.approx(0.75, abs=1e-5)


@pytest.mark.parametrize("name", ["hirescam", "contrastive", "gradcam", "eigencam", "integrated_gradients"])
def test_evidence_on_the_background(red_or_green: Classifier, name: str) -> None:
    result = judged(name, context_of(red_or_green, shown([columns([6, 7])]), settings=suite()))
    assert metric(result, "localisation") == pytest.approx(0, abs=1e-9)
    assert metric(result, "pointing_game") == 0


def test_pixel_flipping_by_hand(red_or_green: Classifier) -> None:
    """Two of eight steps take all evidence away, 1/8 of the logit's lead of 1/4 each."""
    result = judged("hirescam", context_of(red_or_green, shown([columns([0, 1])]), settings=suite()))
    lead = torch.tensor([2 / 8, 1 / 8, 0, 0, 0, 0, 0, 0, 0])
    curve = lead.sigmoid().tolist()
    area = (sum(curve) - curve[0] / 2 - curve[-1] / 2) / 8
    assert result.curves[0].y == pytest.approx(curve, abs=1e-7)
    assert metric(result, "pixel_flipping") == pytest.approx(area, abs=1e-7)
    assert metric(result, "pixel_flipping_normalised") == pytest.approx(area / curve[0], abs=1e-7)


@pytest.mark.parametrize("name", ["hirescam", "gradcam", "eigencam"])
def test_a_constant_map_is_no_hit(red_or_green: Classifier, name: str) -> None:
    result = judged(name, context_of(red_or_green, shown([columns(range(8))] * 2), settings=suite()))
    assert metric(result, "localisation") == pytest.approx(16 / 64)
    assert metric(result, "complexity") == pytest.approx(log(64))
    assert metric(result, "sparseness") == pytest.approx(0, abs=1e-9)
    for undefined in ("pointing_game", "pixel_flipping", "pixel_flipping_normalised", "contrastivity"):
        assert isnan(metric(result, undefined))
        assert result.settings["num_measured"][undefined] == 0
    assert result.settings["num_flat_maps"] == 2
    assert result.settings["num_empty_maps"] == 0


@pytest.mark.parametrize("name", ["hirescam", "contrastive", "class_reconstructed", "gradcam", "integrated_gradients"])
def test_a_network_that_sees_nothing_gets_no_credit(name: str) -> None:
    result = judged(name, context_of(blind(), textured(3), settings=suite()))
    assert result.settings["num_empty_maps"] == 3
    assert set(result.settings["num_measured"].values()) <= {0, 3}
    for key, value in result.metrics.items():
        assert value == 0 if key.endswith("completeness") else isnan(value)
    for key, by_image in result.samples.items():
        assert len(by_image) == (3 if key == "correct" or key.endswith("completeness") else 0)


def test_a_map_without_class_does_not_contrast() -> None:
    result = judged("eigencam", context_of(small_network(num_classes=2), textured(), settings=suite()))
    assert metric(result, "contrastivity") == pytest.approx(1)


def test_a_contrastive_map_of_two_classes_is_its_rivals_negative() -> None:
    result = judged("contrastive", context_of(small_network(num_classes=2), textured(), settings=suite()))
    assert max(result.samples["attribution/contrastive/contrastivity"].values()) < 0


def test_continuity_and_sensitivity_grow_and_shrink_with_the_noise() -> None:
    model = small_network(num_classes=2)
    quiet, loud = (
        judged("hirescam", context_of(model, textured(), settings=suite(noise_sigma=size, sensitivity_radius=size)))
        for size in (1e-3, 0.3)
    )
    assert metric(quiet, "continuity") > 0.999
    assert metric(quiet, "max_sensitivity") < 0.01
    assert metric(loud, "continuity") < 0.95
    assert metric(loud, "max_sensitivity") > 0.05


def test_without_masks_localisation_is_left_out() -> None:
    context = context_of(small_network(num_classes=2), textured(has_mask=False), settings=suite())
    result = judged("hirescam", context)
    assert not any("localisation" in name or "pointing" in name for name in {*result.metrics, *result.samples})
    assert set(result.settings["left_out"]) == {"localisation", "pointing_game"}
    assert result.settings["num_without_mask"] == 7
    assert len(result.metrics) == 8


def test_empty_masks_are_skipped_and_counted() -> None:
    both = textured(4)
    both._background_NHW = both._background_NHW.clone()
    both._background_NHW[1] = 1
    both._has_mask_N[2] = False
    both._background_NHW[2] = 0
    result = judged("hirescam", context_of(small_network(num_classes=2), both, settings=suite()))
    assert result.settings["num_empty_masks"] == result.settings["num_without_mask"] == 1
    assert result.settings["num_measured"]["pointing_game"] == 2
    assert set(result.samples["attribution/hirescam/pointing_game"]) == {"image-0", "image-3"}
    assert result.settings["num_measured"]["complexity"] == 4


def test_samples_belong_to_their_images() -> None:
    model = small_network(num_classes=2)
    result = judged("hirescam", context_of(model, textured(), settings=suite()))
    alone = judged("hirescam", context_of(model, textured(), settings=suite(costly_sample=1)))
    values = result.samples["attribution/hirescam/pixel_flipping"]
    assert list(values) == [f"image-{index}" for index in range(7)]
    assert metric(result, "pixel_flipping") == pytest.approx(sum(values.values()) / 7)
    gaps = result.samples["attribution/hirescam/completeness"]
    assert metric(result, "completeness") == max(gaps.values())
    right = (model(make_images(7)).logits.argmax(1) == 0).double().tolist()
    assert list(result.samples["correct"].values()) == right
    assert set(alone.samples["attribution/hirescam/max_sensitivity"]) == {"image-0"}
    assert alone.settings["num_measured"]["max_sensitivity"] == 1


@pytest.mark.parametrize("name", ["hirescam", "integrated_gradients"])
def test_again_and_in_other_batches_it_finds_the_same(name: str) -> None:
    def run(batch_size: int) -> EvaluationResult:
        context = context_of(small_network(num_classes=2), textured(), settings=suite())
        return judged(name, replace(context, batch_size=batch_size))

    torch.manual_seed(1)
    first = run(3)
    torch.manual_seed(2)
    assert run(3) == first
    assert run(7).metrics == pytest.approx(first.metrics, rel=1e-4)


@pytest.mark.parametrize("name", SPECS)
def test_network_and_global_generators_are_left_as_they_were(name: str) -> None:
    model = small_network(num_classes=2)
    model.head.bias.requires_grad_(False)
    weights = {key: value.clone() for key, value in model.state_dict().items()}
    numpy_state, torch_state = np.random.get_state(), torch.get_rng_state()
    SPECS[name].run(context_of(model, textured(3), settings=suite()))
    assert [parameter.requires_grad for parameter in model.head.parameters()] == [True, False]
    assert all(parameter.requires_grad for parameter in model.trunk.parameters())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not any(module.training or module._forward_hooks for module in model.modules())
    assert all(torch.equal(value, weights[key]) for key, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert all(np.array_equal(a, b) for a, b in zip(np.random.get_state(), numpy_state, strict=True))


def test_another_seed_draws_other_noise() -> None:
    model = small_network(num_classes=2)
    one, other = (
        judged("hirescam", context_of(model, textured(), settings=suite().model_copy(update={"seed": seed})))
        for seed in (0, 1)
    )
    differing = {key.rsplit("/", 1)[1] for key, value in one.metrics.items() if value != other.metrics[key]}
    assert differing == {"continuity", "max_sensitivity"}


def test_progress_is_reported_image_by_image() -> None:
    ticks: list[tuple[int, int]] = []
    context = context_of(
        small_network(num_classes=2),
        textured(),
        settings=suite(),
        tick=lambda done, total: ticks.append((done, total)),
    )
    judged("hirescam", context)
    assert ticks == [(3, 7), (5, 7), (7, 7)]


def test_a_map_that_is_not_asked_for_is_not_judged(red_or_green: Classifier) -> None:
    context = context_of(red_or_green, textured(), settings=suite(maps=("gradcam",)))
    with pytest.raises(NotPossibleError, match="hirescam is not in"):
        judged("hirescam", context)


def test_images_too_small_for_the_similarity_are_refused(red_or_green: Classifier) -> None:
    tiny = Images(torch.zeros(1, 3, 5, 9), [0], torch.zeros(1, 5, 9), [True])
    with pytest.raises(NotPossibleError, match="5 x 9 pixels; SSIM needs 6 x 6"):
        judged("hirescam", context_of(red_or_green, tiny, settings=suite()))


def test_a_finished_map_is_kept_with_its_samples(tmp_path: Path) -> None:
    spec = SPECS["attribution-gradcam"]
    result = on_split(spec.run(context_of(small_network(num_classes=2), textured(), settings=suite())), "val")
    files = EvaluationFiles(tmp_path, source="weights", settings=suite())
    files.save(spec, result, seconds=1.0)
    kept = files.load(spec)
    assert kept is not None
    assert kept.samples == result.samples
    assert kept.metrics == result.metrics
    assert files.load(SPECS["attribution-hirescam"]) is None


@pytest.mark.gpu
@pytest.mark.parametrize("name", SPECS)
def test_a_gpu_finds_the_same(name: str) -> None:
    found = []
    for device in (torch.device("cpu"), torch.device("cuda")):
        context = context_of(small_network(num_classes=2).to(device), textured(), settings=suite())
        found.append(SPECS[name].run(replace(context, device=device)).metrics)
    assert found[1] == pytest.approx(found[0], rel=1e-3, abs=1e-5)
