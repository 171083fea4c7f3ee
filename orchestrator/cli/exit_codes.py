"""Exit codes that several commands share."""

FAILED = 1
"""A trial, an evaluation or a check failed."""
USAGE_ERROR = 2
"""The command or its config is wrong."""
INTERRUPTED = 130
"""A command that Ctrl-C ended, as in a shell."""
