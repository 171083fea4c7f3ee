"""Accuracy under corruptions of the image: noise, blur, light and lost detail."""

from trainables.evaluations.corruption.corruption import CORRUPTION

__all__ = ["CORRUPTION"]
