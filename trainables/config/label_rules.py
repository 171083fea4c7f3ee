"""The rules between data whose images show several classes and the objective."""

from typing import TYPE_CHECKING

from trainables.config.data import KINDS_WITH_SEVERAL_LABELS
from trainables.config.objective import BinaryContrastive, BinaryCrossEntropy, ObjectiveConfig

if TYPE_CHECKING:
    from trainables.config.experiment import ExperimentConfig

_PARTS = {"divergence": "weight", "sliced_wasserstein": "weight", "cutmix": "probability"}
"""The parts of an objective that look at one class an image, each with the field that says how much."""


def check_labels(config: "ExperimentConfig") -> None:
    """Raise ValueError where the data have several labels an image and something of the objective takes one."""
    found = _takes_one_label(config.objective)
    if found and config.data.kind in KINDS_WITH_SEVERAL_LABELS:
        raise ValueError(
            f"{' and '.join(found)} {'takes' if len(found) == 1 else 'take'} one label an image, and data.kind = "
            f"{config.data.kind} has several; set {' and '.join(found.values())}"
        )


def _takes_one_label(objective: ObjectiveConfig) -> dict[str, str]:
    """Return what of an objective takes one label, as `field = value`, each with the assignment that does not."""
    found: dict[str, str] = {}
    if not isinstance(objective, BinaryCrossEntropy | BinaryContrastive):
        found[f"objective.kind = {objective.kind}"] = "objective.kind=binary_contrastive (or binary_cross_entropy)"
    for name, field in _PARTS.items():
        part = getattr(objective, name, None)
        if part is not None:
            found[f"objective.{name}.{field} = {getattr(part, field)}"] = f"objective.{name}=null"
    return found
