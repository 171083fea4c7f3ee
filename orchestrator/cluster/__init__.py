"""The cluster: what its file must say, and what this machine and a running cluster must have."""

from orchestrator.cluster.check import FORM, RULES, Checked, Finding, check_file, check_tree

__all__ = ["FORM", "RULES", "Checked", "Finding", "check_file", "check_tree"]
