"""What a training is given besides images and labels."""

from typing import Literal

from trainables.config.data import without_masks
from trainables.config.experiment import ExperimentConfig
from trainables.config.objective import mask_needs

Supervision = Literal["masks", "groups"]


def supervision(config: ExperimentConfig) -> tuple[Supervision, ...]:
    """Return which of masks and groups the training of `config` uses; neither counts where only validation does."""
    objective, dfr = config.objective, getattr(config.objective, "dfr", None)
    mixes_by_masks = getattr(objective, "cutmix", None) is not None and without_masks(config.data) is None
    found: dict[Supervision, bool] = {
        "masks": bool(mask_needs(objective)) or mixes_by_masks,
        "groups": getattr(objective, "group_dro", None) is not None
        or config.training.sampling == "group_balanced"
        or (dfr is not None and dfr.needs_groups),
    }
    return tuple(name for name, is_used in found.items() if is_used)
