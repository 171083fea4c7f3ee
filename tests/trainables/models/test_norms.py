"""Norms against hand-worked values, torch's own, and a loop in float64."""

import math
import shutil

import pytest
import torch
from torch import Tensor, nn

from tests.trainables.models.networks import fresh_model, images_of
from trainables.models.norms import NORMS, AcrossLastDimension, DynamicTanh, StoredNorm, make_norm, scale_to_noise


def maps(*, batch: int = 3, channels: int = 4, seed: int = 0) -> Tensor:
    return torch.randn(batch, channels, 5, 6, generator=torch.Generator().manual_seed(seed)) * 3 + 1


def trained_batch_norm() -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(4)
    with torch.no_grad():
        norm.weight.uniform_(0.5, 2, generator=torch.Generator().manual_seed(2))
        norm.bias.uniform_(-1, 1, generator=torch.Generator().manual_seed(3))
    for seed in range(3):
        norm(maps(seed=seed))
    return norm


@pytest.mark.parametrize("kind", ["frozen", "running"])
def test_takes_up_the_state_of_a_batch_norm_and_equals_it_in_eval_mode(kind: str) -> None:
    batch_norm = trained_batch_norm()
    norm = make_norm(kind, 4)
    norm.load_state_dict(batch_norm.state_dict())
    torch.testing.assert_close(norm.eval()(maps(seed=9)), batch_norm.eval()(maps(seed=9)))


def test_frozen_normalises_by_what_is_stored_in_train_mode_too() -> None:
    norm = StoredNorm(2, eps=0.25, momentum=None).train()
    with torch.no_grad():
        norm.running_mean.copy_(torch.tensor([1.0, -2.0]))
        norm.running_var.copy_(torch.tensor([2.0, 0.75]))
        norm.weight.copy_(torch.tensor([3.0, 1.0]))
        norm.bias.copy_(torch.tensor([0.0, 5.0]))
    x_BCHW = torch.tensor([[[[1.0, 2.5]], [[0.0, -3.0]]]])
    # 3 (x - 1) / sqrt(2.25), and (x + 2) / sqrt(1) + 5
    torch.testing.assert_close(norm(x_BCHW), torch.tensor([[[[0.0, 3.0]], [[7.0, 4.0]]]]))


def test_frozen_never_changes_its_statistics_and_trains_scale_and_shift() -> None:
    norm = make_norm("frozen", 4).train()
    norm.load_state_dict(trained_batch_norm().state_dict())
    before = {name: buffer.clone() for name, buffer in norm.named_buffers()}
    norm(maps(seed=9)).square().sum().backward()
    for name, buffer in norm.named_buffers():
        torch.testing.assert_close(buffer, before[name], rtol=0, atol=0)
    assert {name for name, parameter in norm.named_parameters() if parameter.grad is not None} == {"weight", "bias"}


@pytest.mark.parametrize("batch", [3, 16], ids=["few images", "enough images"])
def test_running_follows_the_batches_before(batch: int) -> None:
    num_values = batch * 30
    norm = make_norm("running", 4, momentum=0.1).train()
    mean_C: list[float] | None = None
    var_C: list[float] = []
    for seed in range(4):
        x_BCHW = maps(batch=batch, seed=seed)
        wide_BCHW = x_BCHW.double()
        means = [wide_BCHW[:, channel].sum().item() / num_values for channel in range(4)]
        variances = [
            sum((value - means[channel]) ** 2 for value in wide_BCHW[:, channel].flatten().tolist()) / (num_values - 1)
            for channel in range(4)
        ]
        if mean_C is None:
            mean_C, var_C = (means, variances) if batch == 16 else of_all_channels(means, variances)
        expected = [
            (wide_BCHW[:, channel] - mean_C[channel]) / math.sqrt(var_C[channel] + 1e-5) for channel in range(4)
        ]
        torch.testing.assert_close(norm(x_BCHW).double(), torch.stack(expected, 1), rtol=1e-5, atol=1e-5)
        mean_C = [0.9 * old + 0.1 * new for old, new in zip(mean_C, means, strict=True)]
        var_C = [0.9 * old + 0.1 * new for old, new in zip(var_C, variances, strict=True)]
    torch.testing.assert_close(norm.running_mean, torch.tensor(mean_C))
    torch.testing.assert_close(norm.running_var, torch.tensor(var_C))
    assert norm.num_batches_tracked == 4


