"""Stages of the backbone that an epoch leaves as they are."""

from trainables.config import Freeze
from trainables.models import Stage


class FrozenStages:
    """The first stages of a network, which take no gradient at first, or never; their norms stay in eval mode.

    Args:
        freeze: How many, and for how long; None freezes none.
        stages: All stages of the network.
    """

    def __init__(self, freeze: Freeze | None, stages: list[Stage]) -> None:
        self._stages: list[Stage] = []
        if freeze is not None:
            self._stages = stages if freeze.stages == "all" else stages[: freeze.stages]
        # Not those that the network itself leaves out.
        self._parameters = [each for stage in self._stages for each in stage.parameters if each.requires_grad]
        self._epochs = None if freeze is None else freeze.epochs
        self._are_frozen = False

    def begin(self, epoch: int) -> bool:
        """Freeze or thaw the stages for `epoch`; return whether that is a change."""
        before, self._are_frozen = self._are_frozen, self._epochs is None or epoch <= self._epochs
        for parameter in self._parameters:
            parameter.requires_grad_(not self._are_frozen)
        return bool(self._stages) and self._are_frozen != before

    def eval_mode(self) -> None:
        """Let frozen stages normalise by their stored statistics, and drop nothing."""
        for stage in self._stages if self._are_frozen else ():
            for module in (*stage.modules, *stage.others):
                module.eval()
