import numpy as np
import pytest
import torch
from torch import Tensor

from tests.trainables.evaluations.attribution.networks import make_images
from trainables.evaluations.attribution.sensitivity import max_sensitivities
from trainables.evaluations.seeds import generator

IMAGES = make_images(3)
TARGETS = torch.tensor([0, 1, 2])
RADIUS = 0.05


def channel(images_BCHW: Tensor, targets_B: Tensor) -> Tensor:
    """Explain a class by its channel."""
    return images_BCHW[torch.arange(len(targets_B)), targets_B]


def sensitivities(images: Tensor = IMAGES, targets: Tensor = TARGETS, first: int = 0, num_draws: int = 4) -> Tensor:
    return max_sensitivities(
        channel,
        images,
        targets,
        channel(images, targets),
        radius=RADIUS,
        num_draws=num_draws,
        generators=[generator(0, f"image {first + index}") for index in range(len(images))],
    )


def draws(index: int, num_draws: int) -> list[Tensor]:
    own = generator(0, f"image {index}")
    return [RADIUS * (2 * torch.rand(3 * 8 * 8, generator=own).view(3, 8, 8) - 1) for _ in range(num_draws)]


@pytest.mark.parametrize("num_draws", [1, 4])
def test_by_the_formula(num_draws: int) -> None:
    """Here `a(x + n) - a(x)` is the noise of the target's channel."""
    result = sensitivities(num_draws=num_draws)
    for index in range(3):
        changes = [noise[index].norm() for noise in draws(index, num_draws)]
        assert result[index].item() == pytest.approx(max(changes).item() / IMAGES[index, index].norm().item(), rel=1e-5)


def test_parity_with_a_direct_call() -> None:
    import quantus

    noise = [torch.stack([draws(index, 4)[draw] for index in range(3)]).flatten(1).numpy() for draw in range(4)]
    direct = quantus.MaxSensitivity(
        nr_samples=4, perturb_func=lambda arr, **_: arr + noise.pop(0), disable_warnings=True
    )(
        model=None,
        x_batch=IMAGES.numpy(),
        y_batch=TARGETS.numpy(),
        a_batch=channel(IMAGES, TARGETS).unsqueeze(1).numpy(),
        explain_func=lambda inputs, targets, **_: (
            channel(torch.from_numpy(inputs), torch.from_numpy(targets)).unsqueeze(1).numpy()
        ),
        channel_first=True,
    )
    assert sensitivities().tolist() == pytest.approx([float(value) for value in direct], rel=1e-6)


def test_a_constant_explanation_is_not_sensitive() -> None:
    constant = torch.full((3, 8, 8), -0.5)
    result = max_sensitivities(
        lambda images, _: constant[: len(images)],
        IMAGES,
        TARGETS,
        constant,
        radius=RADIUS,
        num_draws=2,
        generators=[torch.Generator() for _ in range(3)],
    )
    assert result.tolist() == [0.0, 0.0, 0.0]


def test_the_batch_does_not_matter() -> None:
    together = sensitivities()
    alone = [sensitivities(IMAGES[i : i + 1], TARGETS[i : i + 1], first=i).item() for i in range(3)]
    assert together.tolist() == pytest.approx(alone, rel=1e-6)


def test_an_empty_map_has_no_value_and_spoils_no_other() -> None:
    images = IMAGES.clone()
    images[1, 1] = 0
    result = sensitivities(images)
    assert result.isnan().tolist() == [False, True, False]
    assert result[[0, 2]].tolist() == sensitivities()[[0, 2]].tolist()
    assert sensitivities(0 * IMAGES).isnan().all()
    assert sensitivities(IMAGES[:0], TARGETS[:0]).shape == (0,)


def test_global_generators_and_arguments_stay_as_they_are() -> None:
    images = IMAGES.clone()
    before, torch_before = np.random.get_state(), torch.get_rng_state()
    assert sensitivities(images).tolist() == sensitivities(images).tolist()
    after = np.random.get_state()
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    assert torch.equal(torch.get_rng_state(), torch_before)
    assert torch.equal(images, IMAGES)
