"""The rules between data whose images show several classes and the objective."""

from trainables.config.data import KINDS_WITH_SEVERAL_LABELS, DataConfig
from trainables.config.objective import BinaryContrastive, BinaryCrossEntropy, ObjectiveConfig

_ONE_LABEL_TERMS = {
    "divergence": "weight",
    "sliced_wasserstein": "weight",
    "guidance": "weight",
    "cutmix": "probability",
    "dfr": "fit_on",
}
"""The sections that look at one class an image, each with a field by which it is named."""


def check_labels(data: DataConfig, objective: ObjectiveConfig) -> None:
    """Raise ValueError where images have several labels and something in the objective takes one."""
    found = _takes_one_label(objective)
    if found and data.kind in KINDS_WITH_SEVERAL_LABELS:
        raise ValueError(
            f"{' and '.join(found)} {'takes' if len(found) == 1 else 'take'} one label an image, and data.kind = "
            f"{data.kind} has several; set {' and '.join(found.values())}"
        )


def _takes_one_label(objective: ObjectiveConfig) -> dict[str, str]:
    """Return the settings that take one label, as `field = value`, each with the assignment that does not."""
    found: dict[str, str] = {}
    if not isinstance(objective, BinaryCrossEntropy | BinaryContrastive):
        found[f"objective.kind = {objective.kind}"] = "objective.kind=binary_contrastive (or binary_cross_entropy)"
    for name, field in _ONE_LABEL_TERMS.items():
        section = getattr(objective, name, None)
        if section is not None:
            found[f"objective.{name}.{field} = {getattr(section, field)}"] = f"objective.{name}=null"
    if getattr(objective, "class_weights", None) is not None:
        found["objective.class_weights"] = "objective.class_weights=null"
    return found
