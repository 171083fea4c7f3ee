"""Whether trials fit on the machines of the shipped file, counted by hand: 8 workers of 8 CPUs and 1 GPU."""

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cluster.autoscaling import with_autoscaling
from orchestrator.cluster.capacity import Node, capacity
from orchestrator.cluster_file.check import check_tree
from orchestrator.cluster_file.cluster_file import ClusterFile
from orchestrator.cluster_file.trial_fit import largest_cluster
from search_spaces import find_base, find_scale
from tests.orchestrator.cluster_file.editing import Tree, drop, edited, put
from trainables.config import ExperimentConfig, Resources, experiment_from_tree, override

ROOT = Path(__file__).resolve().parents[3]
SCALES = ROOT / "search_spaces" / "scales"
WORKER = "available_node_types/gpu_worker"


def experiment(**resources: float) -> ExperimentConfig:
    return experiment_from_tree({"resources": resources, "training": {"batch_size": 64}}, source="test")


def findings(tree: Tree, trial: ExperimentConfig) -> list[tuple[str, str, str]]:
    return [(finding.rule, finding.field, finding.message) for finding in check_tree(tree, ROOT, trial).findings]


@pytest.mark.parametrize(
    "resources",
    [{}, {"cpus": 8}, {"gpus": 0.25}, {"workers": 8, "gpus": 1}, {"workers": 8, "cpus": 8}, {"workers": 64}],
)
def test_trial_fits(resources: dict[str, float], shipped: Tree) -> None:
    assert findings(shipped, experiment(**resources)) == []


@pytest.mark.parametrize(
    ("resources", "field", "words"),
    [
        ({"cpus": 9}, "available_node_types", "a process of the trial takes 9 CPU; found gpu_worker with 8 CPU and 1"),
        ({"workers": 2, "gpus": 2}, "available_node_types", "takes 1 CPU and 2 GPU; found gpu_worker with 8 CPU and 1"),
        ({"workers": 16, "gpus": 1}, "max_workers", "takes 16 processes of 1 CPU and 1 GPU, and 8 fit on gpu_worker"),
        ({"workers": 16, "cpus": 5}, "max_workers", "raise max_workers, or lower resources.workers = 16"),
    ],
)
def test_trial_that_does_not_fit_names_what_is_short(
    resources: dict[str, float], field: str, words: str, shipped: Tree
) -> None:
    ((rule, found_field, message),) = findings(shipped, experiment(**resources))
    assert (rule, found_field) == ("trial", field)
    assert words in message


@pytest.mark.parametrize("scale", sorted(path.stem for path in SCALES.glob("imagenet-s*.yaml")))
def test_trial_at_a_scale_of_imagenet_s_fits(scale: str, shipped: Tree) -> None:
    trial = experiment_from_tree(override(find_base("pets-species"), find_scale(scale)["set"]), source=scale)
    assert trial.resources.workers >= 2
    assert findings(shipped, trial) == []


def test_file_of_own_machines_cannot_say_what_fits(on_premises: Tree) -> None:
    ((rule, field, message),) = findings(on_premises, experiment())
    assert (rule, field) == ("trial", "provider.type")
    assert message.endswith("on the running cluster, campaign plan --address auto says what fits")


def test_largest_cluster_counts_the_head_and_as_many_workers_as_may_be(shipped: Tree) -> None:
    head, worker, large = {"CPU": 0, "driver": 1}, {"CPU": 8, "GPU": 1}, {"CPU": 48, "GPU": 4}
    assert largest_cluster(ClusterFile(shipped, ROOT)) == [head, *[worker] * 8]
    second = {**shipped["available_node_types"]["gpu_worker"], "resources": large, "max_workers": 2}
    mixed = edited(shipped, put("available_node_types/large_worker", second))
    assert largest_cluster(ClusterFile(mixed, ROOT)) == [head, *[large] * 2, *[worker] * 6]


@pytest.mark.parametrize(
    ("there", "concurrent"),
    [
        ([{"driver": 1.0, "CPU": 0.0}], 8),
        ([{"driver": 1.0, "CPU": 0.0, "memory": 1e9}, {"CPU": 8.0, "GPU": 1.0, "node:10.0.0.2": 1.0}], 8),
        ([{"driver": 1.0, "CPU": 0.0}, {"CPU": 4.0, "GPU": 4.0}], 12),
    ],
)
def test_sweep_counts_what_the_autoscaler_may_add(
    there: list[Node], concurrent: int, shipped: Tree, tmp_path: Path
) -> None:
    bootstrap = tmp_path / "ray_bootstrap_config.yaml"
    bootstrap.write_text(json.dumps(shipped), encoding="utf-8")
    assert capacity(Resources(gpus=1), with_autoscaling(there, bootstrap)).concurrent == concurrent


def test_sweep_on_machines_that_are_there_counts_those(on_premises: Tree, tmp_path: Path) -> None:
    assert with_autoscaling([{"CPU": 2.0}], tmp_path / "none.yaml") == [{"CPU": 2.0}]
    bootstrap = tmp_path / "ray_bootstrap_config.yaml"
    bootstrap.write_text(json.dumps(on_premises), encoding="utf-8")
    assert with_autoscaling([{"CPU": 2.0}], bootstrap) == [{"CPU": 2.0}]


def test_file_without_workers_fits_no_trial(shipped: Tree) -> None:
    none: Any = edited(shipped, drop(WORKER))
    assert {rule for rule, *_ in findings(none, experiment())} == {"workers", "trial"}
