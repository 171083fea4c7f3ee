"""An error names the field, what was found there and what would be right."""

from typing import Any, get_args

import pytest

from trainables.config import ConfigError, CrossEntropy, experiment_from_tree, load_experiment
from trainables.config.model import TorchvisionKind

PET = {"kind": "oxford_pet", "root": "/p"}
FIELDS = ", ".join(sorted(CrossEntropy.model_fields))
"""Those of cross-entropy."""


def message_of(tree: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        experiment_from_tree(tree, source="x.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        pytest.param(
            {"trainin": {}},
            "x.yaml: trainin: unknown field (found {}); did you mean training? valid fields: "
            "data, evaluation, model, objective, optim, resources, seed, training",
            id="unknown section",
        ),
        pytest.param(
            {"data": {"corelation": 0.5}},
            "x.yaml: data.corelation: unknown field (found 0.5); did you mean correlation? valid fields: "
            "correlation, image_size, kind, mask_subset, num_test, num_train, seed, validation",
            id="unknown field of a kind",
        ),
        pytest.param(
            {"objective": {"kind": "cross_entropy", "temperature": 2}},
            "x.yaml: objective.temperature: unknown field (found 2); objective.temperature needs objective.kind = "
            f"supcon; valid fields: {FIELDS}",
            id="field of another kind",
        ),
        pytest.param(
            {"objective": {"background_weight": 0.3}},
            "x.yaml: objective.background_weight: unknown field (found 0.3); objective.background_weight needs "
            "objective.kind = contrastive or binary_contrastive; valid fields: " + FIELDS,
            id="field of two other kinds",
        ),
        pytest.param(
            {"objective": {"backgroud_weight": 0.3}},
            "x.yaml: objective.backgroud_weight: unknown field (found 0.3); did you mean background_weight or "
            "background_weight_warmup? objective.background_weight needs objective.kind = contrastive or "
            "binary_contrastive; objective.background_weight_warmup needs objective.kind = contrastive or "
            "binary_contrastive; valid fields: " + FIELDS,
            id="misspelt field of another kind",
        ),
        pytest.param(
            {"objective": {"background_penalty": 0.3}},
            "x.yaml: objective.background_penalty: unknown field (found 0.3); did you mean background_weight or "
            "background_swap or background_noise? objective.background_weight needs objective.kind = contrastive or "
            "binary_contrastive; valid fields: " + FIELDS,
            id="fields that are alike",
        ),
        pytest.param(
            {"model": {"weights": "DEFAULT"}},
            "x.yaml: model.weights: unknown field (found 'DEFAULT'); model.weights needs model.kind = resnet18, "
            "resnet34, resnet50, resnet101, resnet152, wide_resnet50_2 or one of 29 more; valid fields: "
            "activation, cam_stride, final_norm, final_relu, head_bias, kind, norm, width",
            id="field of many other kinds",
        ),
        pytest.param(
            {"objective": {"kind": "supcon", "classifier": {"temperature": 3}}},
            "x.yaml: objective.classifier.temperature: unknown field (found 3); objective.classifier.temperature "
            "needs objective.classifier.kind = nearest_centroid or nearest_neighbours; valid fields: kind, penalty",
            id="field of another kind two sections down",
        ),
        pytest.param(
            {"objective": {"kind": "cross_entropy", "zzz": 2}},
            "x.yaml: objective.zzz: unknown field (found 2); valid fields: " + FIELDS,
            id="unknown field that resembles none",
        ),
        pytest.param(
            {"data": {**PET, "augmentation": {"flop": True}}},
            "x.yaml: data.augmentation.flop: unknown field (found True); did you mean flip? valid fields: "
            "color_jitter, crop_scale_min, flip, rand_augment, random_erasing",
            id="unknown field two sections down",
        ),
        pytest.param(
            {"data": {**PET, "shift": {"a": {"kind": "image_folder", "root": "/q", "rot": "/r"}}}},
            "x.yaml: data.shift.a.rot: unknown field (found '/r'); did you mean root? valid fields: "
            "kind, on_error, root",
            id="unknown field of a named set",
        ),
        pytest.param(
            {"training": {"epochs": "ten"}},
            "x.yaml: training.epochs: found 'ten'; input should be a valid integer, "
            "unable to parse string as an integer",
            id="wrong type",
        ),
        pytest.param(
            {"training": {"epochs": 0}},
            "x.yaml: training.epochs: found 0; input should be greater than or equal to 1",
            id="out of range",
        ),
        pytest.param(
            {"optim": {"learning_rate": float("nan")}},
            "x.yaml: optim.learning_rate: found nan; input should be a finite number",
            id="no number",
        ),
        pytest.param(
            {"training": {"precision": "fp16"}},
            "x.yaml: training.precision: found 'fp16'; input should be 'fp32' or 'bf16'",
            id="no such choice",
        ),
        pytest.param(
            {"model": {"kind": "resnet19"}},
            f"x.yaml: model.kind: found 'resnet19'; valid kinds: small_cnn, {', '.join(get_args(TorchvisionKind))}, "
            "timm, own",
            id="no such kind",
        ),
        pytest.param(
            {"data": {**PET, "shift": {"a": {"kind": "zip", "root": "/q"}}}},
            "x.yaml: data.shift.a.kind: found 'zip'; valid kinds: dogs_vs_cats, image_folder, table",
            id="no such kind of a named set",
        ),
        pytest.param(
            {"data": {"kind": "oxford_pet"}},
            "x.yaml: data.root: required, but not given",
            id="missing",
        ),
        pytest.param(
            {"training": 3},
            "x.yaml: training: found 3; input should be a valid dictionary or instance of Training",
            id="value where a section belongs",
        ),
        pytest.param(
            {"training": {"epochs": True}},
            "x.yaml: training.epochs: found True; input should be a number",
            id="truth for a whole number",
        ),
        pytest.param({"seed": False}, "x.yaml: seed: found False; input should be a number", id="truth at the top"),
        pytest.param(
            {"optim": {"kind": "sgd", "learning_rate": True}},
            "x.yaml: optim.learning_rate: found True; input should be a number",
            id="truth for a number",
        ),
        pytest.param(
            {"training": {"clip_norm": True}},
            "x.yaml: training.clip_norm: found True; input should be a number",
            id="truth for a number or null",
        ),
        pytest.param(
            {"data": {**PET, "augmentation": {"flip": 1}}},
            "x.yaml: data.augmentation.flip: found 1; input should be true or false",
            id="number for a truth",
        ),
        pytest.param(
            {"model": {"head_bias": "no"}},
            "x.yaml: model.head_bias: found 'no'; input should be true or false",
            id="word for a truth",
        ),
        pytest.param(
            {"data": {**PET, "shift": {"a/b": {"kind": "dogs_vs_cats"}}}},
            "x.yaml: data.shift.a/b: found 'a/b'; a name should be letters, digits, _ and - alone, "
            "and start with a letter or digit",
            id="name of a shifted set",
        ),
        pytest.param(
            {"data": {**PET, "shift": {"": {"kind": "dogs_vs_cats"}}}},
            "x.yaml: data.shift.: found ''; a name should be letters, digits, _ and - alone, "
            "and start with a letter or digit",
            id="empty name of a shifted set",
        ),
        pytest.param(
            {"data": {**PET, "root": "~no-such-user/p"}},
            "x.yaml: data.root: found '~no-such-user/p'; input should start with ~ or with the ~name of a user here",
            id="home of nobody",
        ),
        pytest.param(
            {"data": {**PET, "root": "a\0b"}},
            "x.yaml: data.root: found 'a\\x00b'; a folder's name should hold no NUL character",
            id="no folder's name",
        ),
    ],
)
def test_message(tree: dict[str, Any], expected: str) -> None:
    assert message_of(tree) == expected


def test_every_problem_has_its_line() -> None:
    lines = message_of({"training": {"epochs": 0}, "model": {"kind": "vgg"}, "sed": 1}).splitlines()
    assert [line.split(":")[1].strip() for line in lines] == ["model.kind", "training.epochs", "sed"]


def test_message_begins_with_the_file(tmp_path: Any) -> None:
    path = tmp_path / "e.yaml"
    path.write_text("sed: 1")
    with pytest.raises(ConfigError, match="did you mean seed") as caught:
        load_experiment(path)
    assert str(caught.value).startswith(f"{path}: sed:")
