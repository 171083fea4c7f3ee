"""The rules of objectives that train an embedding, and what of them makes another config."""

from typing import Any

import pytest

from trainables.config import ConfigError, config_hash, experiment_from_tree, images_to_fit, override

IMAGES: dict[str, Any] = {"kind": "image_folder", "root": "/p"}
SAME_VIEWS: dict[str, Any] = {**IMAGES, "augmentation": {"crop_scale_min": 1, "flip": False}}
NEIGHBOURS: dict[str, Any] = {"kind": "nearest_neighbours"}
DIGITS: dict[str, Any] = {"num_train": 64}
CHOOSES_EPOCHS: dict[str, Any] = {
    "keep": "best",
    "keep_metric": "val/accuracy",
    "early_stopping": {"metric": "val/loss", "patience": 3},
}

HELD_OUT = {"validation": {"source": "held_out"}}


def objective(kind: str, **fields: Any) -> dict[str, Any]:
    return {"kind": kind, **fields}


CASES = [
    pytest.param(
        {"objective": objective("supcon"), "training": {"accumulate": 2}},
        {"objective": objective("supcon"), "resources": {"workers": 2}},
        "training.accumulate = 2 is another loss with objective.kind = supcon, which compares all images of a batch "
        "with each other: set it to 1, and spread a large batch over resources.workers",
        id="a batch in parts",
    ),
    pytest.param(
        {"objective": objective("supcon"), "data": SAME_VIEWS},
        {"objective": objective("triplet"), "data": SAME_VIEWS},
        "objective.kind = supcon learns from two views of each image, and with data.augmentation.crop_scale_min = "
        "1.0 and data.augmentation.flip = false both are the same; lower the first or set the second to true",
        id="two views",
    ),
    pytest.param(
        {"objective": objective("supcon", classifier={"kind": "nearest_centroid"}), "model": {"head_bias": True}},
        {"objective": objective("supcon"), "model": {"head_bias": True}},
        "model.head_bias = true has no effect with objective.classifier.kind = nearest_centroid: a linear_probe alone "
        "learns one; set it to false",
        id="bias of a centroid",
    ),
    pytest.param(
        {"objective": objective("supcon"), "training": CHOOSES_EPOCHS},
        {"objective": objective("supcon", fit_every_epochs=2), "training": CHOOSES_EPOCHS},
        "training.keep = best and training.early_stopping.metric = val/loss choose among epochs with a classifier, "
        "and objective.fit_every_epochs = null leaves none before the last one; set objective.fit_every_epochs to 1",
        id="choice of an epoch",
    ),
    pytest.param(
        {"objective": objective("triplet", fit_sample=65), "data": DIGITS},
        {"objective": objective("triplet", fit_sample=64), "data": DIGITS},
        "objective.fit_sample = 65 is more than the data.num_train = 64 images",
        id="sample of a training set",
    ),
    pytest.param(
        {"objective": objective("triplet", classifier={**NEIGHBOURS, "num_neighbours": 65}), "data": DIGITS},
        {"objective": objective("triplet", classifier={**NEIGHBOURS, "num_neighbours": 64}), "data": DIGITS},
        "objective.classifier.num_neighbours = 65 is more than the data.num_train = 64 images",
        id="neighbours of a training set",
    ),
    pytest.param(
        {"objective": objective("triplet", fit_sample=19, classifier=NEIGHBOURS), "data": IMAGES},
        {"objective": objective("triplet", fit_sample=20, classifier=NEIGHBOURS), "data": IMAGES},
        "objective.classifier.num_neighbours = 20 is more than the objective.fit_sample = 19 images",
        id="neighbours of a sample",
    ),
    pytest.param(
        {"objective": objective("supcon", fit_every_epochs=3), "training": {"epochs": 3}},
        {"objective": objective("supcon", fit_every_epochs=2), "training": {"epochs": 3}},
        "objective.fit_every_epochs = 3 must be below training.epochs = 3; set it to null to fit at the end only",
        id="fits after the end",
    ),
    pytest.param(
        {"objective": objective("supcon", fit_every_epochs=2), "evaluation": {"panel_every_epochs": 3}},
        {"objective": objective("supcon", fit_every_epochs=2), "evaluation": {"panel_every_epochs": 4}},
        "evaluation.panel_every_epochs = 3 needs a classifier in those epochs, and objective.fit_every_epochs = 2 fits "
        "none; set it to a divisor of 3",
        id="panels between fits",
    ),
    pytest.param(
        {"objective": objective("supcon"), "evaluation": {"panel_every_epochs": 3}},
        {"objective": objective("supcon", fit_every_epochs=1), "evaluation": {"panel_every_epochs": 3}},
        "evaluation.panel_every_epochs = 3 needs a classifier in those epochs, and objective.fit_every_epochs = null "
        "fits none; set it to a divisor of 3",
        id="panels without fits",
    ),
    pytest.param(
        {"data": HELD_OUT, "objective": objective("supcon"), "evaluation": {"shift_every_epoch": True}},
        {
            "data": HELD_OUT,
            "objective": objective("supcon", fit_every_epochs=1),
            "evaluation": {"shift_every_epoch": True},
        },
        "evaluation.shift_every_epoch = true has no effect with objective.fit_every_epochs = null, which leaves no "
        "classifier before the end; set evaluation.shift_every_epoch to false, or objective.fit_every_epochs to 1",
        id="shift without fits",
    ),
    pytest.param(
        {"objective": objective("supcon", classifier={"kind": "linear_probe", "penalty": 0})},
        {"objective": objective("supcon", classifier={"kind": "linear_probe", "penalty": 1e-9})},
        "objective.classifier.penalty: found 0; input should be greater than 0",
        id="a probe without a minimum",
    ),
]


@pytest.mark.parametrize(("broken", "kept", "message"), CASES)
def test_rule(broken: dict[str, Any], kept: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        experiment_from_tree(broken)
    assert str(caught.value) == f"config: {message}"
    experiment_from_tree(kept)


@pytest.mark.parametrize(
    "changes",
    [
        {"objective.kind": "triplet"},
        {"objective.temperature": 0.1},
        {"objective.projection_size": 64},
        {"objective.fit_sample": 500},
        {"objective.fit_every_epochs": 2},
        {"objective.classifier.penalty": 1e-3},
        {"objective.classifier.kind": "nearest_centroid"},
        {"objective.classifier.kind": "nearest_centroid", "objective.classifier.temperature": 0.1},
        {"objective.classifier.kind": "nearest_neighbours"},
        {"objective.classifier.kind": "nearest_neighbours", "objective.classifier.num_neighbours": 5},
    ],
)
def test_every_field_makes_another_config(changes: dict[str, Any]) -> None:
    base = {"objective": {"kind": "supcon"}}
    changed = experiment_from_tree(override(base, changes))
    assert config_hash(changed) != config_hash(experiment_from_tree(base))
    assert experiment_from_tree(changed.model_dump(mode="json")) == changed


def test_what_a_fit_asks_for() -> None:
    def needs(**fields: Any) -> dict[str, int]:
        return images_to_fit(experiment_from_tree({"objective": fields}).objective)

    assert needs(kind="cross_entropy") == needs(kind="supcon") == {}
    assert needs(kind="triplet", fit_sample=30, classifier=NEIGHBOURS) == {
        "objective.fit_sample": 30,
        "objective.classifier.num_neighbours": 20,
    }
