"""The rules for a cluster file, and their findings."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.cluster_file import files, machines, network, software, start, tracking
from orchestrator.cluster_file.cluster_file import ClusterFile, Problem
from orchestrator.cluster_file.ray_schema import ray_accepts
from orchestrator.cluster_file.trial_fit import fits_trial
from trainables.config import ConfigError, ExperimentConfig, read_tree

Rule = Callable[[ClusterFile], Iterator[Problem]]

FORM: Mapping[str, Rule] = {
    "provider": machines.has_provider,
    "name": machines.is_named,
    "node_types": machines.lists_types,
    "machines": machines.lists_own_machines,
    "ray": ray_accepts,
}
"""What the other rules take for granted; the first that finds something is the last."""

RULES: Mapping[str, Rule] = {
    "auth": network.asks_for_token,
    "dashboard": network.hides_dashboard,
    "file_mounts": files.copies_what_is_there,
    "head": machines.head_only_drives,
    "idle": machines.ends_idle_workers,
    "image": machines.has_one_image,
    "instance": machines.knows_machines,
    "mlflow_server": tracking.serves_tracking,
    "ports": network.opens_only_ssh,
    "project": software.installs_project,
    "python": software.same_python,
    "ray_version": software.pins_ray,
    "region": files.mounts_from_region,
    "secrets": files.keeps_no_secret,
    "shm": software.has_shared_memory,
    "spot": machines.rents_head_for_good,
    "ssh_key": files.has_ssh_key,
    "start": start.starts_ray,
    "storage": files.shares_storage,
    "tracking": tracking.tracks_over_http,
    "workers": machines.has_workers,
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule found."""

    rule: str
    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field or 'file'}: {self.message} [{self.rule}]"


@dataclass(frozen=True, slots=True)
class Checked:
    """The findings on a file, and what is to be done before it is used."""

    findings: tuple[Finding, ...]
    to_do: tuple[str, ...] = ()


def check_file(path: Path, experiment: ExperimentConfig | None = None) -> Checked:
    """Check a cluster file; a file that cannot be read is a finding too."""
    try:
        tree = read_tree(path)
    except ConfigError as error:
        return Checked((Finding("file", "", str(error)),))
    if not tree:
        return Checked((Finding("file", "", f"{path}: found nothing in it; cluster.yaml shows what a cluster needs"),))
    return check_tree(tree, path.absolute().parent, experiment)


def check_tree(tree: Mapping[str, Any], folder: Path, experiment: ExperimentConfig | None = None) -> Checked:
    """Check the tree of a cluster file.

    Args:
        folder: Where relative paths in it start.
        experiment: A trial that must fit.
    """
    cluster = ClusterFile(tree, folder)
    for name, rule in FORM.items():
        if findings := [Finding(name, *problem) for problem in rule(cluster)]:
            return Checked(tuple(findings))
    findings = [Finding(name, *problem) for name, rule in RULES.items() for problem in rule(cluster)]
    if experiment is not None:
        findings += [Finding("trial", *problem) for problem in fits_trial(cluster, experiment)]
    return Checked(tuple(findings), tuple(files.to_do(cluster)))
