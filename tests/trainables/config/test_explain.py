"""An error names the field, what was found there and what would be right."""

from typing import Any

import pytest

from trainables.config import ConfigError, experiment_from_tree, load_experiment

PET = {"kind": "oxford_pet", "root": "/p"}


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
            "correlation, image_size, kind, num_test, num_train, seed",
            id="unknown field of a kind",
        ),
        pytest.param(
            {"objective": {"kind": "cross_entropy", "temperature": 2}},
            "x.yaml: objective.temperature: unknown field (found 2); valid fields: kind",
            id="unknown field that resembles none",
        ),
        pytest.param(
            {"data": {**PET, "augmentation": {"flop": True}}},
            "x.yaml: data.augmentation.flop: unknown field (found True); did you mean flip? valid fields: "
            "crop_scale_min, flip",
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
            "x.yaml: model.kind: found 'resnet19'; valid kinds: "
            "small_cnn, resnet18, resnet34, resnet50, resnet101, resnet152",
            id="no such kind",
        ),
        pytest.param(
            {"data": {**PET, "shift": {"a": {"kind": "zip", "root": "/q"}}}},
            "x.yaml: data.shift.a.kind: found 'zip'; valid kinds: dogs_vs_cats, image_folder",
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
