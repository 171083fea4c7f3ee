"""The evaluation: its figures by hand, without masks, on classifiers of embeddings, and what it notes."""

import json
import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from tests.trainables.conftest import CPU, MakeConfig, Train
from tests.trainables.evaluations.conftest import (
    RED_OR_GREEN,
    Images,
    OfPatients,
    context_of,
    four_images,
    linear_classifier,
)
from tests.trainables.evaluations.extremes import CHANCE, background_reader, extreme_context, object_reader
from trainables.classifiers import embed_images, fit_classifier
from trainables.config import LinearProbe, NearestNeighbours, SmallCnn, SpuriousDigits
from trainables.data import build_data, build_trial_data, evaluation_batches
from trainables.evaluations import EvaluationContext, EvaluationResult, NotPossibleError
from trainables.evaluations.gap import GAP
from trainables.evaluations.gap.gap import lost
from trainables.evaluations.result import with_sources
from trainables.models import Classifier, build_model
from trainables.split_log import split_log
from trainables.training import LocalContext
from trainables.trial import evaluate, load_model

PARTS = ("object_margin", "background_margin", "object_only_accuracy")


def only(places: list[int]) -> Images:
    """Return some of the four images as a set."""
    batch = four_images().batch.rows(torch.tensor(places))
    return Images(batch.images_BCHW, batch.labels_B.tolist(), batch.background_BHW, batch.has_mask_B.tolist())


def trained_on(images: Images, context: EvaluationContext) -> EvaluationContext:
    return replace(context, data=replace(context.data, train_unaugmented=images))


def found(result: EvaluationResult) -> dict[str, float]:
    return {name.removeprefix("gap/"): value for name, value in result.metrics.items()}


def test_every_figure_by_hand(red_or_green: Classifier) -> None:
    """Trained on images 1 and 3 and measured on all four, whose table `four_images` has.

    Image 2 is wrong and has no mask; an object alone is always right.
    """
    metrics = found(GAP.run(trained_on(only([1, 3]), context_of(red_or_green, four_images()))))
    expected = {
        "train_accuracy": 1,
        "accuracy": 3 / 4,
        "accuracy_lost": 1 / 4,
        "train_margin": (1 + 1 / 4) / 2,
        "margin": (0 + 1 - 1 + 1 / 4) / 4,
        "margin_lost": 5 / 8 - 1 / 16,
        "train_object_margin": (1 / 4 + 1 / 8) / 2,
        "object_margin": (1 / 4 + 1 / 4 + 1 / 8) / 3,
        "object_margin_lost": 3 / 16 - 5 / 24,
        "train_background_margin": (3 / 4 + 1 / 8) / 2,
        "background_margin": (-1 / 4 + 3 / 4 + 1 / 8) / 3,
        "background_margin_lost": 7 / 16 - 5 / 24,
        "background_lost_share": (7 / 16 - 5 / 24) / (5 / 8 - 5 / 12),
        "train_object_only_accuracy": 1,
        "object_only_accuracy": 1,
        "object_only_accuracy_lost": 0,
        "refit_on_train_accuracy": 1 / 2,  # Image 0 is nearer to 3 than to 1.
        "diagnosis_refit_accuracy": 0,
        "train_feature_norm": (math.sqrt(1 + 0.49) + math.sqrt(1 / 16 + 0.49)) / 2,
        "feature_norm": (2 * math.sqrt(1 + 0.49) + math.sqrt(1 / 16 + 0.49) + math.sqrt(1 / 8 + 0.49)) / 4,
        "train_effective_rank": 1,
        "effective_rank": 1,
        "train_nc1": math.nan,
        "nc1": math.nan,
    }
    assert metrics == pytest.approx(expected, nan_ok=True)


def test_values_by_image_have_the_metrics_as_means_and_name_their_images(red_or_green: Classifier) -> None:
    result = GAP.run(trained_on(only([1, 3]), context_of(red_or_green, four_images())))
    means = {name: sum(by_image.values()) / len(by_image) for name, by_image in result.samples.items()}
    assert means == pytest.approx({name: result.metrics[name] for name in means})
    assert result.samples["gap/background_margin"] == {"image-0": -1 / 4, "image-1": 3 / 4, "image-3": 1 / 8}
    assert set(result.samples["gap/train_accuracy"]) == {"image-0", "image-1"}
    assert result.settings["num_pictures"] == {"train": 2, "split": 4}
    assert result.settings["num_without_mask"] == {"train": 0, "split": 1}
    assert result.settings["num_compared"] == 2
    assert result.settings["refit_images_per_class"] == 1
    assert result.settings["chance"] == {"train": 1 / 2, "split": 1 / 2}


