"""A network of timm, up to what its linear layer gets.

B batch, C channels, H W image.
"""

import difflib
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from trainables.config import ConfigError, Timm
from trainables.models.backbone import Backbone
from trainables.models.fitted_map import FittedMap, features_of, fit_map
from trainables.models.frozen_norms import freeze_batch_norms
from trainables.models.map_layout import MapLayout, UnfitNetworkError, find_layout
from trainables.models.module_stages import stages_of_timm
from trainables.models.pretrained import Pretrained
from trainables.models.stride_removal import remove_strides
from trainables.models.timm_weights import LoadedNetwork, create_network

NUM_NAMED = 5
"""Tags and names that an error lists."""


def timm_network(config: Timm, *, pretrained: bool, image_size: int | None) -> Backbone:
    """Build the network of `config` for images of that size, and load the weights that it names if `pretrained`.

    Its head is judged by numbers; `fit_map` says what is edited.

    Args:
        image_size: None takes the size that the network was made for.

    Raises:
        ConfigError: There is no such network, its logits cannot be a sum of a map, or its weights cannot be loaded.
    """
    published = _published(config.name)
    options: dict[str, Any] = {"drop_rate": 0.0}
    if published.fixed_input_size and image_size is not None:
        options["img_size"] = image_size
    size = image_size or published.input_size[-1]
    try:
        loaded = create_network(config, pretrained=pretrained, **options)
        before = loaded.network.state_dict(keep_vars=True)
        fitted = fit_timm(loaded.network, image_size=size, cam_stride=config.cam_stride)
    except UnfitNetworkError as error:
        raise ConfigError(f"model.name = {config.name}: {error}") from error
    pretrained_state = _describe(loaded, before, fitted)
    edits = [*fitted.edits, *_norm_edits(config, fitted.trunk)]
    fitted.trunk.train()
    own: Any = loaded.network.pretrained_cfg
    return Backbone(
        fitted.trunk,
        fitted.num_features,
        tuple(edits),
        mean=own["mean"],
        std=own["std"],
        pretrained=pretrained_state,
        stages=stages_of_timm(loaded.network),
    )


def fit_timm(network: Any, *, image_size: int, cam_stride: int | None = None) -> FittedMap:
    """Return a network of timm as a trunk; UnfitNetworkError says why it is none."""
    left_out = remove_linear_layer(network.eval())
    images_BCHW = torch.rand(2, 3, image_size, image_size, generator=torch.Generator().manual_seed(0))

    def map_of(images: Tensor) -> Tensor:
        features = features_of(network, images)
        return layout_of_timm(network, features).to_map(features)

    edits = [] if cam_stride is None else remove_strides(network, map_of, images_BCHW, cam_stride)
    features = features_of(network, images_BCHW)
    fitted = fit_map(network, images_BCHW, features, layout_of_timm(network, features))
    return fitted._replace(edits=(*left_out, *edits, *fitted.edits))


def remove_linear_layer(network: Any) -> list[str]:
    """Leave a network's classifier out, and return the edit in words where that is more than a linear layer.

    Raises:
        UnfitNetworkError: The network is made for another task.
    """
    if not hasattr(network, "reset_classifier"):
        raise UnfitNetworkError("it is no classifier: it has no linear layer that timm could take away")
    before = {name: module for name, module in network.named_modules() if _does_something(module)}
    last = _last_layers(network)
    network.reset_classifier(0)
    after = {name: type(module) for name, module in network.named_modules()}  # Some poolings are made anew.
    layers = [name for name, module in before.items() if module not in last and after.get(name) is not type(module)]
    return [f"{', '.join(layers)}: left out with the linear layer"] if layers else []


def _last_layers(network: Any) -> list[nn.Module]:
    """Return the last layer of each of timm's classifiers, of which a distilled network has two."""
    classifiers = network.get_classifier()
    several = classifiers if isinstance(classifiers, tuple) else (classifiers,)
    layers = [[module for module in classifier.modules() if _does_something(module)] for classifier in several]
    return [each[-1] for each in layers if each]


def _does_something(module: nn.Module) -> bool:
    return not isinstance(module, nn.Dropout | nn.Identity) and next(module.children(), None) is None


def layout_of_timm(network: Any, features: Tensor) -> MapLayout:
    """Return the layout of a network's features; UnfitNetworkError says why they are no map."""
    num_prefix = getattr(network, "num_prefix_tokens", 0)
    return find_layout(features.shape, num_features=network.num_features, num_prefix=num_prefix)


def _norm_edits(config: Timm, trunk: nn.Module) -> list[str]:
    if config.norm == "own":
        return []
    edits = freeze_batch_norms(trunk)
    if not edits:
        raise ConfigError(f"model.norm = frozen has no effect: model.name = {config.name} has no batch norms")
    return edits


def _published(name: str) -> Any:
    """Return what timm says of a network and its weights; ConfigError where it has none of that name."""
    import timm

    architecture = name.partition(".")[0]
    if not timm.is_model(architecture):
        close = difflib.get_close_matches(architecture, timm.list_models(), n=NUM_NAMED)
        hint = f"did you mean {', '.join(close)}?" if close else "timm.list_models() lists them"
        raise ConfigError(f"model.name = {name}: timm has no network {architecture}; {hint}")
    try:
        return timm.get_pretrained_cfg(name) or timm.models.PretrainedCfg()
    except RuntimeError as error:
        tags = [tagged.partition(".")[2] for tagged in timm.list_pretrained(f"{architecture}.*")]
        raise ConfigError(
            f"model.name = {name}: {architecture} has no weights of that tag; its tags: {', '.join(tags[:NUM_NAMED])}"
        ) from error


def _describe(loaded: LoadedNetwork, before: Mapping[str, Tensor], fitted: FittedMap) -> Pretrained | None:
    """Name the tensors by the file's names; an edit may have given them others, by which they are still the same."""
    if loaded.name is None:
        return None
    kept = {id(tensor) for tensor in fitted.trunk.network.state_dict(keep_vars=True).values()}
    return Pretrained(
        name=loaded.name,
        sha256=loaded.sha256,
        is_original=loaded.is_original,
        loaded=tuple(name for name, tensor in before.items() if id(tensor) in kept),
        not_loaded=tuple(name for name, tensor in before.items() if id(tensor) not in kept),
        fresh=(),
    )