def of_all_channels(means: list[float], variances: list[float]) -> tuple[list[float], list[float]]:
    """Return one mean and variance for all; the variance within channels is unbiased, that between them is not."""
    mean = sum(means) / 4
    between = sum((channel_mean - mean) ** 2 for channel_mean in means) / 4
    return [mean] * 4, [sum(variances) / 4 + between] * 4


@pytest.mark.parametrize(
    ("batch", "side", "is_own"), [(16, 2, True), (15, 9, False), (21, 1, False), (63, 1, False), (64, 1, True)]
)
def test_a_channel_has_its_own_first_statistics_from_sixteen_images_and_sixty_four_values_on(
    batch: int, side: int, is_own: bool
) -> None:
    norm = make_norm("running", 2, momentum=0.5).train()
    x_BCHW = torch.randn(batch, 2, side, side, generator=torch.Generator().manual_seed(0)) + torch.tensor(
        [[[5.0]], [[-5.0]]]
    )
    means = norm(x_BCHW).mean((0, 2, 3))
    assert (means.abs().max() < 1e-5) == is_own


def test_running_gives_a_new_image_the_scale_of_a_first_batch_whose_images_agree() -> None:
    norm = make_norm("running", 4).train()
    agreeing_BCHW = maps(batch=1).expand(2, 4, 5, 6)[..., :1, :1]
    norm(agreeing_BCHW)
    assert norm.eval()(maps(batch=1, seed=1)).abs().max() < 10  # Dividing by sqrt(eps) would give hundreds.


def test_running_refuses_one_value_a_channel_and_leaves_its_statistics() -> None:
    norm = make_norm("running", 4).train()
    with pytest.raises(ValueError, match=r"norm = running .* one value a channel in a map 1x4x1x1; take two images"):
        norm(torch.ones(1, 4, 1, 1))
    assert norm.running_mean.tolist() == [0] * 4
    assert norm.running_var.tolist() == [1] * 4
    assert norm.eval()(torch.ones(1, 4, 1, 1)).isfinite().all()


def test_running_keeps_loaded_statistics_for_its_first_batch() -> None:
    norm = make_norm("running", 4).train()
    batch_norm = trained_batch_norm()
    norm.load_state_dict(batch_norm.state_dict())
    torch.testing.assert_close(norm(maps(seed=9)), batch_norm.eval()(maps(seed=9)))


@pytest.mark.parametrize("kind", NORMS)
def test_gradients_in_eval_mode(kind: str) -> None:
    norm = make_norm(kind, 4).double().eval()
    x_BCHW = maps(batch=2).double()[..., :2, :2].requires_grad_()
    assert torch.autograd.gradcheck(norm, (x_BCHW,))


@pytest.mark.parametrize("kind", ["frozen", "running", "group", "dynamic_tanh"])
def test_an_image_does_not_depend_on_its_batch(kind: str) -> None:
    norm = make_norm(kind, 4).train()
    norm(maps(seed=1))
    alone, together = (norm(maps(seed=2)[:num])[0] for num in (1, 3)) if kind != "running" else running_twice(norm)
    torch.testing.assert_close(alone, together)


def running_twice(norm: nn.Module) -> tuple[Tensor, Tensor]:
    """Return an image normalised alone and with others, each by the statistics that `norm` has now."""
    state = {name: tensor.clone() for name, tensor in norm.state_dict().items()}
    alone = norm(maps(seed=2)[:1])[0]
    norm.load_state_dict(state)
    return alone, norm(maps(seed=2))[0]


@pytest.mark.parametrize(("kind", "is_coupled"), [("batch", True), ("running", False), ("group", False)])
def test_pixels_of_another_image_have_a_gradient_with_batch_norm_alone(kind: str, is_coupled: bool) -> None:
    model = fresh_model("resnet18", cam_stride=8, norm=kind).train()
    images = images_of(32).requires_grad_()
    (gradient,) = torch.autograd.grad(model(images).features[0].square().sum(), images)
    assert gradient[0].abs().max() > 0
    assert (gradient[1].abs().max() > 0) == is_coupled


@pytest.mark.parametrize(("channels", "groups"), [(64, 32), (48, 16), (7, 1), (24, 8)])
def test_groups_divide_the_channels(channels: int, groups: int) -> None:
    norm = make_norm("group", channels)
    assert isinstance(norm, nn.GroupNorm)
    assert norm.num_groups == groups
    x_BCHW = maps(channels=channels)
    by_group = x_BCHW.reshape(3, groups, -1)
    scaled = (by_group - by_group.mean(2, keepdim=True)) / (by_group.var(2, keepdim=True, correction=0) + 1e-5).sqrt()
    torch.testing.assert_close(norm(x_BCHW), scaled.view_as(x_BCHW))


