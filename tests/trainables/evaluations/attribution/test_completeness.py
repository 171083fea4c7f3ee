import pytest
import torch

from tests.trainables.evaluations.attribution.networks import make_images, small_network
from trainables.config.suite import AttributionSuite, MapName
from trainables.evaluations.attribution.completeness import COMPLETE, completeness_gaps
from trainables.evaluations.attribution.maps import MAPS
from trainables.evaluations.plain_logits import frozen

IMAGES = make_images(4)
SIZE = IMAGES.shape[1:]
SETTINGS = AttributionSuite(integration_steps=100)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("name", "tolerance"), [(name, 4e-3 if "grad" in name else 1e-6) for name in COMPLETE])
def test_maps_add_up(name: MapName, tolerance: float, bias: bool) -> None:
    model = small_network(bias=bias)
    with frozen(model):
        logits = model(IMAGES).logits
        maps = MAPS[name](model, IMAGES, logits.argmax(1), SETTINGS)
    assert completeness_gaps(name, model, logits, maps, SIZE).max() < tolerance
    assert completeness_gaps(name, model, logits, 1.5 * maps, SIZE).max() > tolerance


@pytest.mark.parametrize(
    ("name", "expected"),
    [("hirescam", 3.0 - 1.0), ("contrastive", 2.0 - 3.0), ("class_reconstructed", 2.0 - (2.0 - 1.0 + 3.0) / 3)],
)
def test_gaps_by_hand(name: MapName, expected: float) -> None:
    """Logits 3, 0, 2 less the biases 1, 1, -1 are 2, -1, 3; the class of the highest other logit is 2."""
    model = small_network()
    with torch.no_grad():
        model.head.bias.copy_(torch.tensor([1.0, 1.0, -1.0]))
    logits = torch.tensor([[3.0, 0.0, 2.0]])
    assert completeness_gaps(name, model, logits, torch.zeros(1, 2, 2), SIZE).item() == pytest.approx(abs(expected))
    all_there = torch.full((1, 2, 2), expected / 4)
    assert completeness_gaps(name, model, logits, all_there, SIZE).item() == pytest.approx(0, abs=1e-6)


def test_integrated_gradients_account_for_the_rise_from_black() -> None:
    model = small_network()
    logits = torch.tensor([[9.0, 0.0, 2.0]])
    black = model(torch.zeros(1, 3, 8, 8)).logits[0, 0].item()
    gaps = completeness_gaps("integrated_gradients", model, logits, torch.zeros(1, 8, 8), SIZE)
    assert gaps.item() == pytest.approx(9.0 - black)
