"""The result of a study, from trials whose metrics are known."""

import io
import json
import math
from collections.abc import Mapping
from pathlib import Path

import pytest
from rich.console import Console

from orchestrator.reports.report import render_report
from orchestrator.reports.study_table import study_markdown, study_rich, study_table
from orchestrator.results.study_document import StudyDocument
from orchestrator.results.study_result import study_document
from orchestrator.results.trial_rows import trial_rows
from tests.harness.study_on_disk import FOUR, StudyOnDisk
from trainables.json_file import write_json

SHIFT = "shift/random_background/accuracy"
STUDENT_1 = math.tan(0.475 * math.pi)
"""97.5 % quantile of Student's t with one degree of freedom."""


def shown(document: StudyDocument) -> str:
    """Return the table as the terminal shows it."""
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(study_rich(document))
    return console.export_text()


def halves(mean: float) -> dict[str, dict[str, float]]:
    """Return values of 20 images with that mean: the first ten above it, the others below."""
    return {"val/accuracy": {f"{i:02d}": mean + (0.1 if i < 10 else -0.1) for i in range(20)}}


def test_mean_and_spread_over_the_seeds(tmp_path: Path) -> None:
    study = StudyOnDisk(tmp_path)
    study.all(FOUR)
    figure = study.metric("plain")
    assert figure["mean"] == pytest.approx(0.6)
    assert figure["std"] == pytest.approx(math.sqrt(0.02))
    assert figure["by_seed"] == {"0": 0.5, "1": 0.7}
    assert (figure["num_seeds"], figure["difference"]) == (2, None)


def test_difference_is_paired_by_seed(tmp_path: Path) -> None:
    # Differences 0.1 and 0.3: mean 0.2, standard error 0.1. Unpaired, the standard error would be larger.
    study = StudyOnDisk(tmp_path)
    study.all(FOUR)
    difference = study.metric("contrastive")["difference"]
    assert difference["mean"] == pytest.approx(0.2)
    assert difference["low"] == pytest.approx(0.2 - 0.1 * STUDENT_1)
    assert difference["high"] == pytest.approx(0.2 + 0.1 * STUDENT_1)
    assert (difference["covers"], difference["num_pictures"]) == ("seeds", None)
    assert difference["p_value"] == difference["p_value_holm"] == pytest.approx(1 - 2 / math.pi * math.atan(2))


def test_p_values_are_corrected_for_all_comparisons_of_the_table(tmp_path: Path) -> None:
    # Of one degree of freedom: t = 20 at val/accuracy, 40 at val/loss, and no spread at shift/a/accuracy.
    study = StudyOnDisk(tmp_path, metrics=["val/accuracy", "val/loss", SHIFT])
    of_arm = {
        "plain-s0": (0.5, 1.0, 0.25),
        "plain-s1": (0.5, 1.0, 0.25),
        "contrastive-s0": (0.69, 1.78, 0.5),
        "contrastive-s1": (0.71, 1.82, 0.5),
    }
    for trial_id, (accuracy, loss, shift) in of_arm.items():
        study.trial(trial_id, {"val/accuracy": accuracy, "val/loss": loss, SHIFT: shift})
    document = study_document(study.folder)
    found = {name: figure["difference"] for name, figure in document["arms"][1]["figures"].items()}
    by_20, by_40 = (1 - 2 / math.pi * math.atan(t) for t in (20, 40))
    assert found["val/accuracy"]["p_value"] == pytest.approx(by_20)
    assert found["val/loss"]["p_value"] == pytest.approx(by_40)
    assert found["val/loss"]["p_value_holm"] == found["val/accuracy"]["p_value_holm"] == pytest.approx(2 * by_40)
    assert (found[SHIFT]["p_value"], found[SHIFT]["p_value_holm"]) == (None, None)


def test_star_marks_what_stays_apart_after_the_correction(tmp_path: Path) -> None:
    # t = 20 of one degree of freedom: p = 0.0318, of one comparison.
    study = StudyOnDisk(tmp_path)
    study.all({"plain-s0": 0.5, "plain-s1": 0.5, "contrastive-s0": 0.69, "contrastive-s1": 0.71})
    document, rows = study_document(study.folder), trial_rows(study.folder, {})
    write_json(study.folder.result_path, document)
    assert "**+0.200 (+0.073 to +0.327)** \\* |" in study_markdown(document)
    assert "(+0.073 to +0.327) *" in shown(document)
    assert "<b>+0.200 (+0.073 to +0.327)</b> *</small>" in render_report(study.folder, rows, command="")
    document["arms"][1]["figures"]["val/accuracy"]["difference"]["p_value_holm"] = 0.05
    assert "**+0.200 (+0.073 to +0.327)** |" in study_markdown(document)
    assert "(+0.073 to +0.327) *" not in shown(document)


