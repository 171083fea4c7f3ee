"""What may be called anything by its user."""

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
"""A sweep, a run, a study or an arm: its name is a folder's, or part of one's."""
