"""A network of the user's, from the text of a Python file, up to what its linear layer gets.

B batch, C channels, F features, H W image or map.
"""

import copy
import hashlib
import inspect
import linecache
import math
import sys
import traceback
from types import ModuleType
from typing import NamedTuple

import torch
from torch import Tensor, nn

from trainables.config import ConfigError, Own
from trainables.models.backbone import Backbone
from trainables.models.feature_map import FeatureMap
from trainables.models.fitted_map import features_of, freeze_unused
from trainables.models.head_contract import TOLERANCE, relative_gap
from trainables.models.map_layout import MapLayout, UnfitNetworkError
from trainables.models.module_stages import stages_by_children
from trainables.models.stride_removal import remove_strides
from trainables.models.surgery import replace

DEFAULT_SIZE = 64
"""Pixels of a side of the images by which a network is judged whose own size is not known."""
_MODULE = "campaign_network_"
"""How the names of modules begin that are made of users' files."""


def own_network(config: Own, *, pretrained: bool, image_size: int | None) -> Backbone:  # noqa: ARG001
    """Build the class of `config`, whose `forward` must be a linear layer of the mean of its `forward_features`.

    Raises:
        ConfigError: It cannot be built, or a part of that does not hold; the message says which, and by how much.
    """
    where = f"model.file = {config.file}: {config.name}"
    network = _built(config, where)
    size = image_size or DEFAULT_SIZE
    images_BCHW = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    try:
        network.eval()
        layer_name = check_head(network, images_BCHW)
        replace(network, layer_name, nn.Identity())
        edits = [] if config.cam_stride is None else _strided(network, images_BCHW, config.cam_stride)
        trunk = FeatureMap(network, MapLayout("BFHW"))
        features_BFHW, frozen = freeze_unused(trunk, images_BCHW)
    except UnfitNetworkError as error:
        raise ConfigError(f"{where}: {error}") from error
    except Exception as error:  # The user's code may raise anything, in a copy or a gradient too.
        raise ConfigError(f"{where} fails at {size} px: {_failed(error)}") from error
    digest = hashlib.sha256(config.source.encode()).hexdigest()
    stages = stages_by_children(network)
    return Backbone(trunk.train(), features_BFHW.shape[1], (*edits, *frozen), stages=stages, source_sha256=digest)


def own_modules(network: nn.Module) -> list[ModuleType]:
    """Return the modules that define parts of a network and are made of users' files: no other process has them."""
    names = {type(part).__module__ for part in network.modules()}
    return [sys.modules[name] for name in sorted(names) if name.startswith(_MODULE) and name in sys.modules]


class _Call(NamedTuple):
    name: str
    given: Tensor
    returned: Tensor


def check_head(network: nn.Module, images_BCHW: Tensor) -> str:
    """Return the name of the linear layer that gets the mean of a network's features, in float64.

    Its trained parameters are changed in a copy, so that no factor is 1 by the way in which it was initialised.

    Raises:
        UnfitNetworkError: Something stands between that mean and the logits.
    """
    doubled = _perturbed(copy.deepcopy(network).double())
    images_BCHW = images_BCHW.double()
    if not callable(getattr(network, "forward_features", None)):
        raise UnfitNetworkError(
            "it has no forward_features(images); let that method return what is pooled, B x F x H x W, and let forward "
            "call it"
        )
    features_BFHW = features_of(doubled, images_BCHW)
    if features_BFHW.ndim != 4 or len(features_BFHW) != len(images_BCHW):
        raise UnfitNetworkError(
            f"forward_features returns shape {'x'.join(map(str, features_BFHW.shape))} for {len(images_BCHW)} images, "
            "not B x F x H x W"
        )
    last, logits = _last_linear(doubled, images_BCHW)
    gap = relative_gap(last.given, features_BFHW.mean((2, 3)))
    if not gap <= TOLERANCE:  # Nor is NaN.
        raise UnfitNetworkError(
            f"its linear layer {last.name} does not get the mean of forward_features: {_gap(last, gap)}"
        )
    gap = relative_gap(logits, last.returned)
    if not gap <= TOLERANCE:
        raise UnfitNetworkError(
            f"forward does not return what its last linear layer {last.name} does: {_gap(last, gap)}"
        )
    return last.name