def test_table_says_how_many_comparisons_were_corrected_for(tmp_path: Path) -> None:
    study = StudyOnDisk(tmp_path, metrics=["val/accuracy", "val/loss"])
    study.all(FOUR)
    document = study_document(study.folder)
    assert " 1 difference of this table has a p-value." in study_markdown(document)
    difference = document["arms"][1]["figures"]["val/accuracy"]["difference"]
    difference["p_value"] = None
    assert " No differences of this table have a p-value." in study_markdown(document)
    del difference["p_value"], difference["p_value_holm"]
    text = study_markdown(document)
    assert "This result was made without a correction for the number of comparisons." in text
    assert "star" not in text


def test_images_count_where_the_metric_is_their_mean(tmp_path: Path) -> None:
    study = StudyOnDisk(tmp_path)
    for trial_id, value in FOUR.items():
        study.trial(trial_id, {"val/accuracy": value}, samples=halves(value))
    difference = study.metric("contrastive")["difference"]
    assert difference["mean"] == pytest.approx(0.2)
    assert (difference["covers"], difference["num_pictures"]) == ("seeds and images", 20)


def test_images_of_one_source_are_resampled_together(tmp_path: Path) -> None:
    """Twenty images of ten patients say as much as ten."""
    widths = []
    for sources in (None, {f"{number:02d}": number // 2 for number in range(20)}):
        study = StudyOnDisk(tmp_path / str(sources is None))
        for trial_id, value in FOUR.items():
            images = {f"{number:02d}": value + (number // 2 - 4.5) / 9 for number in range(20)}
            held = images if trial_id.startswith("contrastive") else dict.fromkeys(images, value)
            study.trial(trial_id, {"val/accuracy": value}, samples={"val/accuracy": held}, sources=sources)
        difference = study.metric("contrastive")["difference"]
        assert difference["mean"] == pytest.approx(0.2)
        assert (difference["covers"], difference["num_pictures"]) == ("seeds and images", 20)
        assert difference["num_sources"] == (None if sources is None else 10)
        over = "the images" if sources is None else "the sources of the images"
        assert f"bootstrap over {over}, the same for all seeds" in study_markdown(study_document(study.folder))
        widths.append(difference["high"] - difference["low"])
    assert widths[1] > widths[0]


def test_images_do_not_count_where_the_metric_is_something_else_of_them(tmp_path: Path) -> None:
    study = StudyOnDisk(tmp_path)
    for trial_id, value in FOUR.items():
        study.trial(trial_id, {"val/accuracy": value}, samples=halves(value - 0.2))
    assert study.metric("contrastive")["difference"]["covers"] == "seeds"


def test_explanations_are_compared_where_both_are_right(tmp_path: Path) -> None:
    # Of images 0 to 14 both are right, and there the arm is 0.3 above; over all images it is 0.05 below.
    metric = "test/attribution/gradcam/continuity"
    study = StudyOnDisk(tmp_path, metrics=[metric], evaluations=["attribution-gradcam"])
    correct = {f"{i:02d}": float(i < 15) for i in range(20)}
    plain = {f"{i:02d}": 0.5 for i in range(20)}
    other = {f"{i:02d}": 0.8 if i < 15 else -0.6 for i in range(20)}
    for seed in (0, 1):
        for arm, values in (("plain", plain), ("contrastive", other)):
            mean = sum(values.values()) / 20
            study.trial(f"{arm}-s{seed}", {metric: mean}, samples={"correct": correct, metric: values})
    figure = study.metric("contrastive", metric)
    assert figure["mean"] == pytest.approx(0.45)
    assert figure["difference"]["mean"] == pytest.approx(0.3)
    assert figure["difference"]["num_pictures"] == 15


@pytest.mark.parametrize(
    ("digests", "covers"),
    [
        ({"plain-s0": "a", "contrastive-s0": "a", "plain-s1": "b", "contrastive-s1": "b"}, "seeds and images"),
        ({"plain-s0": "a", "contrastive-s0": "b", "plain-s1": "a", "contrastive-s1": "b"}, "seeds"),
        ({"plain-s0": "a", "contrastive-s0": "b", "plain-s1": "c", "contrastive-s1": "d"}, "seeds"),
    ],
    ids=["each seed its own", "each arm its own", "each trial its own"],
)
def test_images_of_other_sets_are_not_paired(tmp_path: Path, digests: Mapping[str, str], covers: str) -> None:
    study = StudyOnDisk(tmp_path)
    for trial_id, value in FOUR.items():
        study.trial(trial_id, {"val/accuracy": value}, samples=halves(value), digest=digests[trial_id])
    difference = study.metric("contrastive")["difference"]
    assert difference["low"] == pytest.approx(0.2 - 0.1 * STUDENT_1)
    assert (difference["covers"], difference["num_pictures"]) == (covers, None)
    warnings = study_document(study.folder)["warnings"]
    assert bool(warnings) == (covers == "seeds")


def test_one_seed_has_an_interval_over_images_alone(tmp_path: Path) -> None:
    study = StudyOnDisk(tmp_path, seeds=[4])
    study.trial("plain-s4", {"val/accuracy": 0.5}, samples=halves(0.5))
    study.trial("contrastive-s4", {"val/accuracy": 0.6}, samples=halves(0.6))
    figure = study.metric("contrastive")
    assert (figure["std"], figure["difference"]["covers"]) == (None, "images")
    assert "Covers other images, and not other seeds" in study_markdown(study_document(study.folder))


@pytest.mark.parametrize(("before", "now"), [("pictures", "images"), ("seeds and pictures", "seeds and images")])
def test_study_of_an_earlier_version_is_read(tmp_path: Path, before: str, now: str) -> None:
    study = StudyOnDisk(tmp_path)
    for trial_id, value in FOUR.items():
        study.trial(trial_id, {"val/accuracy": value}, samples=halves(value))
    document = study_document(study.folder)
    document["arms"][1]["figures"]["val/accuracy"]["difference"]["covers"] = now
    expected = study_markdown(document)
    document["arms"][1]["figures"]["val/accuracy"]["difference"]["covers"] = before
    assert study_markdown(document) == expected
    write_json(study.folder.result_path, document)
    assert "Covers other" in render_report(study.folder, trial_rows(study.folder, {}), command="")


def test_trial_that_failed_does_not_count_and_is_said_so(tmp_path: Path) -> None:
    study = StudyOnDisk(tmp_path)
    study.all({key: value for key, value in FOUR.items() if key != "contrastive-s1"})
    study.trial("contrastive-s1", {}, error="FloatingPointError: the loss is nan", **{"val/accuracy": 0.1})
    document = study_document(study.folder)
    assert document["warnings"] == [
        "contrastive-s1 failed after epoch 2 (FloatingPointError: the loss is nan) and does not count."
    ]
    figure = study.metric("contrastive")
    assert (figure["mean"], figure["std"], figure["num_seeds"]) == (0.6, None, 1)
    assert figure["difference"]["mean"] == pytest.approx(0.1)
    assert (figure["difference"]["low"], figure["difference"]["covers"]) == (None, None)
    assert "| contrastive | 1 of 2 | 0.600<br>+0.100 | 20s |" in study_markdown(document)


def test_trial_that_cannot_be_read_does_not_count_and_is_said_so(tmp_path: Path) -> None:
    study = StudyOnDisk(tmp_path)
    study.all(FOUR)
    study.folder.trial("contrastive-s1").metrics_path.write_bytes(b"")
    document = study_document(study.folder)
    (warning,) = document["warnings"]
    assert warning.startswith("contrastive-s1 cannot be read after epoch 0 (")
    assert "metrics.jsonl: no row of epoch 1, 2; `campaign resume`" in warning
    assert study.metric("contrastive")["num_seeds"] == 1


def test_difference_over_fewer_seeds_than_the_mean_says_so(tmp_path: Path) -> None:
    study = StudyOnDisk(tmp_path)
    study.all({key: value for key, value in FOUR.items() if key != "plain-s1"})
    study.trial("plain-s1", {}, error="FloatingPointError: the loss is nan")
    text = study_markdown(study_document(study.folder))
    assert "| contrastive | 2 | 0.800 ± 0.283<br>+0.100, of 1 | 20s |" in text


def test_study_without_a_finished_trial_has_a_table_of_nothing(tmp_path: Path) -> None:
    document = study_document(StudyOnDisk(tmp_path).folder)
    assert len(document["warnings"]) == 5
    assert document["warnings"][-1].startswith("No trial of plain has completed")
    assert "| contrastive | 0 of 2 | – | – |" in study_markdown(document)  # noqa: RUF001


def test_metric_that_is_not_finite_does_not_count(tmp_path: Path) -> None:
    study = StudyOnDisk(tmp_path)
    study.all({**FOUR, "plain-s1": math.nan})
    assert study.metric("plain")["num_seeds"] == 1
    assert study.metric("contrastive")["difference"]["num_seeds"] == 1


def test_patterns_become_the_metrics_there_are_in_the_order_of_the_study(tmp_path: Path) -> None:
    study = StudyOnDisk(tmp_path, metrics=["shift/*/accuracy", "train/accuracy", "val/accuracy"])
    metrics = {"val/accuracy": 0.5, "shift/b/accuracy": 0.1, "shift/a/accuracy": 0.2, "shift/a/confidence": 0.3}
    for trial_id in FOUR:
        study.trial(trial_id, metrics, **{"train/accuracy": 0.9})
    assert study_document(study.folder)["metrics"] == [
        {"metric": "shift/a/accuracy", "better": "max"},
        {"metric": "shift/b/accuracy", "better": "max"},
        {"metric": "train/accuracy", "better": "max"},
        {"metric": "val/accuracy", "better": "max"},
    ]


def test_training_time_is_summed_over_epochs_and_averaged_over_seeds(tmp_path: Path) -> None:
    study = StudyOnDisk(tmp_path)
    study.all(FOUR)
    assert [arm["train_s"] for arm in study_document(study.folder)["arms"]] == [20.0, 20.0]


def test_document_is_json_and_says_what_each_arm_changes(tmp_path: Path) -> None:
    study = StudyOnDisk(tmp_path)
    study.all(FOUR)
    document = study_document(study.folder)
    assert json.loads(json.dumps(document)) == document
    assert document.keys() == {
        "study",
        "summary",
        "sweep",
        "reference",
        "seeds",
        "metrics",
        "arms",
        "tuning",
        "budget",
        "warnings",
    }
    assert document["arms"][1]["changes"] == {
        "objective.kind": ["contrastive", "cross_entropy"],
        "objective.background_weight": [1.0, None],
    }
    assert document["budget"].startswith("Budget and augmentation are the same in every arm: training.epochs 2, ")


def test_markdown_has_mean_spread_difference_and_interval(tmp_path: Path) -> None:
    study = StudyOnDisk(tmp_path)
    study.all({"plain-s0": 0.5, "plain-s1": 0.7, "contrastive-s0": 0.6, "contrastive-s1": 0.8001})
    text = study_markdown(study_document(study.folder))
    assert "| arm | seeds | `val/accuracy ↑` | training |" in text
    assert "| plain | 2 | 0.600 ± 0.141 | 20s |" in text
    # Differences 0.1 and 0.1001: the interval is 0.10005 ± 12.706 * 0.00005.
    assert "| contrastive | 2 | 0.700 ± 0.141<br>**+0.100 (+0.099 to +0.101)** \\* | 20s |" in text
    assert "- contrastive changes `objective.kind: cross_entropy -> contrastive`" in text


def test_terminal_and_markdown_show_the_same_values(tmp_path: Path) -> None:
    study = StudyOnDisk(tmp_path)
    study.all(FOUR)
    document = study_document(study.folder)
    for line in study_table(document).lines:
        for cell in line:
            assert cell.value in shown(document)


def test_report_of_the_sweep_shows_the_table(tmp_path: Path) -> None:
    study = StudyOnDisk(tmp_path)
    study.all(FOUR)
    rows = trial_rows(study.folder, {})
    assert 'id="study"' not in render_report(study.folder, rows, command="")
    write_json(study.folder.result_path, study_document(study.folder))
    page = render_report(study.folder, rows, command="")
    assert 'id="study"' in page
    assert '<td class="number">0.800 ± 0.283<small>+0.200 (−1.071 to +1.471)</small></td>' in page  # noqa: RUF001
    assert "Budget and augmentation are the same in every arm" in page
    assert "<code>val/accuracy</code>" in page
