"""A whole trial: what it leaves in its folder, and what it does not do twice."""

import logging
import math
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image

from tests.trainables.conftest import CPU, EPOCH_ROW, MakeConfig, Train
from trainables.config import ConfigError
from trainables.data import ImageError, build_data
from trainables.evaluations import EPOCH_SUITE, is_evaluated
from trainables.json_file import read_json, write_json
from trainables.training import LocalContext
from trainables.training.learner import memory_format_of
from trainables.trial import check_data, evaluate, load_model, run_trial
from trainables.trial_folder import Row, TrialFolder

MEASURED = {
    "val/loss",
    "val/accuracy",
    "val/calibration_error",
    "val/faithfulness/max_logit_error",
    "val/background/influence_share",
    "val/background/foreground_influence",
    "val/background/background_influence",
    "val/worst_group_accuracy",
    "val/worst_group_size",
    "val/group_adjusted_accuracy",
    "val/group_adjusted_size",
}
HELD_OUT = {"data.validation.source": "held_out"}
"""One held-out set to choose by and to report, as in earlier versions."""
SHIFT_FIGURES = ("accuracy", "confidence", "confidence_on_mistakes", "calibration_error")
SHIFT = {f"shift/{name}/{figure}" for name in ("random_background", "unseen_textures") for figure in SHIFT_FIGURES}


def drawn(folder: TrialFolder) -> dict[str, list[str]]:
    return {epoch.name: sorted(panel.stem for panel in epoch.iterdir()) for epoch in (folder.path / "panels").glob("*")}


def stop_at_once(_: Row) -> None:
    raise SystemExit


def test_a_trial_leaves_rows_and_an_evaluation_of_the_agreed_names(make_config: MakeConfig, train: Train) -> None:
    reported: list[Row] = []
    folder = train(make_config(), on_report=reported.append)
    rows, evaluation = folder.rows(), folder.evaluation()
    assert evaluation is not None
    assert [set(row) for row in rows] == [EPOCH_ROW | MEASURED] * 3
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert set(evaluation) == MEASURED
    assert {name: rows[-1][name] for name in MEASURED} == {name: evaluation[name] for name in MEASURED}
    assert all(is_evaluated(name) for name in evaluation)
    assert all(math.isfinite(value) for row in [*rows, evaluation] for value in row.values())
    assert reported == [*rows, {**rows[-1], **evaluation}]


def test_the_folder_describes_config_data_and_network(make_config: MakeConfig, train: Train) -> None:
    config = make_config()
    folder = train(config)
    data = build_data(config.data)
    assert folder.config() == config
    assert read_json(folder.path / "data.json") == {
        "name": "spurious_digits",
        "digest": data.train.digest(),
        "val_digest": data.val.digest(),
        "test_digest": data.test.digest(),
        "num_train": 64,
        "num_val": 32,
        "num_test": 32,
        "num_shift": {"random_background": 32, "unseen_textures": 32},
        "num_val_shift": {},
        "class_names": [str(digit) for digit in range(10)],
    }
    assert set(read_json(folder.path / "model.json")) == {"edits", "num_parameters"}


def test_a_folder_of_another_config_is_refused_before_anything_is_written(
    make_config: MakeConfig, train: Train
) -> None:
    folder = train(make_config({"training.epochs": 2}))
    before = {path: path.read_bytes() for path in folder.path.rglob("*") if path.is_file()}
    with pytest.raises(ConfigError, match="continue the old trial with its own config"):
        train(make_config({"training.epochs": 3}))
    assert {path: path.read_bytes() for path in folder.path.rglob("*") if path.is_file()} == before


