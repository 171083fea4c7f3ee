"""The RayJob that is printed for Kubernetes, field by field."""

import json
import shlex
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

from orchestrator.cluster.jobs import JobOrder
from orchestrator.cluster.kuberay import KubePods, ray_job


def job(*, gpus: int = 1) -> dict[str, Any]:
    order = JobOrder(("sweep", "digits-background-weight"), {"CAMPAIGN_STORAGE": "/mnt/lab"})
    pods = KubePods("lab/campaign:1", "lab", workers=4, gpus=gpus)
    text = ray_job(order, pods, storage=PurePosixPath("/mnt/lab"), ray_version="2.60.0")
    assert "&" not in text  # nothing is a YAML alias
    document: dict[str, Any] = yaml.safe_load(text)
    return document


def test_head_only_drives() -> None:
    cluster = job()["spec"]["rayClusterSpec"]
    parameters = cluster["headGroupSpec"]["rayStartParams"]
    assert parameters["num-cpus"] == "0"
    (word,) = shlex.split(parameters["resources"])  # as the shell reads it, in which the operator starts Ray
    assert json.loads(word) == {"driver": 1}
    assert json.loads(job()["spec"]["entrypointResources"]) == {"driver": 0.01}
    assert cluster["rayVersion"] == "2.60.0"


def test_workers_have_gpus_and_grow() -> None:
    (group,) = job(gpus=2)["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    assert (group["minReplicas"], group["maxReplicas"]) == (1, 4)
    (container,) = group["template"]["spec"]["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "2"
    assert container["resources"]["requests"] == container["resources"]["limits"]
    (container,) = job(gpus=0)["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]["template"]["spec"]["containers"]
    assert "nvidia.com/gpu" not in container["resources"]["limits"]


@pytest.mark.parametrize("group", ["head", "worker"])
def test_every_pod_sees_the_storage(group: str) -> None:
    cluster = job()["spec"]["rayClusterSpec"]
    pod = (cluster["headGroupSpec"] if group == "head" else cluster["workerGroupSpecs"][0])["template"]["spec"]
    (container,) = pod["containers"]
    assert container["image"] == "lab/campaign:1"
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert volumes[mounts["/mnt/lab"]]["persistentVolumeClaim"] == {"claimName": "lab"}
    assert volumes[mounts["/dev/shm"]]["emptyDir"]["medium"] == "Memory"


def test_job_has_its_environment_and_is_removed_at_the_end() -> None:
    document = job()
    assert (document["apiVersion"], document["kind"]) == ("ray.io/v1", "RayJob")
    assert document["metadata"] == {"generateName": "campaign-sweep-"}  # a name of its own for each
    assert document["spec"]["shutdownAfterJobFinishes"] is True
    variables = yaml.safe_load(document["spec"]["runtimeEnvYAML"])["env_vars"]
    assert variables == {
        "CAMPAIGN_STORAGE": "/mnt/lab",
        "RAY_JOB_STOP_SIGNAL": "SIGINT",
        "RAY_JOB_STOP_WAIT_TIME_S": "90",
    }


def test_working_dir_is_copied_without_large_folders() -> None:
    shipped = JobOrder(("status", "first"), working_dir=Path("/home/me/project")).runtime_env()
    assert shipped["working_dir"] == "/home/me/project"
    assert {"campaign-data", ".venv", ".git"} <= set(shipped["excludes"])
    assert "working_dir" not in JobOrder(("status", "first")).runtime_env()
