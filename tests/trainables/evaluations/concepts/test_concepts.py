"""The evaluation on networks whose concepts are known, and on kinds of networks."""

import math
from typing import Any

import pytest
import torch
from torch import nn

from tests.trainables.evaluations.conftest import Images, context_of, four_images, linear_classifier
from tests.trainables.evaluations.extremes import (
    OBJECT_AREA,
    SIZE,
    TINT,
    background_reader,
    extreme_context,
    object_reader,
)
from trainables.classifiers import UnitFeatures
from trainables.classifiers.with_head import with_head
from trainables.config import ModelConfig, SmallCnn, Suite, Timm
from trainables.evaluations import EvaluationResult, NotPossibleError
from trainables.evaluations.concepts import CONCEPTS
from trainables.evaluations.concepts.readings import Readings
from trainables.models import Classifier, build_model


def extreme(model: Classifier, **settings: Any) -> EvaluationResult:
    return CONCEPTS.run(extreme_context(model, num=30, sample=30, **settings))


@pytest.mark.parametrize(("reader", "on_object"), [(object_reader, 1.0), (background_reader, 0.0)])
def test_a_network_that_reads_one_place_has_its_colours_as_concepts(reader: Any, on_object: float) -> None:
    """Each colour is a concept, which speaks for its class alone and decides each prediction.

    Without it the bias decides for class 0: a third of the predictions is kept, the others fall with the first concept.
    """
    model = reader()
    model.head.bias = nn.Parameter(torch.tensor([1e-4, 0.0, 0.0]))
    result = extreme(model)
    assert result.metrics == pytest.approx(
        {
            "concepts/r2": 1.0,
            "concepts/accuracy": 1.0,
            "concepts/agreement": 1.0,
            "concepts/stability": 1.0,
            "concepts/stability_at_random": result.metrics["concepts/stability_at_random"],
            "concepts/background_share": 1 - on_object,
            "concepts/background_excess": OBJECT_AREA / SIZE**2 - on_object,
            "concepts/deletion_auc": (1 / 3) * 1 + (2 / 3) * 1 / 6,
            "concepts/deletion_auc_random": result.metrics["concepts/deletion_auc_random"],
        },
        abs=1e-6,
    )
    assert result.metrics["concepts/stability_at_random"] < 0.9
    assert result.metrics["concepts/deletion_auc"] < result.metrics["concepts/deletion_auc_random"] < 1
    document = result.documents["concepts"]
    area = OBJECT_AREA / SIZE**2
    assert document["object_area"] == pytest.approx(area)
    for concept in document["concepts"]:
        assert concept["object_share"] == pytest.approx(on_object, abs=1e-9)
        assert concept["on_background"] == (on_object == 0)
        assert concept["share"] == pytest.approx(1 / 3)
    amount = TINT * (area if on_object else 1 - area)
    importance = torch.tensor(document["by_class"]["importance"])
    assert importance.sort(1).values.tolist() == [pytest.approx([0, 0, amount * 2 / 3], abs=1e-7)] * 3
    assert sorted(importance.argmax(1).tolist()) == [0, 1, 2]


def test_images_document_and_samples_belong_together() -> None:
    result = extreme(object_reader())
    document = result.documents["concepts"]
    cards = [concept["card"] for concept in document["concepts"]]
    assert list(result.images) == ["by_class", *cards] == ["by_class", "concept-01", "concept-02", "concept-03"]
    assert [len(concept["crops"]) for concept in document["concepts"]] == [8, 8, 8]
    images = document["images"]
    assert len(images["ids"]) == len(images["amounts"]) == 30
    crop = document["concepts"][0]["crops"][0]
    number = images["ids"].index(crop["image"])
    assert images["amounts"][number][0] == max(amounts[0] for amounts in images["amounts"])
    for name, by_image in result.samples.items():
        assert sum(by_image.values()) / 30 == pytest.approx(result.metrics[name])
    of_all = {"concepts/r2", "concepts/stability", "concepts/stability_at_random"}
    assert set(result.samples) == set(CONCEPTS.directions) - of_all
    assert set(result.metrics) == set(CONCEPTS.directions)
    assert result.settings == {
        "seed": 0,
        "method": "NMF",
        "num_concepts": 3,
        "num_cells": 30 * SIZE**2,
        "max_cells": 10_000,
        "num_seeds": 3,
        "random_orders": 10,
        "num_pictures": 30,
        "num_without_mask": 0,
    }


def test_the_same_seed_has_the_same_numbers_and_images() -> None:
    one, two = (extreme(background_reader()) for _ in range(2))
    assert one.metrics == two.metrics
    assert one.documents == two.documents
    assert {name: image.tobytes() for name, image in one.images.items()} == {
        name: image.tobytes() for name, image in two.images.items()
    }