def test_an_evaluation_that_is_there_is_not_made_again(make_config: MakeConfig, train: Train) -> None:
    config = make_config()
    folder = train(config)
    write_json(folder.evaluation_path, {"val/accuracy": 0.125, "shift/elsewhere/accuracy": 0.5})
    before = folder.evaluation_path.stat().st_mtime_ns
    reported: list[Row] = []
    train(config, on_report=reported.append)
    assert folder.evaluation_path.stat().st_mtime_ns == before
    assert reported == [{**folder.rows()[-1], "val/accuracy": 0.125, "shift/elsewhere/accuracy": 0.5}]


def test_an_evaluation_that_is_missing_is_made_without_training(make_config: MakeConfig, train: Train) -> None:
    config = make_config()
    folder = train(config)
    expected, rows = folder.evaluation(), folder.rows()
    folder.evaluation_path.unlink()
    reported: list[Row] = []
    train(config, on_report=reported.append)
    assert folder.evaluation() == expected
    assert folder.rows() == rows
    assert len(reported) == 1


@pytest.mark.parametrize(
    ("overrides", "at_the_end"),
    [({}, []), (HELD_OUT, ["random_background", "unseen_textures"])],
    ids=["cut", "held out"],
)
def test_a_trial_predicts_the_validation_images_alone(
    make_config: MakeConfig,
    train: Train,
    monkeypatch: pytest.MonkeyPatch,
    overrides: dict[str, str],
    at_the_end: list[str],
) -> None:
    """Where one held-out set serves both splits, the shifted sets are measured at the end, as in earlier versions."""
    from trainables.evaluations import EvaluationContext

    sizes = []
    original = EvaluationContext.predictions

    def counting(self: EvaluationContext, images: object) -> object:
        sizes.append(images.name)  # type: ignore[attr-defined]
        return original(self, images)  # type: ignore[arg-type]

    monkeypatch.setattr(EvaluationContext, "predictions", counting)
    train(make_config(overrides))
    assert sizes == ["val"] * 3 + at_the_end


def test_a_trial_of_an_earlier_version_continues_to_the_same_numbers(
    make_config: MakeConfig, train: Train, tmp_path: Path
) -> None:
    """Its config lacks the field, and its rows have the names of that version."""
    whole = train(make_config(HELD_OUT), "whole")
    with pytest.raises(SystemExit):
        train(make_config(HELD_OUT), "old", on_report=stop_at_once)
    folder = TrialFolder(tmp_path / "old")
    first, *rest = folder.config_path.read_text().splitlines(keepends=True)
    tree = yaml.safe_load("".join(rest))
    del tree["data"]["validation"]
    folder.config_path.write_text(first + yaml.safe_dump(tree))
    folder.metrics_path.write_text(folder.metrics_path.read_text().replace("val/background/", "background/"))
    assert folder.config() == whole.config()
    run_trial(folder.config(), LocalContext(folder, device=CPU))
    rows = [
        [{key: row[key] for key in row if not key.startswith("time/")} for row in each.rows()]
        for each in (folder, whole)
    ]
    assert rows[0] == rows[1]
    assert folder.evaluation() == whole.evaluation()


def test_shifted_sets_can_be_measured_every_epoch(make_config: MakeConfig, train: Train) -> None:
    at_end = train(make_config(HELD_OUT), "end")
    every = train(make_config({**HELD_OUT, "evaluation.shift_every_epoch": True}), "every")
    ungrouped = {name for name in MEASURED if "group" not in name}
    assert [set(row) for row in every.rows()] == [EPOCH_ROW | ungrouped | SHIFT] * 3
    assert every.evaluation() == at_end.evaluation()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"panel_every_epochs": None}, ["epoch-3"]),
        ({"panel_every_epochs": 1}, ["epoch-1", "epoch-2", "epoch-3"]),
        ({"panel_every_epochs": 2}, ["epoch-2", "epoch-3"]),
        ({"panel_images": 0}, []),
        ({"panel_images": 1}, ["epoch-3"]),
    ],
)
def test_panels_of_fixed_images_are_drawn_when_due(
    make_config: MakeConfig, train: Train, settings: dict[str, int | None], expected: list[str]
) -> None:
    settings = {"panel_images": 2, **settings}
    folder = train(make_config({f"evaluation.{name}": value for name, value in settings.items()}))
    images = ["val-00000", "val-00031"][: settings["panel_images"]]
    assert drawn(folder) == dict.fromkeys(expected, images)


