"""Evaluating a run from its folder: what is kept, what is done again, where it lies."""

import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from orchestrator.files.evaluation_files import EvaluationFiles
from orchestrator.launch.evaluation import EvaluationRequest, evaluate_run
from tests.trainables.voc_tree import write_voc
from trainables.config import ConfigError, ExperimentConfig, experiment_from_tree, to_yaml
from trainables.evaluations import (
    EVALUATIONS,
    EvaluationContext,
    EvaluationResult,
    EvaluationsFailedError,
    ProgressListener,
    is_evaluated,
    select,
)
from trainables.json_file import read_json, write_json, write_text
from trainables.training import LocalContext
from trainables.trial import run_trial
from trainables.trial_folder import TrialFolder

TINY: dict[str, Any] = {
    "data": {"kind": "spurious_digits", "num_train": 64, "num_test": 32, "image_size": 32},
    "model": {"kind": "small_cnn", "width": 4, "norm": "group"},
    "optim": {"kind": "adamw", "warmup_epochs": 0},
    "training": {"epochs": 1, "batch_size": 16},
    "evaluation": {"panel_images": 0},
}


class Said(ProgressListener):
    """Keeps the events."""

    def __init__(self) -> None:
        self.ended: dict[str, bool] = {}
        self.skipped: dict[str, str] = {}

    def on_end(self, name: str, seconds: float, *, stored: bool) -> None:
        assert seconds >= 0
        self.ended[name] = stored

    def on_skip(self, name: str, reason: str) -> None:
        self.skipped[name] = reason


@pytest.fixture(scope="module")
def tiny_config() -> ExperimentConfig:
    return experiment_from_tree(TINY)


@pytest.fixture
def folder(tmp_path: Path, tiny_config: ExperimentConfig) -> TrialFolder:
    folder = TrialFolder(tmp_path / "trial")
    folder.claim(tiny_config)
    run_trial(tiny_config, LocalContext(folder))
    return folder


@pytest.fixture
def make_request(folder: TrialFolder) -> Callable[..., EvaluationRequest]:
    def make(overrides: dict[str, Any] | None = None, **fields: Any) -> EvaluationRequest:
        return EvaluationRequest(folder, overrides or {}, **fields)

    return make


def evaluated(request: EvaluationRequest) -> tuple[dict[str, float], Said]:
    said = Said()
    return evaluate_run(request, said), said


def test_finished_evaluations_are_kept_with_the_same_metrics(make_request: Callable[..., EvaluationRequest]) -> None:
    first, said = evaluated(make_request())
    assert said.ended == {"accuracy": False, "influence": False, "groups": False, "shift": False}
    second, said = evaluated(make_request())
    assert said.ended == {"accuracy": True, "influence": True, "groups": True, "shift": True}
    assert second == first


def test_several_labels_are_in_the_quick_suite(tmp_path: Path, make_request: Callable[..., EvaluationRequest]) -> None:
    write_voc(tmp_path / "voc")
    voc = {"kind": "pascal_voc", "root": str(tmp_path / "voc"), "image_size": 32}
    tree = {
        **TINY,
        "data": voc,
        "objective": {"kind": "binary_contrastive"},
        "training": {"epochs": 1, "batch_size": 3},
    }
    run = TrialFolder(tmp_path / "several")
    run.claim(experiment_from_tree(tree))
    run_trial(run.config(), LocalContext(run))
    metrics, said = evaluated(EvaluationRequest(run, {}))
    assert said.ended == {"accuracy": False, "multilabel": False, "influence": False}
    assert {name.partition("/")[0] for name in metrics} == {"test"}
    result = read_json(run.path / "evaluation" / "multilabel.json")
    assert result["metrics"]["test/mean_average_precision"] == metrics["test/mean_average_precision"]
    assert result["settings"]["num_by_class"]["dog"] == 2
    assert set(result["settings"]["average_precision"]) == {"cat", "dog", "person"}
    _, said = evaluated(EvaluationRequest(run, {}))
    assert said.ended == {"accuracy": True, "multilabel": True, "influence": True}
    _, said = evaluated(make_request())
    assert said.skipped == {"multilabel": "the data have no images of several labels"}


