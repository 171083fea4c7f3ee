"""The rules for a cluster file, and their findings."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.cluster_file import auth, mounts, node_types
from orchestrator.cluster_file.cluster_file import ClusterFile, Problem
from orchestrator.cluster_file.placeholders import to_do
from orchestrator.cluster_file.ray_schema import ray_accepts
from orchestrator.cluster_file.trial_fit import fits_trial
from trainables.config import ConfigError, ExperimentConfig, read_tree

Rule = Callable[[ClusterFile], Iterator[Problem]]

STRUCTURE: Mapping[str, Rule] = {
    "provider": node_types.has_provider,
    "name": node_types.has_name,
    "node_types": node_types.has_node_types,
    "machines": node_types.has_own_machines,
    "ray": ray_accepts,
}
"""Checked first, in this order, up to the first that finds a problem: RULES rely on them."""

RULES: Mapping[str, Rule] = {
    "auth": auth.asks_for_token,
    "file_mounts": mounts.copies_existing_files,
    "head": node_types.head_runs_no_trials,
    "spot": node_types.head_is_on_demand,
    "ssh_key": auth.has_ssh_key,
    "storage": mounts.mounts_storage,
    "workers": node_types.has_workers,
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
class CheckResult:
    """The findings on a file, and what is to be done before it is used."""

    findings: tuple[Finding, ...]
    to_do: tuple[str, ...] = ()


def check_file(path: Path, experiment: ExperimentConfig | None = None) -> CheckResult:
    """Check a cluster file; a file that cannot be read is a finding too."""
    try:
        tree = read_tree(path, as_ray=True)
    except ConfigError as error:
        return CheckResult((Finding("file", "", str(error)),))
    return check_tree(tree, path.absolute().parent, experiment)


def check_tree(tree: Mapping[str, Any], folder: Path, experiment: ExperimentConfig | None = None) -> CheckResult:
    """Check the tree of a cluster file.

    Args:
        folder: Where relative paths in it start.
        experiment: A trial that must fit.
    """
    cluster = ClusterFile(tree, folder)
    for name, rule in STRUCTURE.items():
        if findings := [Finding(name, *problem) for problem in rule(cluster)]:
            return CheckResult(tuple(findings))
    findings = [Finding(name, *problem) for name, rule in RULES.items() for problem in rule(cluster)]
    if experiment is not None:
        findings += [Finding("trial", *problem) for problem in fits_trial(cluster, experiment)]
    return CheckResult(tuple(findings), tuple(to_do(cluster)))