def test_shifted_validation_sets_are_measured_at_the_end_or_after_every_epoch(
    make_config: MakeConfig, train: Train, image_files: Path
) -> None:
    for split in ("train", "val"):
        shutil.copy(image_files / split / "cat" / "1.png", image_files / split / "cat" / "0.png")
    sets = {"elsewhere": {"kind": "image_folder", "root": str(image_files / "elsewhere")}}
    shifted = {**IMAGES, "data.root": str(image_files), "data.shift": sets, "data.val_shift": sets}
    cut = {**shifted, "data.validation.source": "cut", "data.validation.share": 0.25, "training.batch_size": 2}
    names = {f"val/shift/elsewhere/{figure}" for figure in SHIFT_FIGURES}
    for every in (False, True):
        folder = train(make_config({**cut, "evaluation.shift_every_epoch": every}), f"every-{every}")
        evaluation = folder.evaluation()
        assert evaluation is not None
        assert {name for name in evaluation if "shift/" in name} == names
        assert [names <= row.keys() for row in folder.rows()] == [every] * 2


def test_panels_that_are_due_are_there_when_the_epoch_is_reported(make_config: MakeConfig, tmp_path: Path) -> None:
    folder, seen = TrialFolder(tmp_path), []
    config = make_config({"evaluation.panel_images": 1, "evaluation.panel_every_epochs": 2})
    folder.claim(config)
    run_trial(config, LocalContext(folder, lambda row: seen.append((row["epoch"], sorted(drawn(folder)))), device=CPU))
    assert seen == [(1, []), (2, ["epoch-2"]), (3, ["epoch-2"]), (3, ["epoch-2", "epoch-3"])]


@pytest.mark.parametrize(
    "overrides",
    [{}, {"training.ema_decay": 0.9, "model.norm": "batch"}, {"training.channels_last": True}],
    ids=["plain", "ema", "channels last"],
)
def test_the_network_that_was_validated_is_the_one_that_is_loaded(
    make_config: MakeConfig, train: Train, overrides: dict[str, object]
) -> None:
    config = make_config(overrides)
    folder = train(config)
    model = load_model(folder, CPU)
    assert not model.training
    convolution = model.get_parameter("trunk.block2.conv.weight")
    assert convolution.is_contiguous(memory_format=memory_format_of(config.training))
    context = LocalContext(folder, device=CPU)
    found = evaluate(config, context, model, build_data(config.data), EPOCH_SUITE)
    assert found == {name: folder.rows()[-1][name] for name in found}
    state = folder.load_state(CPU)
    assert state is not None
    is_trained = torch.equal(model.head.weight, state["model"]["head.weight"])
    assert is_trained == (config.training.ema_decay is None)


def test_the_network_of_a_stopped_trial_is_that_of_its_last_epoch(make_config: MakeConfig, train: Train) -> None:
    with pytest.raises(SystemExit):
        train(make_config(), "stopped", on_report=stop_at_once)
    folder = train(make_config(), "whole")
    stopped = TrialFolder(folder.path.with_name("stopped"))
    assert [row["epoch"] for row in stopped.rows()] == [1]
    assert stopped.evaluation() is None
    found = load_model(stopped, CPU).head.weight
    assert not torch.equal(found, load_model(folder, CPU).head.weight)


def test_a_trial_without_a_finished_epoch_has_no_network(make_config: MakeConfig, tmp_path: Path) -> None:
    folder = TrialFolder(tmp_path)
    folder.claim(make_config())
    with pytest.raises(FileNotFoundError, match="has not finished an epoch"):
        load_model(folder, CPU)


