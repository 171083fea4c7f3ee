"""Circuits: which channels carry the effect of the background, and which that of the object."""

from trainables.evaluations.circuits.circuits import CIRCUITS

__all__ = ["CIRCUITS"]
