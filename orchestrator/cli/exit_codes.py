"""Exit codes that several commands share."""

INTERRUPTED = 130
"""A command that Ctrl-C ended, as in a shell."""