def test_training_images_have_sources_of_their_own(red_or_green: Classifier) -> None:
    """The split's images have none here, and may be called the same."""
    result = GAP.run(trained_on(OfPatients(four_images()), context_of(red_or_green, four_images())))
    assert result.sources["gap/train_accuracy"] == {"image-0": 0, "image-1": 0, "image-2": 1, "image-3": 2}
    assert "gap/accuracy" not in result.sources
    kept = with_sources(result, {"": {"image-0": 7}}).sources
    assert kept["gap/train_object_margin"] == {"image-0": 0, "image-1": 0, "image-3": 2}  # The third has no mask.
    assert kept["gap/accuracy"] == {"image-0": 7}


def test_the_document_has_each_image_and_no_parts_without_a_mask(red_or_green: Classifier) -> None:
    document = GAP.run(trained_on(only([1, 3]), context_of(red_or_green, four_images()))).documents["gap"]
    assert document["class_names"] == ["red", "green"]
    assert document["images"]["split"] == {
        "ids": ["image-0", "image-1", "image-2", "image-3"],
        "labels": [0, 0, 1, 1],
        "predicted": [0, 0, 0, 1],
        "rivals": [1, 1, 0, 0],
        "margin": [0, 1, -1, 1 / 4],
        "object": [1 / 4, 1 / 4, None, 1 / 8],
        "background": [-1 / 4, 3 / 4, None, 1 / 8],
        "bias": [0, 0, 0, 0],
    }
    assert json.loads(json.dumps(document)) == document


def test_without_masks_the_parts_are_left_out(red_or_green: Classifier) -> None:
    metrics = found(GAP.run(context_of(red_or_green, four_images(has_mask=[False] * 4))))
    assert not [name for name in metrics if any(part in name for part in (*PARTS, "background_lost"))]
    assert metrics["margin"] == 1 / 16
    assert metrics["accuracy_lost"] == 0


def test_masks_of_the_training_images_alone_give_their_parts(red_or_green: Classifier) -> None:
    context = trained_on(four_images(), context_of(red_or_green, four_images(has_mask=[False] * 4)))
    metrics = found(GAP.run(context))
    assert metrics["train_object_margin"] == pytest.approx(5 / 24)
    assert not {"object_margin", "object_margin_lost", "background_lost_share"} & metrics.keys()


def on_new_backgrounds(model: Classifier) -> dict[str, float]:
    """Return the figures where the split's backgrounds no longer say the class, as most of the training images' do."""
    context = extreme_context(model)
    shifted = context.data.shift["random_background"]
    return found(GAP.run(replace(context, data=replace(context.data, val=shifted))))


def test_what_a_reader_of_the_background_loses_is_the_background_s() -> None:
    metrics = on_new_backgrounds(background_reader())
    assert metrics["train_accuracy"] == pytest.approx(0.9)
    assert metrics["accuracy"] == pytest.approx(CHANCE)
    assert metrics["background_lost_share"] == 1
    assert metrics["train_object_margin"] == metrics["object_margin"] == 0
    assert metrics["object_only_accuracy"] == pytest.approx(CHANCE)
    # The features of either set know the background, which in the training images alone says the class.
    assert metrics["refit_on_train_accuracy"] == pytest.approx(CHANCE)


def test_a_reader_of_the_object_loses_nothing() -> None:
    metrics = on_new_backgrounds(object_reader())
    ones = ("train_accuracy", "accuracy", "object_only_accuracy", "refit_on_train_accuracy", "diagnosis_refit_accuracy")
    assert [metrics[name] for name in ones] == [1] * len(ones)
    assert metrics["background_margin"] == metrics["accuracy_lost"] == 0
    assert metrics["nc1"] == pytest.approx(0, abs=1e-9)
    assert metrics["effective_rank"] == pytest.approx(2)


