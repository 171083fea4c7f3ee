"""How much accuracy is lost where something else than the object, such as the background, is uncommon for the class.

Source: Li et al. 2023, "A Whac-A-Mole Dilemma", CVPR, section 5: the gaps of UrbanCars. There the accuracy in
distribution is the mean of the groups' accuracies, weighted as the training set has them.
G groups.
"""

import re
from collections.abc import Sequence

from torch import Tensor

from trainables.metric_names import distinct

_UNSAFE = re.compile(r"[^\w.-]+", re.ASCII)


def group_gaps(accuracies_G: Tensor, uncommon: Sequence[tuple[str, ...]], in_distribution: float) -> dict[str, float]:
    """Return the mean accuracy of the groups in which the same is uncommon, less the accuracy in distribution.

    A gap is named by what is uncommon: `bg`, `co_occur_obj`, `bg_and_co_occur_obj`.

    Args:
        accuracies_G: Accuracy by group, nan where a group has no image.
        uncommon: By group, what is uncommon in it for its class; empty where that is not known.
        in_distribution: The accuracy in distribution; nan gives no gaps.
    """
    known_G = ~accuracies_G.isnan()
    gaps = {}
    several = sorted({names for names in uncommon if names}, key=lambda names: (len(names), names))
    for names, name in zip(several, distinct([" and ".join(names) for names in several], _UNSAFE), strict=True):
        is_in = [mine == names and known for mine, known in zip(uncommon, known_G.tolist(), strict=True)]
        if any(is_in) and in_distribution == in_distribution:
            gaps[name] = accuracies_G[is_in].mean().item() - in_distribution
    return gaps
