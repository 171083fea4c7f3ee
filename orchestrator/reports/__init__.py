"""What runs and sweeps found, for people: pages to read, and the leaderboard as text."""

from orchestrator.reports.leaderboard import leaderboard_markdown, leaderboard_table
from orchestrator.reports.report import write_report
from orchestrator.reports.run_comparison import comparison_document, evaluation_section, write_comparison
from orchestrator.results.evaluated import read_run

__all__ = [
    "comparison_document",
    "evaluation_section",
    "leaderboard_markdown",
    "leaderboard_table",
    "read_run",
    "write_comparison",
    "write_report",
]
