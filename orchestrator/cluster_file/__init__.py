"""The YAML file of a cluster, checked offline."""

from orchestrator.cluster_file.check import FORM, RULES, Checked, Finding, check_file, check_tree

__all__ = ["FORM", "RULES", "Checked", "Finding", "check_file", "check_tree"]
