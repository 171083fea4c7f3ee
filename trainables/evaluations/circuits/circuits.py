"""Which channels carry what the background, and what the object, does to a network's margin.

Nodes are the channels at the end of each stage. They are scored by attribution patching with integrated gradients on
activations (Hanna et al. 2024) and verified by ablation, with the values of the corrupt image and with means: Miller et
al. 2024, "Transformer Circuit Faithfulness Metrics Are Not Robust", find that the two disagree.
P pairs.
"""

from collections.abc import Iterator
from itertools import count

from trainables.evaluations.base import EvalSpec, EvaluationContext
from trainables.evaluations.circuits.ablation import Experiment
from trainables.evaluations.circuits.circuit import NUM_TICKS, Circuit, find_circuit
from trainables.evaluations.circuits.document import curves_of, document_of
from trainables.evaluations.circuits.drawings import draw_graph, draw_pairs
from trainables.evaluations.circuits.faithfulness import RESAMPLES, THRESHOLD
from trainables.evaluations.circuits.findings import findings_of, metrics_of, share_of
from trainables.evaluations.circuits.pairs import KINDS, Halves, Kind, by_couple, make_halves
from trainables.evaluations.circuits.scores import STEPS
from trainables.evaluations.circuits.stage_ends import StagedNetwork
from trainables.evaluations.galleries.class_names import readable_names
from trainables.evaluations.masked_sample import masked_sample
from trainables.evaluations.plain_logits import frozen
from trainables.evaluations.result import EvaluationResult


def _run(context: EvaluationContext) -> EvaluationResult:
    sample = masked_sample(context)
    halves = make_halves(context, sample)
    two_classes_BCHW = halves.found.clean_PCHW[[0, -1]].to(context.device)
    network = StagedNetwork.of(context.model, two_classes_BCHW)
    steps = count(1)
    with frozen(context.model):
        circuits = {kind: _circuit(context, network, halves, kind, steps) for kind in KINDS}
    findings = {kind: findings_of(circuit) for kind, circuit in circuits.items()}
    names, verified = context.data.class_names, halves.verified
    metrics = {name: value for kind in KINDS for name, value in metrics_of(kind, findings[kind]).items()}
    return EvaluationResult(
        metrics | share_of(findings),
        curves=tuple(curve for kind in KINDS for curve in curves_of(kind, circuits[kind], findings[kind])),
        images={kind: draw_graph(kind, network, circuits[kind], findings[kind]) for kind in KINDS}
        | {"pairs": draw_pairs(verified, {kind: circuits[kind].full_P for kind in KINDS}, readable_names(names))},
        settings={**sample.settings, **_settings(network, halves)},
        samples={f"circuits/{kind}_effect": by_couple(verified, circuits[kind].full_P) for kind in KINDS},
        documents={kind: document_of(kind, network, circuits[kind], findings[kind], verified, names) for kind in KINDS},
    )


def _circuit(
    context: EvaluationContext, network: StagedNetwork, halves: Halves, kind: Kind, steps: Iterator[int]
) -> Circuit:
    experiment = Experiment.of(context, network, kind, halves.found)
    return find_circuit(
        experiment,
        halves,
        context.generator(f"circuits {kind}"),
        tick=lambda: context.tick(next(steps), NUM_TICKS * len(KINDS)),
    )


def _settings(network: StagedNetwork, halves: Halves) -> dict[str, object]:
    return {
        "num_without_background": halves.num_without_background,
        "num_pairs_found": len(halves.found),
        "num_pairs_verified": len(halves.verified),
        "stages": [end.name for end in network.ends],
        "stages_left_out": list(network.left_out),
        "num_nodes": network.num_nodes,
        "integration_steps": STEPS,
        "threshold": THRESHOLD,
        "resamples": RESAMPLES,
    }


CIRCUITS = EvalSpec(
    name="circuits",
    category="inside",
    directions={
        "circuits/background_share": "min",
        "circuits/*_effect": None,
        "circuits/*_nodes": None,
        "circuits/*_nodes_verified": None,
        "circuits/*_nodes_verified_low": None,
        "circuits/*_nodes_verified_high": None,
        "circuits/*_nodes_verified_mean": None,
        "circuits/*_area": None,
        "circuits/*_area_mean": None,
        "circuits/*_area_random": None,
        "circuits/*_area_magnitude": None,
        "circuits/*_faithfulness": None,
        "circuits/*_completeness": None,
        "circuits/*_minimality": None,
    },
    run=_run,
    needs=frozenset({"masks"}),
    definition=2,  # 1 had partners that several images shared, and `nodes` of the pairs that it was measured on.
)