def test_again_runs_them_once_more_to_the_same_metrics(make_request: Callable[..., EvaluationRequest]) -> None:
    first, _ = evaluated(make_request())
    second, said = evaluated(make_request(evaluations=("shift",), again=True))
    assert said.ended == {"shift": False}
    assert second == {name: value for name, value in first.items() if name.startswith("shift/")}


def test_killed_suite_continues_with_the_missing_evaluation(
    make_request: Callable[..., EvaluationRequest], folder: TrialFolder
) -> None:
    evaluated(make_request())
    (folder.path / "evaluation" / "influence.json").unlink()
    _, said = evaluated(make_request())
    assert said.ended == {"accuracy": True, "influence": False, "groups": True, "shift": True}


def test_other_sample_is_another_result(make_request: Callable[..., EvaluationRequest]) -> None:
    evaluated(make_request())
    _, said = evaluated(make_request({"evaluation.suite.seed": 1}))
    assert said.ended == {"accuracy": False, "influence": False, "groups": False, "shift": False}


def test_trained_further_is_another_result(make_request: Callable[..., EvaluationRequest], folder: TrialFolder) -> None:
    import torch

    evaluated(make_request())
    state = torch.load(folder.state_path, weights_only=True)
    state["model"]["head.weight"] += 1
    torch.save(state, folder.state_path)
    _, said = evaluated(make_request())
    assert not any(said.ended.values())


def test_metrics_join_those_of_the_trial_itself(
    make_request: Callable[..., EvaluationRequest], folder: TrialFolder
) -> None:
    write_json(folder.evaluation_path, {"test/accuracy": -1.0, "val/accuracy": 0.25, "background/rfs": 0.5})
    metrics, _ = evaluated(make_request(evaluations=("accuracy",)))
    assert read_json(folder.evaluation_path) == {**metrics, "val/accuracy": 0.25, "val/background/rfs": 0.5}
    result = json.loads((folder.path / "evaluation" / "accuracy.json").read_text())
    assert result["settings"] == {"num_pictures": 32}
    assert result["metrics"] == metrics


def test_other_data_have_a_folder_of_their_own(
    make_request: Callable[..., EvaluationRequest], folder: TrialFolder
) -> None:
    own, _ = evaluated(make_request())
    other = make_request({"data.correlation": 0.0})
    metrics, said = evaluated(other)
    assert not any(said.ended.values())
    assert metrics["test/loss"] != own["test/loss"]
    assert other.results_path.name.startswith("evaluation-")
    assert read_json(other.results_path.with_suffix(".json")) == metrics
    assert read_json(folder.evaluation_path)["test/loss"] == own["test/loss"]


def test_data_of_other_classes_are_refused(make_request: Callable[..., EvaluationRequest], tmp_path: Path) -> None:
    from PIL import Image

    for part in ("train", "val"):
        for name in ("cat", "dog"):
            image = tmp_path / "images" / part / name / "one.png"
            image.parent.mkdir(parents=True)
            Image.new("RGB", (40, 40)).save(image)
    held_out = {"source": "held_out"}
    tree = {"kind": "image_folder", "root": str(tmp_path / "images"), "image_size": 32, "validation": held_out}
    with pytest.raises(ConfigError, match=r"a network of 10 classes, and the data have 2: cat, dog"):
        evaluate_run(make_request({"data": tree}))


def test_run_without_checkpoint_says_so(tmp_path: Path, tiny_config: ExperimentConfig) -> None:
    folder = TrialFolder(tmp_path / "empty")
    folder.claim(tiny_config)
    with pytest.raises(FileNotFoundError, match="has no checkpoint"):
        evaluate_run(EvaluationRequest(folder, {}))


