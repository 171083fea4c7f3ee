"""GroupDRO in training: the weights of groups, which every step changes.

B images, G groups, N training images.
"""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from trainables.config import ConfigError
from trainables.config import GroupDro as GroupDroConfig
from trainables.data import Batch, Grouped, ImageSet
from trainables.losses import first_log_weights, group_sums, image_weights, next_log_weights
from trainables.metric_names import distinct
from trainables.training.gathering import sum_over_workers
from trainables.trial_folder import Row

_UNSAFE = re.compile(r"[^\w.=-]+")


class GroupDro:
    """Weighs the images of a batch by the losses of their groups; all workers have the same weights.

    Args:
        config: Its settings.
        train: The training images.

    Raises:
        ConfigError: They are all of one group.
    """

    def __init__(self, config: GroupDroConfig, train: ImageSet) -> None:
        assert isinstance(train, Grouped), "the config refuses data without groups"
        groups_N = train.groups()
        assert groups_N is not None, "training images belong to groups where the data have any"
        num_G = groups_N.bincount(minlength=len(train.group_names))
        if (num_G > 0).sum() < 2:
            raise ConfigError(
                f"objective.group_dro has no effect: all {len(groups_N)} training images are of one group, "
                f"{train.group_names[int(groups_N[0])]}; set it to null, or take data with several groups"
            )
        self._step_size = config.step_size
        self._names = train.group_names
        self._groups_N = groups_N
        self._log_weights_G = first_log_weights(num_G)

    def weigh(self, terms: Mapping[str, Tensor], batch: Batch, world_size: int) -> dict[str, Tensor]:
        """Return the terms, of shape B, by the new weights of groups; all workers call it together in each step."""
        assert batch.indices_B is not None, "training images are of a data set"
        self._to(batch.images_BCHW.device)
        groups_B = self._groups_N[batch.indices_B]
        losses_B = torch.stack([term_B.detach() for term_B in terms.values()]).sum(0)
        sums_2G = sum_over_workers(group_sums(losses_B, groups_B, len(self._names)), world_size)
        self._log_weights_G = next_log_weights(self._log_weights_G, sums_2G, step_size=self._step_size)
        weights_B = image_weights(self._log_weights_G, sums_2G, groups_B)
        return {name: weights_B * term_B for name, term_B in terms.items()}

    def _to(self, device: torch.device) -> None:
        self._groups_N, self._log_weights_G = self._groups_N.to(device), self._log_weights_G.to(device)

    def metrics(self) -> Row:
        """Return the weight of each group by its name."""
        weights = zip(distinct(self._names, _UNSAFE), self._log_weights_G.exp().tolist(), strict=True)
        return {f"train/group_dro/{name}": weight for name, weight in weights}

    def state(self) -> dict[str, Tensor]:
        """Return what a checkpoint holds of it."""
        return {"log_weights": self._log_weights_G}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a checkpoint; ValueError where its groups are others."""
        if state["log_weights"].shape != self._log_weights_G.shape:
            raise ValueError(f"weights of {len(state['log_weights'])} groups, and there are {len(self._names)}")
        self._log_weights_G = state["log_weights"]
