"""What a sweep found, for people: a page to read, and the leaderboard as text."""

from orchestrator.reports.leaderboard import leaderboard_markdown, leaderboard_table
from orchestrator.reports.page import write_report

__all__ = ["leaderboard_markdown", "leaderboard_table", "write_report"]