@torch.no_grad()
def _perturbed(network: nn.Module) -> nn.Module:
    """Change a network's trained parameters by up to a tenth, and those that are 0 by up to 0.1; signs stay."""
    generator = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        if parameter.requires_grad and parameter.is_floating_point():
            change = torch.rand(parameter.shape, generator=generator, dtype=parameter.dtype) / 10
            parameter.copy_(torch.where(parameter == 0, change, parameter * (1 + change)))
    return network


def _gap(last: _Call, gap: float) -> str:
    if gap == float("inf"):
        return f"the shapes differ, and the layer gets {'x'.join(map(str, last.given.shape))}"
    if math.isnan(gap):
        return "one of them is not finite"
    return f"they differ by {gap:.2g} of the largest value; no norm, activation or other pooling may stand between"


@torch.no_grad()
def _last_linear(network: nn.Module, images_BCHW: Tensor) -> tuple[_Call, Tensor]:
    """Return the last call of a linear layer in a forward pass, and what the pass returns."""
    calls: list[_Call] = []
    linear = [(name, module) for name, module in network.named_modules() if isinstance(module, nn.Linear)]
    handles = [
        module.register_forward_hook(
            lambda _, given, named, returned, name=name: calls.append(
                _Call(name, given[0] if given else named["input"], returned)
            ),
            with_kwargs=True,
        )
        for name, module in linear
    ]
    try:
        logits = network(images_BCHW)
    finally:
        for handle in handles:
            handle.remove()
    if not isinstance(logits, Tensor):
        raise UnfitNetworkError(f"forward returns a {type(logits).__name__}, not one tensor of logits")
    if not calls:
        raise UnfitNetworkError(
            "forward calls no nn.Linear; a linear layer of the mean of the features is what it should end in"
        )
    return calls[-1], logits


def _strided(network: nn.Module, images_BCHW: Tensor, cam_stride: int) -> list[str]:
    return remove_strides(network, lambda images: features_of(network, images), images_BCHW, cam_stride)


def _built(config: Own, where: str) -> nn.Module:
    found = getattr(_module(config), config.name, None)
    if found is None:
        raise ConfigError(f"model.file = {config.file} defines no {config.name}")
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        raise ConfigError(f"{where} is no subclass of torch.nn.Module")
    arguments = dict(config.arguments)
    if "num_classes" in inspect.signature(found).parameters:
        arguments.setdefault("num_classes", 2)  # Its own linear layer is replaced.
    try:
        return found(**arguments)
    except Exception as error:  # The user's code may raise anything.
        raise ConfigError(
            f"{where} cannot be built with model.arguments = {config.arguments}: {_failed(error)}"
        ) from error


def _module(config: Own) -> ModuleType:
    """Run the file's text, once a process, as a module that its text names; torch's random numbers stay as they are."""
    digest = hashlib.sha256(config.source.encode()).hexdigest()
    name = f"{_MODULE}{digest[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    module = ModuleType(name)
    module.__file__ = f"<{config.file}>"
    # By which tracebacks and torch.compile find the lines of a file that may have changed since.
    linecache.cache[module.__file__] = (len(config.source), None, config.source.splitlines(True), module.__file__)
    sys.modules[name] = module
    try:
        with torch.random.fork_rng(devices=[]):
            exec(compile(config.source, module.__file__, "exec"), module.__dict__)
    except (Exception, SystemExit) as error:  # The user's code may raise anything.
        del sys.modules[name]
        raise ConfigError(f"model.file = {config.file} cannot be imported: {_failed(error)}") from error
    return module


def _failed(error: BaseException) -> str:
    """Return kind, message and line of an error in the user's file."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename.endswith(".py>")]
    place = f" (line {lines[-1]})" if lines else ""
    return f"{type(error).__name__}: {' '.join(str(error).split())}{place}"