def test_as_many_concepts_as_are_set() -> None:
    result = extreme(object_reader(), inside={"num_concepts": 2})
    assert list(result.images) == ["by_class", "concept-01", "concept-02"]
    assert result.metrics["concepts/r2"] < 0.9


@pytest.mark.parametrize("num_concepts", [2, 3])
def test_few_concepts_of_features_of_both_signs_are_numbers(num_concepts: int) -> None:
    """All amounts of some cells become 0."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(25, 3, 16, 16, generator=generator)
    model = linear_classifier(torch.randn(2, 48, generator=generator).tolist(), trunk=nn.PixelUnshuffle(4))
    some = Images(images, [0] * 12 + [1] * 13, torch.zeros(25, 16, 16), [False] * 25)
    settings = Suite.model_validate({"inside": {"num_concepts": num_concepts}})
    result = CONCEPTS.run(context_of(model, some, settings=settings))
    assert result.settings["method"] == "semi-NMF"
    assert all(math.isfinite(value) for value in result.metrics.values())


def test_cells_are_bounded_and_drawn_from_each_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainables.evaluations.concepts.readings.MAX_CELLS", 95)
    assert extreme(object_reader()).settings["num_cells"] == 30 * 3


def test_without_masks_only_what_needs_them_is_missing(red_or_green: Classifier) -> None:
    result = CONCEPTS.run(context_of(red_or_green, four_images(has_mask=[False] * 4)))
    missing = {"concepts/background_share", "concepts/background_excess"}
    assert set(result.metrics) == set(CONCEPTS.directions) - missing
    assert not any(concept["on_background"] for concept in result.documents["concepts"]["concepts"])


def test_images_without_a_mask_have_no_share(red_or_green: Classifier) -> None:
    samples = CONCEPTS.run(context_of(red_or_green, four_images())).samples
    assert list(samples["concepts/background_share"]) == ["image-0", "image-1", "image-3"]
    assert list(samples["concepts/background_excess"]) == ["image-0", "image-1", "image-3"]
    assert len(samples["concepts/accuracy"]) == 4


def test_one_class_has_no_rival() -> None:
    with pytest.raises(NotPossibleError, match="no rival"):
        CONCEPTS.run(context_of(linear_classifier([[1.0, 0.0, 0.0]]), four_images()))


def test_what_is_not_finite_has_no_concepts(red_or_green: Classifier) -> None:
    images = four_images()
    images._images_NCHW[0, 0, 0, 0] = math.inf
    with pytest.raises(NotPossibleError, match="not all finite"):
        CONCEPTS.run(context_of(red_or_green, images))


def test_r2_by_hand() -> None:
    """The features of two cells are (1, 0) and (3, 4): variance 2 + 8, of which an error of 4 is lost."""
    readings = Readings(
        logits_NK=torch.zeros(2, 2),
        activations_NJHW=torch.zeros(2, 1, 1, 1),
        background_NHW=torch.zeros(2, 1, 1),
        error_N=torch.tensor([1.0, 3.0]),
        square_N=torch.tensor([1.0, 25.0]),
        total_NF=torch.tensor([[1.0, 0.0], [3.0, 4.0]]),
    )
    assert readings.r2() == pytest.approx(1 - 4 / 10)


def embedding(model: Classifier) -> Classifier:
    return with_head(model, UnitFeatures(model.trunk), model.head.weight, None)


@pytest.mark.parametrize(
    ("config", "change", "method"),
    [
        (SmallCnn(width=4, head_bias=True), None, "NMF"),
        (SmallCnn(width=4), embedding, "NMF"),
        (SmallCnn(width=4, final_relu=False), None, "semi-NMF"),
        (Timm(kind="timm", name="test_vit"), None, "semi-NMF"),
    ],
    ids=["relu", "embedding", "no_relu", "vit"],
)
def test_kinds_of_networks(config: ModelConfig, change: Any, method: str) -> None:
    generator = torch.Generator().manual_seed(0)
    images = Images(
        torch.rand(5, 3, 64, 64, generator=generator),
        [0, 1, 0, 1, 1],
        (torch.rand(5, 64, 64, generator=generator) > 0.5).float(),
        [True] * 5,
    )
    torch.manual_seed(0)
    model = build_model(config, num_classes=2, image_size=64).model.eval()
    model = change(model) if change else model
    result = CONCEPTS.run(context_of(model, images, settings=Suite.model_validate({"inside": {"num_concepts": 4}})))
    assert result.settings["method"] == method
    assert 0 < result.metrics["concepts/r2"] < 1
    assert all(math.isfinite(value) for value in result.metrics.values())
    document, bias = result.documents["concepts"], model.head.bias
    rebuilt = torch.tensor(document["images"]["amounts"]) @ torch.tensor(document["head"])
    rebuilt += 0 if bias is None else bias.detach()
    agrees = (rebuilt.argmax(1) == torch.tensor(document["images"]["logits"]).argmax(1)).tolist()
    assert list(result.samples["concepts/agreement"].values()) == agrees
