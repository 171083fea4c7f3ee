"""A circuit as JSON: its graph, its curves, and the pairs that verified it."""

from collections.abc import Sequence
from typing import Any

from trainables.evaluations.circuits.ablation import ABLATIONS
from trainables.evaluations.circuits.circuit import ORDERS, Circuit
from trainables.evaluations.circuits.faithfulness import THRESHOLD, Interval
from trainables.evaluations.circuits.findings import Findings
from trainables.evaluations.circuits.pairs import Kind, Pairs
from trainables.evaluations.circuits.stage_ends import StagedNetwork
from trainables.evaluations.result import Curve

LABELS = {"score": "by score", "random": "random", "magnitude": "by magnitude"}


def document_of(
    kind: Kind,
    network: StagedNetwork,
    circuit: Circuit,
    findings: Findings,
    pairs: Pairs,
    class_names: Sequence[str],
) -> dict[str, Any]:
    """Return all numbers behind the metrics, curves and images of one circuit, in JSON's types."""
    by_ablation = {
        ablation: {
            "nodes": _numbers(findings.nodes[ablation]),
            "curves": {
                order: {
                    "sizes": list(circuit.curves[ablation, order].sizes),
                    "faithfulness": list(findings.curves[ablation, order]),
                }
                for order in ORDERS
            },
            "area": {order: findings.areas[ablation, order] for order in ORDERS},
            "circuit_faithfulness": _numbers(findings.faithfulness[ablation]),
            "circuit_completeness": _numbers(findings.completeness[ablation]),
        }
        for ablation in ABLATIONS
    }
    return {
        "circuit": kind,
        "effect": _numbers(findings.effect),
        "threshold": THRESHOLD,
        "size": circuit.scores.size,
        "size_share": findings.size / network.num_nodes,
        "minimality": findings.minimality,
        "ablations": by_ablation,
        "stages": _stages(network, circuit),
        "nodes": _nodes(network, circuit, findings),
        "edges": _edges(network, circuit),
        "pairs": _pairs(circuit, pairs, class_names),
        "card": kind,
    }


def curves_of(kind: Kind, circuit: Circuit, findings: Findings) -> list[Curve]:
    """Return the faithfulness by size, a chart for each ablation; none where there is nothing to keep."""
    if not findings.effect.low > 0:
        return []
    return [
        Curve(
            chart=f"{kind} circuit, {ablation} ablation",
            name=LABELS[order],
            x_label="nodes kept",
            y_label="faithfulness",
            x=tuple(map(float, circuit.curves[ablation, order].sizes)),
            y=findings.curves[ablation, order],
        )
        for ablation in ABLATIONS
        for order in ORDERS
    ]


def _stages(network: StagedNetwork, circuit: Circuit) -> list[dict[str, Any]]:
    absolute, signed = (network.by_end(each) for each in (circuit.scores.absolute_N, circuit.scores.signed_N))
    return [
        {"name": end.name, "num_channels": end.num_channels, "scores": scores.tolist(), "signed": mean.tolist()}
        for end, scores, mean in zip(network.ends, absolute, signed, strict=True)
    ]


def _nodes(network: StagedNetwork, circuit: Circuit, findings: Findings) -> list[dict[str, Any]]:
    """Return the tested nodes by falling score."""
    return [
        {
            **_node(network, node),
            "score": circuit.scores.absolute_N[node].item(),
            "signed": circuit.scores.signed_N[node].item(),
            "effect": _numbers(effect),
            "drop": _numbers(drop),
        }
        for node, effect, drop in zip(circuit.scores.tested, findings.effects, findings.drops, strict=True)
    ]


def _edges(network: StagedNetwork, circuit: Circuit) -> list[dict[str, Any]]:
    return [
        {"from": _node(network, start), "to": _node(network, end), "score": absolute, "signed": signed}
        for (start, end), (absolute, signed) in circuit.edges.items()
    ]


def _pairs(circuit: Circuit, pairs: Pairs, class_names: Sequence[str]) -> list[dict[str, Any]]:
    rows = zip(
        pairs.ids,
        pairs.partners,
        pairs.labels_P.tolist(),
        pairs.rivals_P.tolist(),
        circuit.full_P.tolist(),
        strict=True,
    )
    return [
        {
            "image": image,
            "partner": partner,
            "class": class_names[label],
            "partner_class": class_names[rival],
            "effect": effect,
        }
        for image, partner, label, rival, effect in rows
    ]


def _node(network: StagedNetwork, node: int) -> dict[str, Any]:
    number, channel = network.places[node]
    return {"stage": network.ends[number].name, "channel": channel}


def _numbers(value: Interval) -> dict[str, float]:
    return value._asdict()
