"""The circuits of background and object: their graphs, nodes and headline numbers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from orchestrator.reports.inspection.inspected_run import InspectedRun
from orchestrator.reports.inspection.numbers import interval, number, percent, signed, whole
from orchestrator.results.formatting import MISSING

PART = "circuits"
KINDS: Mapping[Literal["background", "object"], str] = {
    "background": "The background circuit: the same object before another background",
    "object": "The object circuit: another object before the same background",
}


@dataclass(frozen=True, slots=True)
class ShownCircuit:
    """One circuit of one run."""

    run: str
    graph: str | None
    """An image as a data URI."""
    facts: Mapping[str, Sequence[str]]
    """By name, the value under resample and under mean ablation; a single value belongs to both."""
    nodes: Sequence[Sequence[str]]
    """Stage, channel, score, effect with interval, and loss of faithfulness without it with interval."""
    nothing_to_explain: bool
    """Whether there is no circuit, since the effect may be zero on either half of the pairs."""


def shown_circuit(run: InspectedRun, kind: str) -> ShownCircuit:
    """Return the circuit of that kind."""
    document = run.document(PART, kind)
    return ShownCircuit(
        run.run.name,
        run.image(PART, document["card"]),
        _facts(document),
        [_node(node) for node in document["nodes"]],
        document["size"] is None,
    )


def _facts(document: Mapping[str, Any]) -> dict[str, Sequence[str]]:
    resample, mean = (document["ablations"][name] for name in ("resample", "mean"))
    size, threshold = sum(stage["num_channels"] for stage in document["stages"]), percent(document["threshold"])

    def both(read: str, show: Callable[[float | None], str] = number) -> list[str]:
        return [interval(found[read], show) for found in (resample, mean)]

    def areas(order: str) -> list[str]:
        return [number(found["area"][order]) for found in (resample, mean)]

    return {
        "Effect on the margin": [interval(document["effect"])],
        f"Channels of the circuit, of {size}": [found_size(document["size"], size)],
        "Its faithfulness": both("circuit_faithfulness"),
        f"Channels for {threshold} on the half that measures": both("nodes", whole),
        "Completeness": both("circuit_completeness"),
        "Minimality": [percent(document["minimality"])],
        "Area under the curve": areas("score"),
        "Area in random order": areas("random"),
        "Area by magnitude": areas("magnitude"),
    }


def found_size(size: int | None, num_channels: int) -> str:
    """Return the size of a circuit, also as a share of all channels."""
    return MISSING if size is None else f"{size} ({size / num_channels:.0%})"


def _node(node: Mapping[str, Any]) -> Sequence[str]:
    drop, effect = interval(node["drop"]), interval(node["effect"])
    return f"{node['stage']}, {node['channel']}", signed(node["signed"]), effect, drop
