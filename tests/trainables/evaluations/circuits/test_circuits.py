"""The whole evaluation on a network whose circuits are planted, and on others that have none."""

import copy
import json
import math
from dataclasses import replace

import pytest
import torch

from tests.trainables.evaluations.circuits.planted import (
    BACKGROUND_EFFECT,
    NUM_NODES,
    OBJECT_EFFECT,
    WIDTH,
    planted_images,
    planted_network,
)
from tests.trainables.evaluations.conftest import context_of, linear_classifier
from trainables.evaluations import EvaluationResult, NotPossibleError
from trainables.evaluations.circuits import CIRCUITS
from trainables.models import Classifier

NODES = {"background": [("one", 0), ("two", 0), ("one", 1)], "object": [("one", 2), ("two", 1)]}
EFFECTS = {"background": BACKGROUND_EFFECT, "object": OBJECT_EFFECT}


@pytest.fixture(scope="module")
def planted() -> EvaluationResult:
    return CIRCUITS.run(context_of(planted_network(), planted_images()))


@pytest.mark.parametrize("kind", NODES)
def test_the_planted_circuit_is_found_exactly_and_under_both_ablations(planted: EvaluationResult, kind: str) -> None:
    document = planted.documents[kind]
    assert [(node["stage"], node["channel"]) for node in document["nodes"]] == NODES[kind]
    scored = {
        (stage["name"], channel)
        for stage in document["stages"]
        for channel, score in enumerate(stage["scores"])
        if score
    }
    assert scored == set(NODES[kind])
    num = len(NODES[kind])
    for ablation in ("resample", "mean"):
        found = document["ablations"][ablation]
        assert found["nodes"] == {"value": num, "low": num, "high": num}
        assert (document["size"], document["size_share"]) == (num, num / NUM_NODES)
        assert planted.metrics[f"circuits/{kind}_nodes"] == num
        assert found["circuit_faithfulness"]["value"] == pytest.approx(1, abs=1e-5)
        assert found["circuit_completeness"]["value"] == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("kind", NODES)
def test_random_circuits_and_those_of_large_channels_keep_next_to_nothing(planted: EvaluationResult, kind: str) -> None:
    document = planted.documents[kind]
    num = len(NODES[kind])
    for ablation in ("resample", "mean"):
        curves = document["ablations"][ablation]["curves"]
        heights = {
            order: dict(zip(curve["sizes"], curve["faithfulness"], strict=True)) for order, curve in curves.items()
        }
        assert heights["random"][num] == pytest.approx(0, abs=0.05)
        assert heights["magnitude"][num] == pytest.approx(0, abs=1e-5)
        assert all(height[NUM_NODES] == 1 for height in heights.values())


def test_effects_by_hand(planted: EvaluationResult) -> None:
    """Where red becomes blue on 60 of 64 pixels, red minus blue falls from 60/64 to -60/64."""
    metrics = planted.metrics
    for kind, effect in EFFECTS.items():
        assert metrics[f"circuits/{kind}_effect"] == pytest.approx(effect, abs=1e-6)
        assert list(planted.samples[f"circuits/{kind}_effect"].values()) == pytest.approx([effect] * 4, abs=1e-6)
    assert metrics["circuits/background_share"] == pytest.approx(20 / 21, abs=1e-6)


def test_every_node_of_the_planted_circuit_matters(planted: EvaluationResult) -> None:
    """Without red or blue half of the background's effect is lost, without their difference all of it."""
    nodes = planted.documents["background"]["nodes"]
    for name, scale in (("score", BACKGROUND_EFFECT), ("signed", BACKGROUND_EFFECT)):
        assert [node[name] / scale for node in nodes] == pytest.approx([0.5, 1, 0.5], abs=1e-5)
    assert [node["effect"]["value"] / BACKGROUND_EFFECT for node in nodes] == pytest.approx([0.5, 1, 0.5], abs=1e-5)
    assert [node["drop"]["value"] for node in nodes] == pytest.approx([0.5, 1, 0.5], abs=1e-5)
    assert planted.metrics["circuits/background_minimality"] == planted.metrics["circuits/object_minimality"] == 1


def test_edges_by_hand(planted: EvaluationResult) -> None:
    edges = {
        (edge["from"]["channel"], edge["to"]["channel"]): edge["score"] / BACKGROUND_EFFECT
        for edge in planted.documents["background"]["edges"]
    }
    assert edges == {(0, 0): pytest.approx(0.5, abs=1e-5), (1, 0): pytest.approx(0.5, abs=1e-5)}


def test_half_of_the_images_find_and_others_verify(planted: EvaluationResult) -> None:
    settings = planted.settings
    assert (settings["num_pairs_found"], settings["num_pairs_verified"]) == (8, 8)
    assert (settings["stages"], settings["stages_left_out"]) == (["one", "two"], [])
    assert settings["num_nodes"] == NUM_NODES
    pairs = planted.documents["background"]["pairs"]
    assert len({pair["image"] for pair in pairs}) == 8
    assert {pair["partner"] for pair in pairs} <= {pair["image"] for pair in pairs}
    assert all(pair["class"] != pair["partner_class"] for pair in pairs)


def test_curves_images_and_documents_go_together(planted: EvaluationResult) -> None:
    charts = {(curve.chart, curve.name) for curve in planted.curves}
    assert len(charts) == 12
    assert ("object circuit, mean ablation", "by magnitude") in charts
    assert set(planted.images) == {"background", "object", "pairs"}
    assert {document["card"] for document in planted.documents.values()} <= set(planted.images)
    json.dumps(planted.documents)