def test_nothing_lost_has_no_share() -> None:
    values = {
        "object_margin": 2.0,
        "background_margin": 1.0,
        "train_object_margin": 1.0,
        "train_background_margin": 1.5,
    }
    assert math.isnan(lost(values)["background_lost_share"])
    assert lost({**values, "train_object_margin": 3.5})["background_lost_share"] == 1 / 4


def test_batch_norms_are_measured_by_both_statistics() -> None:
    """All images have more red by 9, which the running statistics do not know of."""
    images = torch.zeros(8, 3, 2, 2)
    images[:4, 0] = images[4:, 1] = 1
    images[:, 0] += 9
    two_classes = Images(images, [0] * 4 + [1] * 4, images[:, 2], [False] * 8)
    model = linear_classifier(RED_OR_GREEN, trunk=nn.BatchNorm2d(3, affine=False))
    metrics = found(GAP.run(context_of(model, two_classes)))
    assert (metrics["accuracy"], metrics["batch_statistics_accuracy"]) == (1 / 2, 1)
    assert metrics["train_batch_statistics_accuracy"] == 1
    assert not [name for name in found(GAP.run(extreme_context(object_reader(), num=30))) if "batch" in name]


DIGITS = SpuriousDigits(num_train=60, num_test=40, image_size=32)


def digits_context(classifier: LinearProbe | NearestNeighbours | None, **settings: Any) -> EvaluationContext:
    """Return a random network before the digits, perhaps with a classifier fitted to its embeddings."""
    data = build_data(DIGITS)
    torch.manual_seed(0)
    model = build_model(SmallCnn(width=4), num_classes=10).model.eval()
    if classifier is not None:
        embedded = embed_images(model, evaluation_batches(data.train_unaugmented, batch_size=30), device=CPU)
        model = fit_classifier(classifier, model, embedded.embeddings_NF, embedded.labels_N).model
    context = extreme_context(model, **settings)
    return replace(context, data=data)


def test_the_same_seed_gives_the_same_numbers_and_another_sample_others() -> None:
    first, again, other = (GAP.run(digits_context(None, sample=30, seed=seed)) for seed in (0, 0, 1))
    assert first.metrics == pytest.approx(again.metrics, rel=0, abs=0, nan_ok=True)
    assert first.samples == again.samples
    assert first.documents == again.documents
    assert first.metrics != pytest.approx(other.metrics, nan_ok=True)


def test_a_classifier_of_embeddings_is_measured() -> None:
    context = digits_context(LinearProbe(penalty=0.1))
    result = GAP.run(context)
    assert found(result)["train_feature_norm"] == pytest.approx(1)
    columns = result.documents["gap"]["images"]["split"]
    sums = [sum(parts) for parts in zip(columns["object"], columns["background"], columns["bias"], strict=True)]
    assert columns["margin"] == pytest.approx(sums, abs=1e-12)
    assert set(result.metrics) <= set(GAP.directions)


def test_neighbours_say_why_there_is_no_gap() -> None:
    with pytest.raises(NotPossibleError, match="among its own nearest neighbours"):
        GAP.run(digits_context(NearestNeighbours(num_neighbours=3)))


def test_one_class_has_no_rival() -> None:
    with pytest.raises(NotPossibleError, match="no rival"):
        GAP.run(context_of(linear_classifier([[1.0, 0.0, 0.0]]), four_images()))


def test_that_a_head_is_fitted_to_test_labels_is_logged_and_named_a_diagnosis(
    make_config: MakeConfig, train: Train
) -> None:
    config = make_config({"training.epochs": 1, "data.num_test": 60})
    folder = train(config)
    before = split_log(folder.path).read_text(encoding="utf-8").splitlines()
    data, context = build_trial_data(config), LocalContext(folder, device=CPU)
    metrics = evaluate(config, context, load_model(folder, CPU), data, ["gap"], split="test", by="campaign evaluate")
    lines = [json.loads(line) for line in split_log(folder.path).read_text(encoding="utf-8").splitlines()]
    assert [(line["split"], line["by"]) for line in lines[len(before) :]] == [
        ("test", "campaign evaluate"),
        ("test", "gap, which fits a head to each half of some of them, as a diagnosis"),
    ]
    assert "test/gap/diagnosis_refit_accuracy" in metrics
    assert GAP.directions["gap/diagnosis_refit_accuracy"] is None
