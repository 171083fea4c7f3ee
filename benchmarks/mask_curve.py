"""How a metric falls as fewer training images have a mask, from a study with all masks and one with shares of them."""

from collections.abc import Mapping
from statistics import fmean, stdev
from typing import Any

from orchestrator.results.formatting import MISSING, format_metric

SHARE = "data.mask_subset.share"
METRIC = "test/worst_group_accuracy"


def mask_table(few: Mapping[str, Any], whole: Mapping[str, Any]) -> str:
    """Return a row for each arm and a column for each share, over the seeds of `few`.

    Args:
        few: The result of a study whose arms `<arm>-<percent>` keep shares of the masks.
        whole: That of the study of the same arms with all masks, and of those that need none.
    """
    seeds = few["study"]["seeds"]
    values = {(arm["arm"], 1.0): _values(arm, seeds) for arm in whole["study"]["arms"]}
    for arm in few["study"]["arms"]:
        if SHARE in arm["changes"]:
            values[arm["arm"].rpartition("-")[0], arm["changes"][SHARE][0]] = _values(arm, seeds)
    shares = sorted({share for _, share in values}, reverse=True)
    arms = dict.fromkeys(arm for arm, share in values if share < 1)
    rows = [[arm, *(_cell(values.get((arm, share), []), len(seeds)) for share in shares)] for arm in arms]
    head = ["arm", *(f"{share:.0%} of the images have a mask" for share in shares)]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---", *["---:"] * len(shares)], *rows])


def _values(arm: Mapping[str, Any], seeds: list[int]) -> list[float]:
    by_seed = arm["figures"][METRIC]["by_seed"]
    return [by_seed[str(seed)] for seed in seeds if str(seed) in by_seed]


def _cell(values: list[float], num_seeds: int) -> str:
    if not values:
        return MISSING
    of = f" (of {len(values)})" if len(values) < num_seeds else ""
    spread = f" ± {format_metric(stdev(values))}" if len(values) > 1 else ""
    return f"{format_metric(fmean(values))}{spread}{of}"