def test_batches_and_repetition_change_nothing(planted: EvaluationResult) -> None:
    context = replace(context_of(planted_network(), planted_images()), batch_size=5)
    assert CIRCUITS.run(context).metrics == pytest.approx(planted.metrics, rel=1e-5)
    again = CIRCUITS.run(context_of(planted_network(), planted_images()))
    assert (again.metrics, again.documents) == (planted.metrics, planted.documents)


def test_the_last_step_is_the_total() -> None:
    ticks: list[tuple[int, int]] = []
    context = context_of(planted_network(), planted_images(), tick=lambda *steps: ticks.append(steps))
    CIRCUITS.run(context)
    assert ticks == [(step, 10) for step in range(1, 11)]


def test_the_network_is_as_before() -> None:
    model = planted_network()
    model.head.weight.requires_grad_(False)
    before = copy.deepcopy(model.state_dict())
    CIRCUITS.run(context_of(model, planted_images()))
    assert all(not module._forward_hooks and not module._forward_pre_hooks for module in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert [name for name, weight in model.named_parameters() if not weight.requires_grad] == ["head.weight"]
    assert not model.training


def test_weights_take_no_gradient_while_scores_do() -> None:
    model = planted_network()
    learning: set[bool] = set()

    def record(*_: object) -> None:
        if torch.is_grad_enabled():
            learning.add(any(weight.requires_grad for weight in model.parameters()))

    with model.register_forward_hook(record):
        CIRCUITS.run(context_of(model, planted_images()))
    assert learning == {False}


def test_where_the_background_changes_nothing_there_is_nothing_to_find() -> None:
    result = CIRCUITS.run(context_of(planted_network(sees=(0.0, 3.0)), planted_images()))
    assert result.metrics["circuits/background_effect"] == pytest.approx(0, abs=1e-6)
    assert result.metrics["circuits/background_share"] == pytest.approx(0, abs=1e-6)
    assert math.isnan(result.metrics["circuits/background_nodes"])
    assert math.isnan(result.metrics["circuits/background_area"])
    assert {curve.chart.split()[0] for curve in result.curves} == {"object"}
    assert result.metrics["circuits/object_nodes"] == 2
    document = result.documents["background"]
    assert (document["size"], document["nodes"], document["edges"]) == (None, [], [])


def test_an_effect_below_zero_counts_as_none() -> None:
    """Class 0 gains on the partner with the partner's object."""
    result = CIRCUITS.run(context_of(planted_network(sees=(0.4, -0.5)), planted_images()))
    assert result.metrics["circuits/object_effect"] < 0
    assert result.metrics["circuits/background_share"] == 1


def test_a_network_without_stages_has_its_features_as_nodes() -> None:
    """Red and green speak for class 0; blue, which changes with the background, does nothing."""
    result = CIRCUITS.run(context_of(linear_classifier([[1.0, 1.0, 0.0], [0.0] * 3]), planted_images()))
    assert result.settings["stages"] == ["features"]
    assert [node["channel"] for node in result.documents["background"]["nodes"]] == [0]
    assert result.documents["background"]["edges"] == []
    assert result.metrics["circuits/background_nodes"] == result.metrics["circuits/object_nodes"] == 1


@pytest.mark.parametrize("images", [planted_images(several_classes=False), planted_images(3)])
def test_without_partners_there_is_no_circuit(images: object) -> None:
    with pytest.raises(NotPossibleError, match=r"make \d and \d pairs of two classes .* both halves need 4 or more"):
        CIRCUITS.run(context_of(planted_network(), images))  # type: ignore[arg-type]


@pytest.mark.parametrize("place", range(0, 16, 5))
def test_what_is_not_finite_has_no_circuit(place: int) -> None:
    images = planted_images()
    images._images_NCHW[place, 0, 0, 0] = math.inf
    with pytest.raises(NotPossibleError, match="not all finite"):
        CIRCUITS.run(context_of(planted_network(), images))


def test_images_whose_object_leaves_no_background_are_left_out() -> None:
    images = planted_images()
    images._background_NHW = images._background_NHW.clone()
    images._background_NHW[:4] = 0
    images._background_NHW[:4, 0, 0] = 1  # Of a corner no strip from edge to edge is left.
    result = CIRCUITS.run(context_of(planted_network(), images))
    assert result.settings["num_without_background"] == 4
    assert result.settings["num_pairs_found"] + result.settings["num_pairs_verified"] == 12


def test_an_end_that_a_skip_goes_around_is_left_out() -> None:
    """A skip from the image to the features: what leaves stage `one` does not decide, so it is no end."""

    class Skip(torch.nn.Sequential):
        def forward(self, images_BCHW: torch.Tensor) -> torch.Tensor:
            found_BFHW: torch.Tensor = self.get_submodule("two")(self.get_submodule("one")(images_BCHW))
            return found_BFHW + images_BCHW.sum(1, keepdim=True)

    whole: Classifier = planted_network()
    skip = Skip()
    for name, module in whole.trunk.named_children():
        skip.add_module(name, module)
    whole.trunk = skip
    result = CIRCUITS.run(context_of(whole, planted_images()))
    assert (result.settings["stages"], result.settings["stages_left_out"]) == (["two"], ["one"])
    assert result.settings["num_nodes"] == WIDTH