@pytest.mark.parametrize("learning_rate", [1e20, 1e30])
def test_a_diverging_trial_fails_with_advice_and_no_epoch(
    make_config: MakeConfig, train: Train, tmp_path: Path, learning_rate: float
) -> None:
    """With one step an epoch the loss is taken before the step that spoils the weights."""
    config = make_config(
        {
            "optim.kind": "sgd",
            "optim.learning_rate": learning_rate,
            "optim.warmup_epochs": 0,
            "training.batch_size": 64,
            "model.head_bias": True,
            "model.final_norm": False,
            "evaluation.panel_images": 1,
            "evaluation.panel_every_epochs": 1,
        }
    )
    with pytest.raises(FloatingPointError, match=r"loss of epoch 1 is (nan|inf): lower optim\.learning_rate"):
        train(config)
    folder = TrialFolder(tmp_path / "trial")
    assert folder.load_state(CPU) is None
    assert folder.rows() == []


def test_the_objective_is_what_a_trial_minimises(make_config: MakeConfig, train: Train) -> None:
    """A few steps with the penalty alone move the influence off the background."""
    base = {"training.epochs": 6, "optim.learning_rate": 0.02}
    plain = train(make_config(base), "plain").rows()[-1]
    weighted = {**base, "objective.kind": "contrastive", "objective.background_weight": 5.0}
    contrastive = train(make_config(weighted), "contrastive").rows()[-1]
    assert contrastive["val/background/background_influence"] < 0.5 * plain["val/background/background_influence"]


def test_an_evaluation_of_an_earlier_epoch_is_made_anew_after_the_last(
    make_config: MakeConfig, train: Train, tmp_path: Path
) -> None:
    config, folder = make_config(), TrialFolder(tmp_path / "trial")
    with pytest.raises(SystemExit):
        train(config, on_report=stop_at_once)
    write_json(folder.evaluation_path, {"val/accuracy": 0.125})
    train(config)
    evaluation = folder.evaluation()
    assert evaluation is not None
    assert set(evaluation) == MEASURED
    assert evaluation["val/accuracy"] == folder.rows()[-1]["val/accuracy"]


IMAGES = {
    "data.kind": "image_folder",
    "data.image_size": 32,
    "data.validation.source": "held_out",
    "training.batch_size": 4,
    "training.epochs": 2,
    "evaluation.panel_images": 2,
}


@pytest.fixture
def image_files(tmp_path: Path) -> Path:
    """Folders of cats and dogs, of which the first training and validation cat cannot be read."""
    root = tmp_path / "images"
    for split, num in (("train", 4), ("val", 3), ("elsewhere", 2)):
        for label, name in enumerate(("cat", "dog")):
            (root / split / name).mkdir(parents=True)
            for index in range(num):
                Image.new("RGB", (32, 32), (200 * label, 10 * index, 0)).save(root / split / name / f"{index}.png")
    for split in ("train", "val"):
        (root / split / "cat" / "0.png").write_bytes(b"")
    return root


