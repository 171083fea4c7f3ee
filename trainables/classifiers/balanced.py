"""Subsets of images in which each class and group has as many as every other.

N images, S strata, each of a class and a group, M images of a subset.
"""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from trainables.config import ConfigError

NEEDED = 2
"""Images of each class and group: one to fit to, one to choose the strength by."""
_NUM_NAMED = 3


def check_balance(
    strata_N: Tensor,
    occurring: Iterable[int],
    class_names: Sequence[str],
    group_names: Sequence[str],
    *,
    what: str,
    remedy: str,
) -> None:
    """Raise ConfigError where a class or a group has no image, or the two together less than needed.

    Args:
        strata_N: `label * number of groups + group`; the label alone without groups.
        occurring: The strata of the whole set, also those of which none of the images is left.
        class_names: Names by label.
        group_names: Names by group; empty without groups.
        what: The setting and the images, such as `objective.dfr.fit_on = training balances training images`.
        remedy: What to do.
    """
    num_groups = max(1, len(group_names))
    labels_N, groups_N = strata_N // num_groups, strata_N % num_groups
    counts_S = torch.bincount(strata_N, minlength=len(class_names) * num_groups).tolist()
    few = [f"class {name}: 0" for label, name in enumerate(class_names) if not (labels_N == label).any()]
    few += [f"group {name}: 0" for group, name in enumerate(group_names) if not (groups_N == group).any()]
    for stratum in sorted(set(occurring)):
        label, group = divmod(stratum, num_groups)
        if counts_S[stratum] < NEEDED and (labels_N == label).any() and (groups_N == group).any():
            where = f" in group {group_names[group]}" if group_names else ""
            few.append(f"class {class_names[label]}{where}: {counts_S[stratum]}")
    if few:
        more = f" and {len(few) - _NUM_NAMED} more" if len(few) > _NUM_NAMED else ""
        kind = "class and group" if group_names else "class"
        raise ConfigError(
            f"{what} and needs {NEEDED} of each {kind}; found {'; '.join(few[:_NUM_NAMED])}{more}; {remedy}"
        )


def subset_size(strata_N: Tensor, most: int | None) -> int:
    """Return how many images a subset has of each stratum: those of the smallest one, and `most` at most."""
    counts_S = torch.bincount(strata_N)
    smallest = int(counts_S[counts_S > 0].min())
    return smallest if most is None else min(most, smallest)