def test_dynamic_tanh_by_hand() -> None:
    norm = DynamicTanh(2)
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([2.0, -1.0]))
        norm.bias.copy_(torch.tensor([0.0, 10.0]))
    x_BCHW = torch.tensor([[[[0.0, 2.0]], [[4.0, -2.0]]]])
    # 2 tanh(0), 2 tanh(1); 10 - tanh(2), 10 - tanh(-1)
    expected = torch.tensor([[[[0.0, 1.5231883]], [[9.0359724, 10.7615942]]]])
    torch.testing.assert_close(norm(x_BCHW), expected)
    assert [name for name, _ in norm.named_parameters()] == ["alpha", "weight", "bias"]


def test_alphas_are_scaled_one_after_the_other_to_what_they_see_of_noise() -> None:
    convs = [nn.Conv2d(3, 3, kernel_size=1, bias=False) for _ in range(2)]
    trunk = nn.Sequential(convs[0], DynamicTanh(3), convs[1], DynamicTanh(3))
    with torch.no_grad():
        convs[0].weight.copy_(100 * torch.eye(3).view(3, 3, 1, 1))
        convs[1].weight.copy_(1e-6 * torch.eye(3).view(3, 3, 1, 1))
    before = torch.get_rng_state()
    scale_to_noise(trunk)
    assert torch.equal(torch.get_rng_state(), before)
    assert trunk.training
    assert trunk[1].alpha.item() == pytest.approx(0.5 / 100, rel=0.01)
    # Of a standard normal x, E tanh^2(x / 2) = 0.1735.
    assert trunk[3].alpha.item() == pytest.approx(0.5 / (1e-6 * math.sqrt(0.1735)), rel=0.01)


@pytest.mark.parametrize("final_relu", [False, True])
def test_no_network_of_dynamic_tanhs_is_dead_at_the_start(final_relu: bool) -> None:
    model = fresh_model("efficientnet_v2_s", norm="dynamic_tanh", final_relu=final_relu)
    features_BFHW = model.eval()(images_of(64)).features
    assert features_BFHW.std((0, 2, 3)).mean() > 1e-2


def test_across_the_last_dimension() -> None:
    norm = DynamicTanh(4)
    with torch.no_grad():
        norm.bias.copy_(torch.arange(4.0))
    x_BCHW = maps()
    torch.testing.assert_close(AcrossLastDimension(norm)(x_BCHW.permute(0, 2, 3, 1)).permute(0, 3, 1, 2), norm(x_BCHW))


@pytest.mark.parametrize("kind", NORMS)
def test_runs_under_autocast(kind: str) -> None:
    norm = nn.Sequential(nn.Conv2d(4, 4, 1), make_norm(kind, 4)).train()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs = [norm(maps()) for _ in range(2)]
    torch.stack(outputs).float().square().sum().backward()
    assert all(output.isfinite().all() for output in outputs)
    assert all(buffer.dtype in {torch.float32, torch.long} for buffer in norm.buffers())


@pytest.mark.parametrize("kind", NORMS)
def test_compiles_into_the_same_norm_in_train_mode(kind: str) -> None:
    plain, other = make_norm(kind, 4).train(), make_norm(kind, 4).train()
    compiled = torch.compile(other, backend="aot_eager", fullgraph=True)
    for seed in range(3):
        torch.testing.assert_close(compiled(maps(seed=seed)), plain(maps(seed=seed)))
    for name, tensor in plain.state_dict().items():
        torch.testing.assert_close(other.state_dict()[name], tensor)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a compiler: apt-get install g++")
@pytest.mark.parametrize("kind", NORMS)
def test_compiled_kernels_have_the_same_gradients_step_by_step(kind: str) -> None:
    """Of the maps before the norm too; the statistics move between a step's forward and backward pass."""
    plain, other = (nn.Sequential(nn.Conv2d(4, 4, 1), make_norm(kind, 4)).train() for _ in range(2))
    other.load_state_dict(plain.state_dict())
    torch.compiler.reset()
    compiled = torch.compile(other, fullgraph=True)
    for seed in range(4):
        for network, run in ((plain, plain), (other, compiled)):
            network.zero_grad()
            (run(maps(seed=seed)) ** 3).sum().backward()
        for (name, parameter), expected in zip(other.named_parameters(), plain.parameters(), strict=True):
            assert parameter.grad is not None
            torch.testing.assert_close(parameter.grad, expected.grad, rtol=1e-4, atol=1e-3, msg=f"{name}, step {seed}")