SMALL_SUITE = {
    "evaluation.suite.sample": 8,
    "evaluation.suite.attribution.integration_steps": 2,
    "evaluation.suite.ood.fit_sample": 40,
    "evaluation.suite.adversarial.sample": 2,
    "evaluation.suite.adversarial.steps": 2,
    "evaluation.suite.adversarial.linf_curve": [0.0, 0.1],
    "evaluation.suite.adversarial.l2_curve": [0.0, 0.5],
    "evaluation.suite.adversarial.square_queries": 5,
}


@pytest.mark.slow
def test_full_suite_runs_everything_and_again_to_the_same_metrics(
    make_request: Callable[..., EvaluationRequest],
) -> None:
    first, said = evaluated(make_request(SMALL_SUITE, evaluations=select("full")))
    assert set(said.skipped) == {"multilabel"}
    assert set(said.ended) == set(select("full")) - {"multilabel"}
    assert all(is_evaluated(name) for name in first)
    second, _ = evaluated(make_request(SMALL_SUITE, evaluations=select("full"), again=True))
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != pytest.approx(second[name], abs=0, rel=0, nan_ok=True)] == []


def test_metrics_of_other_settings_do_not_stay_next_to_new_ones(
    folder: TrialFolder, make_request: Callable[..., EvaluationRequest]
) -> None:
    curve = "evaluation.suite.adversarial.linf_curve"
    evaluate_run(make_request({curve: [0.1, 0.2], "evaluation.suite.sample": 4}, evaluations=("pgd",)))
    evaluate_run(make_request({curve: [0.3], "evaluation.suite.sample": 4}, evaluations=("pgd",)))
    found = {name for name in read_json(folder.evaluation_path) if name.startswith("test/adversarial/pgd/linf_")}
    assert found == {"test/adversarial/pgd/linf_0", "test/adversarial/pgd/linf_0.3"}
    assert "val/accuracy" in read_json(folder.evaluation_path)


def test_evaluations_are_removed_when_training_continues(
    folder: TrialFolder, make_request: Callable[..., EvaluationRequest]
) -> None:
    evaluate_run(make_request({"data.correlation": 0.0}))
    evaluate_run(make_request())
    longer = folder.config().model_copy(update={"training": folder.config().training.model_copy(update={"epochs": 2})})
    write_text(folder.config_path, to_yaml(longer))
    run_trial(longer, LocalContext(folder))
    assert [path.name for path in folder.path.glob("evaluation*")] == ["evaluation.json"]


