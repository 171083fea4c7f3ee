"""What the ablations say of a circuit, each number with an interval over couples where it has one.

P pairs, S sizes, M tested nodes.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from trainables.evaluations.circuits.ablation import ABLATIONS, Ablation
from trainables.evaluations.circuits.circuit import Circuit, Order
from trainables.evaluations.circuits.faithfulness import (
    NOTHING,
    Interval,
    area,
    even,
    faithfulness,
    sizes_needed,
)
from trainables.evaluations.circuits.pairs import KINDS, Kind
from trainables.evaluations.result import Metrics


@dataclass(frozen=True)
class Findings:
    """Where the margin does not fall beyond noise there is nothing to keep, and all but the effects is nan.

    Where it does on these pairs, but not on those that circuits are found on, what is of the circuit is nan.
    """

    effect: Interval
    """By how much the margin falls from clean to corrupt."""
    size: float
    """Nodes of the circuit, chosen on the pairs that it is found on."""
    nodes: Mapping[Ablation, Interval]
    """Nodes at which the faithfulness first is 0.8 on these pairs, of the sizes of the curve."""
    curves: Mapping[tuple[Ablation, Order], tuple[float, ...]]
    """Faithfulness at the sizes of the circuit's curve."""
    areas: Mapping[tuple[Ablation, Order], float]
    faithfulness: Mapping[Ablation, Interval]
    """Of the circuit."""
    completeness: Mapping[Ablation, Interval]
    """1 minus the faithfulness of the rest, with the circuit ablated."""
    effects: tuple[Interval, ...]
    """By how much the margin falls where one tested node of the whole network is ablated."""
    drops: tuple[Interval, ...]
    """By how much the circuit's faithfulness falls without the node."""
    minimality: float
    """Share of the tested nodes with a fall above 0, by its interval."""


def findings_of(circuit: Circuit) -> Findings:
    """Compute the numbers, by one set of bootstrap resamples."""
    full_P, resamples = circuit.full_P, circuit.resamples
    effect = resamples.mean(full_P)
    if not effect.low > 0:
        full_P = torch.full_like(full_P, torch.nan)

    def ratio(effects_P: Tensor) -> Interval:
        value_1, values_R = (
            faithfulness(effects_P[None], full_P, weights)[:, 0]
            for weights in (even(len(full_P)), resamples.weights_RP)
        )
        return NOTHING if value_1.isnan() else resamples.interval(value_1[0], values_R)

    def height(effects_SP: Tensor) -> Tensor:
        return faithfulness(effects_SP, full_P, even(len(full_P)))[0]

    tests = circuit.tests
    drops = tuple(ratio(tests.kept["resample"] - without_P) for without_P in tests.without_MP)
    return Findings(
        effect=effect,
        size=math.nan if circuit.scores.size is None else float(circuit.scores.size),
        nodes={ablation: _nodes(circuit, ablation, full_P) for ablation in ABLATIONS},
        curves={key: tuple(height(curve.effects_SP).tolist()) for key, curve in circuit.curves.items()},
        areas={key: area(height(curve.at(circuit.sizes)), circuit.sizes) for key, curve in circuit.curves.items()},
        faithfulness={ablation: ratio(tests.kept[ablation]) for ablation in ABLATIONS},
        completeness={ablation: ratio(full_P - tests.rest[ablation]) for ablation in ABLATIONS},
        effects=tuple(resamples.mean(circuit.full_P - single_P) for single_P in tests.single_MP),
        drops=drops,
        minimality=sum(drop.low > 0 for drop in drops) / len(drops) if drops else math.nan,
    )


def _nodes(circuit: Circuit, ablation: Ablation, full_P: Tensor) -> Interval:
    sizes, effects_SP = circuit.curves[ablation, "score"]
    value_1, values_R = (
        sizes_needed(faithfulness(effects_SP, full_P, weights), sizes)
        for weights in (even(len(full_P)), circuit.resamples.weights_RP)
    )
    return NOTHING if value_1.isnan() else circuit.resamples.interval(value_1[0], values_R)


def metrics_of(kind: Kind, findings: Findings) -> Metrics:
    """Return the metrics of one circuit; where an ablation is not named it is resampling."""
    nodes, areas = findings.nodes["resample"], findings.areas
    values = {
        "effect": findings.effect.value,
        "nodes": findings.size,
        "nodes_verified": nodes.value,
        "nodes_verified_low": nodes.low,
        "nodes_verified_high": nodes.high,
        "nodes_verified_mean": findings.nodes["mean"].value,
        "area": areas["resample", "score"],
        "area_mean": areas["mean", "score"],
        "area_random": areas["resample", "random"],
        "area_magnitude": areas["resample", "magnitude"],
        "faithfulness": findings.faithfulness["resample"].value,
        "completeness": findings.completeness["resample"].value,
        "minimality": findings.minimality,
    }
    return {f"circuits/{kind}_{name}": value for name, value in values.items()}


def share_of(findings: Mapping[Kind, Findings]) -> Metrics:
    """Return the background's share of both effects, negative ones counted as 0; nan where both may be noise."""
    effects = {kind: findings[kind].effect for kind in KINDS}
    if not any(effect.low > 0 for effect in effects.values()):
        return {"circuits/background_share": math.nan}
    sizes = {kind: max(effect.value, 0.0) for kind, effect in effects.items()}
    return {"circuits/background_share": sizes["background"] / sum(sizes.values())}
