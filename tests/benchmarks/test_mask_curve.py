"""The table of a metric over the share of training images with a mask."""

from typing import Any

from benchmarks.mask_curve import METRIC, SHARE, mask_table
from orchestrator.results.formatting import MISSING


def arm(name: str, *values: float, share: float | None = None) -> dict[str, Any]:
    shares = {} if share is None else {SHARE: [share, 1]}
    figures = {METRIC: {"by_seed": {str(seed): value for seed, value in enumerate(values)}}}
    return {"arm": name, "changes": shares, "figures": figures}


def result(*arms: dict[str, Any]) -> dict[str, Any]:
    return {"study": {"seeds": [0, 1], "arms": list(arms)}}


def test_each_share_is_a_column_over_the_same_seeds() -> None:
    whole = result(arm("plain", 0.5, 0.5), arm("swap", 0.8, 0.9, 0.1), arm("alone", 0.9, 0.9))
    few = result(
        arm("plain", 0.5, 0.5),
        arm("swap-10", 0.6, 0.8, share=0.1),
        arm("swap-3", 0.5, share=0.03),
        arm("guidance-energy-10", 0.4, 0.4, share=0.1),
    )
    assert mask_table(few, whole).splitlines() == [
        "| arm | 100% of the images have a mask | 10% of the images have a mask | 3% of the images have a mask |",
        "| --- | ---: | ---: | ---: |",
        "| swap | 0.850 ± 0.071 | 0.700 ± 0.141 | 0.500 (of 1) |",
        f"| guidance-energy | {MISSING} | 0.400 ± 0.000 | {MISSING} |",
    ]
