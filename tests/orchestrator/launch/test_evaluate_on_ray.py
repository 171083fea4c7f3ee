"""Several runs evaluated at a time on a real Ray."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cluster.session import ray_session
from orchestrator.launch.evaluation import EvaluationRequest, evaluate_run
from orchestrator.launch.evaluation_tasks import evaluate_on_ray
from trainables.config import ConfigError, experiment_from_tree, override
from trainables.evaluations import ProgressListener
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


pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.usefixtures("own_ray")]


@pytest.fixture(scope="module")
def own_ray() -> Iterator[None]:
    """A Ray that all evaluations of this file share."""
    with ray_session():
        yield


def trained(path: Path, **overrides: Any) -> TrialFolder:
    folder, config = TrialFolder(path), experiment_from_tree(override(TINY, overrides))
    folder.claim(config)
    run_trial(config, LocalContext(folder))
    return folder


class Scribe(ProgressListener):
    """Writes down every event but ticks."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def on_start(self, name: str) -> None:
        self.heard.append(f"start {name}")

    def on_end(self, name: str, seconds: float, *, stored: bool) -> None:
        assert seconds >= 0
        self.heard.append(f"end {name}{' stored' if stored else ''}")

    def on_skip(self, name: str, reason: str) -> None:
        self.heard.append(f"skip {name}: {reason}")


def test_each_run_gets_its_own_metrics_and_a_failure_stays_alone(tmp_path: Path) -> None:
    one, two = trained(tmp_path / "one"), trained(tmp_path / "two", seed=1)
    empty = TrialFolder(tmp_path / "empty")
    empty.claim(one.config())
    evaluations, no_maps = ("accuracy", "influence", "attribution-hirescam"), {"evaluation.suite.attribution.maps": []}
    requests = [EvaluationRequest(folder, no_maps, evaluations) for folder in (one, empty, two)]
    listeners = [Scribe() for _ in requests]
    first, failure, second = evaluate_on_ray(requests, listeners, address=None)
    assert isinstance(failure, FileNotFoundError)
    assert "has no checkpoint" in str(failure)
    assert first == evaluate_run(EvaluationRequest(one, {}, evaluations[:2], again=True))
    assert second == evaluate_run(EvaluationRequest(two, {}, evaluations[:2], again=True))
    assert first != second
    heard = [
        "start accuracy",
        "end accuracy",
        "start influence",
        "end influence",
        "start attribution-hirescam",
        "skip attribution-hirescam: hirescam is not in evaluation.suite.attribution.maps",
    ]
    assert [listener.heard for listener in listeners] == [heard, [], heard]


def test_what_cannot_fit_is_refused(tmp_path: Path) -> None:
    folder = trained(tmp_path / "one")
    with pytest.raises(ConfigError, match=r"needs 999 CPU where the cluster has"):
        evaluate_on_ray([EvaluationRequest(folder, {"resources.cpus": 999})], [ProgressListener()], address=None)
