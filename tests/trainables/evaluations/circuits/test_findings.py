"""What is said of circuits that one half of the pairs finds and the other does not have."""

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from tests.trainables.evaluations.circuits.planted import NUM_NODES, planted_images, planted_network
from tests.trainables.evaluations.conftest import context_of
from trainables.evaluations.circuits.ablation import Experiment
from trainables.evaluations.circuits.circuit import Circuit, find_circuit
from trainables.evaluations.circuits.drawings import draw_graph
from trainables.evaluations.circuits.faithfulness import Interval
from trainables.evaluations.circuits.findings import Findings, findings_of, metrics_of, share_of
from trainables.evaluations.circuits.pairs import Pairs, make_halves
from trainables.evaluations.circuits.stage_ends import StagedNetwork
from trainables.evaluations.masked_sample import masked_sample

NETWORK = StagedNetwork.of(planted_network(), torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0)))


def found_on(change: Callable[[Pairs], torch.Tensor]) -> tuple[Circuit, Findings]:
    """Return the background circuit found on pairs with other corrupt images, verified on those as they are."""
    context = context_of(planted_network(), planted_images())
    halves = make_halves(context, masked_sample(context))
    found = replace(halves.found, corrupt={**halves.found.corrupt, "background": change(halves.found)})
    experiment = Experiment.of(context, NETWORK, "background", found)
    circuit = find_circuit(
        experiment, halves._replace(found=found), torch.Generator().manual_seed(0), tick=lambda: None
    )
    return circuit, findings_of(circuit)


@pytest.fixture(scope="module")
def findings() -> Findings:
    return found_on(lambda found: found.corrupt["background"])[1]


def test_where_half_of_the_pairs_find_no_circuit_nothing_is_said_of_it() -> None:
    """Clean and corrupt are the same there, so all nodes together would keep all and leave nothing."""
    circuit, findings = found_on(lambda found: found.clean_PCHW)
    metrics = metrics_of("background", findings)
    for name in ("nodes", "faithfulness", "completeness", "minimality"):
        assert math.isnan(metrics[f"circuits/background_{name}"]), name
    assert circuit.scores.tested == []
    assert metrics["circuits/background_nodes_verified"] <= NUM_NODES
    assert draw_graph("background", NETWORK, circuit, findings).width > 0


def test_a_circuit_has_the_size_that_it_was_found_with() -> None:
    """Pairs that differ in the object find its circuit, of two nodes, which keeps nothing of the background."""
    _, findings = found_on(lambda found: found.corrupt["object"])
    metrics = metrics_of("background", findings)
    assert metrics["circuits/background_nodes"] == 2
    assert metrics["circuits/background_faithfulness"] == pytest.approx(0, abs=1e-5)
    assert metrics["circuits/background_completeness"] == pytest.approx(0, abs=1e-5)
    assert metrics["circuits/background_nodes_verified"] > 2


@pytest.mark.parametrize(
    ("background", "object_", "expected"),
    [
        ((1.0, 0.5, 1.5), (3.0, 2.0, 4.0), 0.25),
        ((1.0, -0.5, 1.5), (3.0, 2.0, 4.0), 0.25),
        ((-1.0, -2.0, -0.5), (3.0, 2.0, 4.0), 0.0),
        ((1.0, 0.5, 1.5), (-0.5, -1.0, 0.5), 1.0),
        ((1.0, -0.5, 2.5), (0.5, 0.0, 1.0), math.nan),
    ],
)
def test_the_share_is_of_effects_of_which_one_at_least_is_beyond_noise(
    findings: Findings,
    background: tuple[float, float, float],
    object_: tuple[float, float, float],
    expected: float,
) -> None:
    effects = {"background": Interval(*background), "object": Interval(*object_)}
    share = share_of({kind: replace(findings, effect=effect) for kind, effect in effects.items()})  # type: ignore[misc]
    assert share == {"circuits/background_share": pytest.approx(expected, nan_ok=True)}
