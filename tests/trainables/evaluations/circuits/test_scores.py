"""On a linear network scores are what ablation does, node by node."""

import pytest
import torch
from torch import Tensor, nn

from tests.trainables.evaluations.conftest import linear_classifier
from trainables.evaluations.circuits.ablation import circuit_effects, full_effects
from trainables.evaluations.circuits.pairs import PairBatch
from trainables.evaluations.circuits.scores import edge_scores, magnitudes, node_scores
from trainables.evaluations.circuits.stage_ends import StagedNetwork
from trainables.models import Classifier


def two_stages(*, linear: bool) -> Classifier:
    generator = torch.Generator().manual_seed(0)
    first, second = nn.Conv2d(3, 5, 3, padding=1), nn.Conv2d(5, 4, 3, padding=1)
    trunk = nn.Sequential(first, nn.Identity() if linear else nn.Tanh(), second)
    with torch.no_grad():
        for parameter in trunk.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    model = linear_classifier(torch.randn(3, 4, generator=generator).tolist(), trunk=trunk)
    model.stages = (("0",), ("2",))
    return model


@pytest.fixture
def batch() -> PairBatch:
    generator = torch.Generator().manual_seed(1)
    clean, corrupt = torch.rand(2, 4, 3, 6, 6, generator=generator)
    return PairBatch(clean, corrupt, torch.tensor([0, 1, 2, 0]), torch.tensor([1, 2, 0, 2]))


def patched(network: StagedNetwork, batch: PairBatch) -> Tensor:
    """Return by how much the margin falls where one node has its corrupt value, B x N."""
    without_one = (~torch.eye(network.num_nodes, dtype=torch.bool)).split(1)
    return (full_effects(network, batch) - circuit_effects(network, batch, without_one, None)).T


def test_scores_of_a_linear_network_are_what_patching_does(batch: PairBatch) -> None:
    network = StagedNetwork.of(two_stages(linear=True), batch.clean_BCHW)
    assert [end.num_channels for end in network.ends] == [5, 4]
    torch.testing.assert_close(node_scores(network, batch).double(), patched(network, batch), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("linear", [True, False])
def test_the_scores_of_a_stage_sum_to_the_effect(linear: bool, batch: PairBatch) -> None:
    """As integrated gradients do, to the error of five points where the network is not linear."""
    network = StagedNetwork.of(two_stages(linear=linear), batch.clean_BCHW)
    full_B = full_effects(network, batch)
    for scores_BC in network.by_end(node_scores(network, batch).double()):
        torch.testing.assert_close(scores_BC.sum(1), full_B, rtol=0, atol=1e-4 if linear else 0.02 * full_B.abs().max())


def test_a_nodes_edges_sum_to_its_score(batch: PairBatch) -> None:
    network = StagedNetwork.of(two_stages(linear=True), batch.clean_BCHW)
    edges = [(source, target) for source in range(5) for target in range(5, 9)]
    scores_BE = edge_scores(network, batch, edges)
    torch.testing.assert_close(scores_BE.view(4, 5, 4).sum(2), node_scores(network, batch)[:, :5], rtol=1e-4, atol=1e-4)


def test_an_edge_is_the_path_through_both_nodes(batch: PairBatch) -> None:
    """Only node 6 of the next stage is kept, and only node 2 of this one differs."""
    network = StagedNetwork.of(two_stages(linear=True), batch.clean_BCHW)
    kept = torch.zeros(1, 9, dtype=torch.bool)
    kept[0, [2, 6]] = True
    through_B = circuit_effects(network, batch, [kept], None)[0]
    torch.testing.assert_close(edge_scores(network, batch, [(2, 6)])[:, 0].double(), through_B, rtol=1e-4, atol=1e-4)


def test_magnitudes_are_means_of_absolute_values(batch: PairBatch) -> None:
    model = linear_classifier(torch.eye(3).tolist())
    network = StagedNetwork.of(model, batch.clean_BCHW)
    flipped = batch._replace(clean_BCHW=batch.clean_BCHW * torch.tensor([1.0, -1, 0]).view(3, 1, 1))
    expected = batch.clean_BCHW.mean((2, 3)) * torch.tensor([1.0, 1, 0])
    torch.testing.assert_close(magnitudes(network, flipped), expected)
