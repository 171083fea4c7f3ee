"""A campaign command for Kubernetes, as a RayJob of the KubeRay operator."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import yaml

from orchestrator.cluster.jobs import JobOrder
from orchestrator.cluster_file.driver_resource import DRIVER, DRIVER_SHARE

HEAD = {"cpu": "2", "memory": "8Gi"}
WORKER = {"cpu": "8", "memory": "32Gi"}
SHARED_MEMORY = {"name": "shared-memory", "emptyDir": {"medium": "Memory", "sizeLimit": "8Gi"}}
"""Data loaders pass images through /dev/shm; a container's default of 64 MB is too little."""


@dataclass(frozen=True, slots=True)
class KubePods:
    """The pods of the job's cluster."""

    image: str
    """Container image with Ray, CAMpaign and Python, all of the versions in constraints.txt."""
    claim: str
    """Persistent volume claim, of access mode ReadWriteMany, with the storage folder."""
    workers: int
    """Maximum number of worker pods; the cluster starts with one and grows while trials wait."""
    gpus: int
    """GPUs of each worker."""


def ray_job(order: JobOrder, pods: KubePods, *, storage: PurePosixPath, ray_version: str) -> str:
    """Return a RayJob that runs the command on a cluster of its own, and then removes the cluster.

    A job that is created again continues its sweep: the storage folder outlives the cluster.
    """
    (command, *_) = (word for word in order.command if not word.startswith("-"))
    return yaml.dump(
        {
            "apiVersion": "ray.io/v1",
            "kind": "RayJob",
            "metadata": {"generateName": f"campaign-{command}-"},
            "spec": {
                "entrypoint": order.entrypoint,
                "entrypointResources": json.dumps({DRIVER: DRIVER_SHARE}),
                "runtimeEnvYAML": yaml.safe_dump(order.runtime_env(), sort_keys=False),
                "backoffLimit": 2,
                "shutdownAfterJobFinishes": True,
                "ttlSecondsAfterFinished": 600,
                "rayClusterSpec": _cluster(pods, storage, ray_version),
            },
        },
        Dumper=_WithoutAliases,
        sort_keys=False,
        width=120,
    )


class _WithoutAliases(yaml.SafeDumper):
    """Writes an object that occurs twice in full, not as a YAML alias."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    """Write a text of several lines as a block."""
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_WithoutAliases.add_representer(str, _text)


def _cluster(pods: KubePods, storage: PurePosixPath, ray_version: str) -> dict[str, Any]:
    head = {
        # The operator does not quote these values in its shell command, so the JSON is quoted twice.
        "rayStartParams": {"num-cpus": "0", "resources": json.dumps(json.dumps({DRIVER: 1}))},
        "template": _template("ray-head", HEAD, pods, storage),
    }
    gpus = {"nvidia.com/gpu": str(pods.gpus)} if pods.gpus else {}
    worker = {
        "groupName": "workers",
        "replicas": 1,
        "minReplicas": 1,
        "maxReplicas": pods.workers,
        "rayStartParams": {},
        "template": _template("ray-worker", WORKER | gpus, pods, storage),
    }
    return {
        "rayVersion": ray_version,
        "enableInTreeAutoscaling": True,
        "headGroupSpec": head,
        "workerGroupSpecs": [worker],
    }


def _template(name: str, resources: Mapping[str, str], pods: KubePods, storage: PurePosixPath) -> dict[str, Any]:
    container = {
        "name": name,
        "image": pods.image,
        "resources": {"requests": dict(resources), "limits": dict(resources)},
        "volumeMounts": [
            {"name": "storage", "mountPath": str(storage)},
            {"name": SHARED_MEMORY["name"], "mountPath": "/dev/shm"},
        ],
    }
    storage_volume = {"name": "storage", "persistentVolumeClaim": {"claimName": pods.claim}}
    return {"spec": {"containers": [container], "volumes": [storage_volume, SHARED_MEMORY]}}
