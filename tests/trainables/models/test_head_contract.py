"""The contract of a head: numbers show which heads keep it, which can be made to, and which cannot."""

import pytest
import torch
from torch import Tensor, nn

from trainables.models.fitted_map import features_of, fit_map
from trainables.models.head_contract import examine_head, relative_gap
from trainables.models.map_layout import MapLayout, UnfitNetworkError, find_layout


class Network(nn.Module):
    """A convolution of 4 features, and a head of which a subclass says what it does."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, kernel_size=4, stride=4)

    def forward_features(self, images: Tensor) -> Tensor:
        features: Tensor = self.conv(images)
        return features


class Mean(Network):
    def forward_head(self, features: Tensor, *, pre_logits: bool) -> Tensor:
        assert pre_logits
        return features.mean((2, 3))


class NormOfMean(Network):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4)

    def forward_head(self, features: Tensor, *, pre_logits: bool) -> Tensor:
        assert pre_logits
        normalised: Tensor = self.norm(features.mean((2, 3)))
        return normalised


class Wider(Network):
    """As a MobileNetV3: a convolution and an activation of the mean."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_head = nn.Conv2d(4, 6, kernel_size=1)

    def forward_head(self, features: Tensor, *, pre_logits: bool) -> Tensor:
        assert pre_logits
        return self.conv_head(features.mean((2, 3), keepdim=True)).relu().flatten(1)


class Maximum(Network):
    def forward_head(self, features: Tensor, *, pre_logits: bool) -> Tensor:
        assert pre_logits
        return features.amax((2, 3))


class Tokens(Network):
    """As a ViT: a class token before those of the cells, of which the head takes the mean."""

    def forward_features(self, images: Tensor) -> Tensor:
        cells = self.conv(images).flatten(2).mT
        return torch.cat([cells.sum(1, keepdim=True), cells], 1)

    def forward_head(self, features: Tensor, *, pre_logits: bool) -> Tensor:
        assert pre_logits
        return features[:, 1:].mean(1)


class ClassToken(Tokens):
    def forward_head(self, features: Tensor, *, pre_logits: bool) -> Tensor:
        assert pre_logits
        return features[:, 0]


IMAGES = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
NORM_EDIT = "norm: applied to every cell before the pooling, not to their mean after it"
NOT_LOCAL = "map: not local, for a cell's features are made of all cells (attention or tokens)"


def fit(network: nn.Module, *, num_prefix: int = 0) -> tuple[Tensor, tuple[str, ...]]:
    features = features_of(network.eval(), IMAGES)
    layout = find_layout(features.shape, num_features=4, num_prefix=num_prefix)
    fitted = fit_map(network, IMAGES, features, layout)
    features_BFHW: Tensor = fitted.trunk(IMAGES)
    assert fitted.num_features == features_BFHW.shape[1]
    return features_BFHW, fitted.edits


def test_a_mean_over_cells_is_left_as_it_is() -> None:
    network = Mean()
    features, edits = fit(network)
    torch.testing.assert_close(features, network.conv(IMAGES), rtol=0, atol=0)
    assert edits == ()


def test_a_norm_behind_the_mean_is_applied_to_every_cell() -> None:
    network = NormOfMean()
    features, edits = fit(network)
    by_cell = network.norm(network.conv(IMAGES).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    torch.testing.assert_close(features, by_cell)
    assert edits == (NORM_EDIT,)


def test_a_convolution_behind_the_mean_gives_the_map_its_features() -> None:
    network = Wider()
    features, edits = fit(network)
    torch.testing.assert_close(features, network.conv_head(network.conv(IMAGES)).relu())
    assert edits == (NORM_EDIT.replace("norm", "conv_head"),)


def test_another_pooling_gives_way_to_the_mean_and_says_by_how_much_they_differ() -> None:
    features, edits = fit(Maximum())
    assert features.shape == (2, 4, 2, 2)
    (edit,) = edits
    random = torch.randn(2, 4, 2, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    gap = relative_gap(random.amax((2, 3)), random.mean((2, 3)))
    assert edit == (
        "pooling: the mean over cells in the place of the network's own, which differs from it by "
        f"{gap:.2g} of the largest value"
    )


def test_tokens_become_a_map_without_those_before_the_cells() -> None:
    network = Tokens()
    features, edits = fit(network, num_prefix=1)
    torch.testing.assert_close(features, network.conv(IMAGES), rtol=0, atol=0)
    assert edits == (NOT_LOCAL,)


def test_a_class_token_gives_way_to_the_mean_over_cells() -> None:
    network = ClassToken()
    features, edits = fit(network, num_prefix=1)
    torch.testing.assert_close(features, network.conv(IMAGES), rtol=0, atol=0)
    assert edits[0].startswith("pooling: the mean over cells in the place of the network's own, which differs")
    assert edits[1] == NOT_LOCAL


def test_a_layer_is_no_identity_by_the_way_it_is_initialised() -> None:
    class Scaled(Mean):
        """Multiplies the mean by a parameter that starts from 1."""

        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(4))

        def forward_head(self, features: Tensor, *, pre_logits: bool) -> Tensor:
            return super().forward_head(features, pre_logits=pre_logits) * self.scale

    finding = examine_head(Scaled().eval(), torch.rand(2, 4, 2, 2), MapLayout("BFHW"))
    assert not finding.is_mean
    assert finding.is_layers_on_mean


def test_channels_last_are_turned() -> None:
    layout = find_layout((2, 5, 5, 7), num_features=7, num_prefix=0)
    features = torch.rand(2, 5, 5, 7)
    torch.testing.assert_close(layout.to_map(features), features.permute(0, 3, 1, 2), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("shape", "num_prefix"), [((2, 7, 4), 1), ((2, 7), 0), ((2, 4, 4), 4), ((2, 5, 3, 3), 0)], ids=str
)
def test_what_is_no_map_is_refused(shape: tuple[int, ...], num_prefix: int) -> None:
    with pytest.raises(UnfitNetworkError) as caught:
        find_layout(shape, num_features=4, num_prefix=num_prefix)
    assert str(caught.value) == (
        f"forward_features returns shape {'x'.join(map(str, shape))}, which is no map of 4 features and no square grid "
        "of tokens"
    )


def test_parameters_that_the_map_does_not_depend_on_take_no_gradient() -> None:
    class WithRest(Mean):
        def __init__(self) -> None:
            super().__init__()
            self.rest = nn.Linear(4, 4)

    network = WithRest()
    _, edits = fit(network)
    assert edits == ("not trained, for the map does not depend on it: rest.weight, rest.bias",)
    assert [name for name, one in network.named_parameters() if not one.requires_grad] == ["rest.weight", "rest.bias"]