def test_a_failed_evaluation_leaves_the_others(
    folder: TrialFolder, make_request: Callable[..., EvaluationRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(subject: EvaluationContext) -> EvaluationResult:
        raise RuntimeError(f"no more than {len(subject.data.val)} images")

    monkeypatch.setitem(EVALUATIONS, "influence", replace(EVALUATIONS["influence"], run=fail))
    with pytest.raises(EvaluationsFailedError) as caught:
        evaluate_run(make_request())
    assert str(caught.value) == "influence failed with RuntimeError: no more than 32 images"
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    kept = read_json(folder.evaluation_path)
    assert "test/background/influence_share" not in kept
    assert caught.value.metrics == {name: kept[name] for name in caught.value.metrics}
    assert any(name.startswith("shift/") for name in caught.value.metrics)


@pytest.mark.parametrize("text", ['{"a', "[]", "{}"])
def test_an_evaluation_whose_file_is_broken_runs_again(
    make_request: Callable[..., EvaluationRequest], text: str
) -> None:
    first, _ = evaluated(make_request())
    (make_request().results_path / "influence.json").write_text(text)
    second, said = evaluated(make_request())
    assert said.ended == {"accuracy": True, "influence": False, "groups": True, "shift": True}
    assert second == first


def test_outside_images_that_are_new_are_measured(folder: TrialFolder, tmp_path: Path) -> None:
    sets = {
        "static": {"kind": "noise", "role": "far"},
        "images": {"kind": "image_folder", "role": "near", "root": str(tmp_path / "near")},
    }
    suite = {"evaluation.suite.sample": 8, "evaluation.suite.ood": {"sets": sets, "scores": ["softmax"]}}
    first, _ = evaluated(EvaluationRequest(folder, suite, ("ood",)))
    assert not any(name.startswith("test/ood/images") for name in first)
    _, said = evaluated(EvaluationRequest(folder, suite, ("ood",)))
    assert said.ended == {"ood": True}
    (tmp_path / "near").mkdir()
    for number in range(4):
        Image.new("RGB", (40, 40), (60 * number, 0, 0)).save(tmp_path / "near" / f"{number}.png")
    second, said = evaluated(EvaluationRequest(folder, suite, ("ood",)))
    assert said.ended == {"ood": False}
    assert "test/ood/images/softmax/auroc" in second


def test_the_validation_split_has_a_folder_of_its_own(
    make_request: Callable[..., EvaluationRequest], folder: TrialFolder
) -> None:
    test, _ = evaluated(make_request())
    val, said = evaluated(make_request(split="val"))
    assert not any(said.ended.values())
    assert {name.partition("/")[0] for name in val} == {"val"}
    assert {name.partition("/")[0] for name in test} == {"test", "shift"}
    row = folder.rows()[-1]
    assert {name: row[name] for name in val} == pytest.approx(val)
    assert read_json(folder.evaluation_path) == {**val, **test}
    assert (folder.path / "evaluation-val" / "accuracy.json").exists()
    _, said = evaluated(make_request())
    assert all(said.ended.values())


def test_validation_images_that_the_last_layer_is_fitted_to_are_never_measured(tmp_path: Path) -> None:
    tree = {**TINY, "data": {**TINY["data"], "num_test": 400}, "objective": {"dfr": {"num_subsets": 1}}}
    config, folder = experiment_from_tree(tree), TrialFolder(tmp_path / "fitted")
    folder.claim(config)
    run_trial(config, LocalContext(folder))
    found = evaluate_run(EvaluationRequest(folder, {}, ["accuracy"], split="val"))
    assert found["val/accuracy"] == folder.rows()[-1]["val/accuracy"]
    measured = (read_json(folder.path / "evaluation-val" / "accuracy.json") or {})["samples"]["val/accuracy"]
    assert len(measured) == (read_json(folder.data_path) or {})["num_val"] < 400


def test_one_held_out_set_is_evaluated_under_the_names_of_earlier_versions(tmp_path: Path) -> None:
    tree = {**TINY, "data": {**TINY["data"], "validation": {"source": "held_out"}}}
    run = TrialFolder(tmp_path / "held-out")
    run.claim(experiment_from_tree(tree))
    run_trial(run.config(), LocalContext(run))
    before = read_json(run.evaluation_path)
    metrics, _ = evaluated(EvaluationRequest(run, {}))
    assert {name.partition("/")[0] for name in metrics} == {"val", "shift"}
    assert {name: metrics[name] for name in before} == pytest.approx(before)


def test_results_that_an_earlier_version_stored_are_kept(
    make_request: Callable[..., EvaluationRequest],
) -> None:
    files = EvaluationFiles(make_request().results_path, source="s", settings=make_request().config().evaluation.suite)
    spec, value = EVALUATIONS["influence"], {"background/influence_share": 0.5}
    files.save(spec, EvaluationResult(value, samples={"background/foreground_influence": {"a": 1.0}}), 1.0)
    found = files.load(spec)
    assert found is not None
    assert found.metrics == {"val/background/influence_share": 0.5}
    assert found.samples == {"val/background/foreground_influence": {"a": 1.0}}
    assert replace(files, split="test").load(spec) is None