def test_skipped_images_are_counted_and_left_out_files_named(
    make_config: MakeConfig, train: Train, image_files: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (image_files / "train" / "dog" / "notes.txt").write_text("no image")
    shift = {name: {"kind": "image_folder", "root": str(image_files / name), "on_error": "skip"} for name in ("val",)}
    overrides = {**IMAGES, "data.root": str(image_files), "data.on_error": "skip", "data.shift": shift}
    with caplog.at_level(logging.WARNING):
        folder = train(make_config(overrides))
    assert [record.message.partition(";")[0] for record in caplog.records if "left out" in record.message] == [
        f"train: left out (1): {image_files}/train/dog/notes.txt"
    ]
    assert [(row["train/skipped_samples"], row["val/skipped_samples"]) for row in folder.rows()] == [(1, 1)] * 2
    evaluation = folder.evaluation()
    assert evaluation is not None
    assert (evaluation["val/skipped_samples"], evaluation["shift/val/skipped_samples"]) == (1, 1)


def test_nothing_is_said_of_skipping_where_an_unreadable_image_stops_a_trial(
    make_config: MakeConfig, train: Train, image_files: Path
) -> None:
    for split in ("train", "val"):
        shutil.copy(image_files / split / "cat" / "1.png", image_files / split / "cat" / "0.png")
    shift = {"elsewhere": {"kind": "image_folder", "root": str(image_files / "elsewhere"), "on_error": "skip"}}
    folder = train(make_config({**IMAGES, "data.root": str(image_files), "data.shift": shift}))
    evaluation = folder.evaluation()
    assert evaluation is not None
    assert evaluation["shift/elsewhere/accuracy"] >= 0
    assert not [name for row in [*folder.rows(), evaluation] for name in row if "skipped" in name]


def test_a_shifted_set_of_which_nothing_can_be_read_is_left_out(
    make_config: MakeConfig, train: Train, image_files: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for path in (image_files / "elsewhere").rglob("*.png"):
        path.write_bytes(b"")
    shift = {
        name: {"kind": "image_folder", "root": str(image_files / name), "on_error": "skip"}
        for name in ("elsewhere", "val")
    }
    overrides = {**IMAGES, "data.root": str(image_files), "data.on_error": "skip", "data.shift": shift}
    with caplog.at_level(logging.WARNING):
        folder = train(make_config(overrides))
    evaluation = folder.evaluation()
    assert evaluation is not None
    assert {name for name in evaluation if name.startswith("shift/")} == {
        *(f"shift/val/{figure}" for figure in SHIFT_FIGURES),
        "shift/val/skipped_samples",
    }
    assert "shift/elsewhere is left out: data.shift.elsewhere has no image to predict" in caplog.text


def test_a_validation_set_of_which_nothing_can_be_read_is_named(
    make_config: MakeConfig, train: Train, image_files: Path
) -> None:
    for path in (image_files / "val").rglob("*.png"):
        path.write_bytes(b"")
    with pytest.raises(ImageError, match="data: the validation set has no image to predict"):
        train(make_config({**IMAGES, "data.root": str(image_files), "data.on_error": "skip"}))


def test_panels_of_images_that_cannot_be_read_are_left_out(
    make_config: MakeConfig, train: Train, image_files: Path
) -> None:
    (image_files / "val" / "dog" / "2.png").write_bytes(b"")
    folder = train(make_config({**IMAGES, "data.root": str(image_files), "data.on_error": "skip"}))
    assert drawn(folder) == {"epoch-2": []}


@pytest.mark.parametrize("case", ["one class", "small", "missing"])
def test_data_that_cannot_be_trained_on_are_refused_before_anything_is_written(
    make_config: MakeConfig, train: Train, image_files: Path, tmp_path: Path, case: str
) -> None:
    overrides = {**IMAGES, "data.root": str(image_files)}
    check_data(make_config(overrides))
    message = rf"data\.root = {image_files}: the training set has 8 images, fewer than training\.batch_size = 16"
    if case == "one class":
        for split in ("train", "val"):
            shutil.rmtree(image_files / split / "dog")
        message = rf"data\.root = {image_files}: found one class alone, cat; a classifier needs two"
    if case == "small":
        overrides["training.batch_size"] = 16
    if case == "missing":
        shutil.rmtree(image_files)
        message = r"images/train should be a folder that holds one folder for each class"
    with pytest.raises(ConfigError, match=message):
        check_data(make_config(overrides))
    with pytest.raises(ConfigError, match=message):
        train(make_config(overrides))
    assert [path.name for path in (tmp_path / "trial").iterdir()] == ["config.yaml"]


def test_drawn_digits_need_no_check(make_config: MakeConfig) -> None:
    check_data(make_config())
