"""torchvision's pretrained weights: where their file lies, whether it is the right one, and what of it is loaded."""

import hashlib
import logging
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import NamedTuple
from urllib.parse import urlsplit

import torch
from torch import Tensor, nn
from torchvision.models import WeightsEnum, get_model_weights

from trainables.config import ConfigError
from trainables.models.densenet import modern_name

logger = logging.getLogger(__name__)
Tensors = dict[str, Tensor]
HASH_LENGTH = 8
"""Hexadecimal digits of the SHA-256 in the name of a published file."""
NUM_NAMED = 3
"""Names of tensors that an error lists."""
UNREADABLE = (RuntimeError, UnpicklingError, EOFError, ValueError, LookupError)
"""What torch.load raises for a file that is none of its own."""


@dataclass(frozen=True)
class Pretrained:
    """What of a file of weights went into a network; tensors by torchvision's names."""

    name: str
    sha256: str
    """Of the file."""
    is_original: bool | None
    """Whether the hash is that in the published file's name; None where there is none in it."""
    loaded: tuple[str, ...]
    not_loaded: tuple[str, ...]
    """In the file, but without a place in the edited network: its head, and what an edit took away."""
    fresh: tuple[str, ...]
    """In the edited network's trunk, but not in the file: random, or as a fresh norm has it."""


class WeightsFile(NamedTuple):
    """The tensors of a file, by torchvision's names, and what tells the file from another."""

    name: str
    path: Path
    sha256: str
    is_original: bool
    tensors: Tensors


def find_weights(kind: str, name: str) -> WeightsEnum:
    """Return torchvision's description of the weights `name` of a `kind` of network."""
    return get_model_weights(kind)[name]


def read_weights(weights: WeightsEnum, file: str | None) -> WeightsFile:
    """Read weights from `file`, or from torch.hub's folder, into which torchvision fetches them where they are missing.

    A file whose hash is not that in the published file's name is taken, for it may have been saved anew, and a warning
    says so.

    Raises:
        ConfigError: There is no file and it could not be fetched, or it is no file of finite tensors.
    """
    path = Path(file) if file else Path(torch.hub.get_dir(), "checkpoints", urlsplit(weights.url).path.split("/")[-1])
    if file is None and not path.exists():
        _fetch(weights, path)
    where = f"model.weights_file = {file}" if file else f"{path}"
    wanted = f"model.weights = {weights.name} wants a copy of {weights.url} there"
    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ConfigError(f"{where} cannot be read: {error.strerror}; {wanted}") from error
    except UNREADABLE as error:
        kind = type(error).__name__
        raise ConfigError(f"{where} is damaged or no file of tensors by torch.save ({kind}); {wanted}") from error
    if not isinstance(tensors, dict) or not all(map(_is_named_tensor, tensors.items())):
        raise ConfigError(f"{where} holds no tensors by name; {wanted}")
    _check_values(tensors, where=where, wanted=wanted)
    digest = sha256_of(path)
    is_original = f"-{digest[:HASH_LENGTH]}." in weights.url
    if not is_original:
        logger.warning(
            "%s is not the published file of %s: its SHA-256 begins with %s, and that of %s is in its name",
            path, weights, digest[:HASH_LENGTH], weights.url,
        )  # fmt: skip
    return WeightsFile(str(weights), path, digest, is_original, named_as_today(tensors))


def _check_values(tensors: Mapping[str, Tensor], *, where: str, wanted: str) -> None:
    """Raise ConfigError unless tensors are dense, finite, and of floating point but for counts of batches; and no
    variance is negative."""
    for name, tensor in tensors.items():
        if tensor.is_meta:
            raise ConfigError(f"{where} holds {name} without its values, on the meta device; {wanted}")
        if tensor.layout != torch.strided:
            raise ConfigError(f"{where} holds {name} as a sparse tensor; {wanted}")
        if not tensor.is_floating_point() and not name.endswith("num_batches_tracked"):
            raise ConfigError(f"{where} holds {name} as {tensor.dtype}, not in floating point; {wanted}")
        if not tensor.isfinite().all():
            raise ConfigError(f"{where} holds values in {name} that are not finite; {wanted}")
        if name.endswith("running_var") and (tensor < 0).any():
            raise ConfigError(f"{where} holds negative variances in {name}; {wanted}")


def _is_named_tensor(item: tuple[object, object]) -> bool:
    return isinstance(item[0], str) and isinstance(item[1], Tensor)


def _fetch(weights: WeightsEnum, path: Path) -> None:
    logger.info("fetching %s to %s", weights.url, path)
    try:
        with redirect_stdout(sys.stderr):  # A command's standard output holds its result alone.
            weights.get_state_dict(progress=False, check_hash=True, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError) as error:
        raise ConfigError(
            f"model.weights = {weights.name} needs the file {path.name}, which is not at {path} and could not be "
            f"fetched from {weights.url} ({error}); put the file there, or set model.weights_file to a copy of it"
        ) from error


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def named_as_today(tensors: Mapping[str, Tensor]) -> Tensors:
    """Return the tensors by the names of today's torchvision.

    Old files count no batches, or none, that went into their statistics, which are not those of a fresh norm all the
    same: such a count becomes 1.
    """
    named = {modern_name(name): tensor for name, tensor in tensors.items()}
    for name in [name for name in named if name.endswith(".running_mean")]:
        count = name.replace(".running_mean", ".num_batches_tracked")
        named[count] = named.get(count, torch.tensor(0)).clamp(min=1)
    return named


def check_layout(file: WeightsFile, network: nn.Module, *, kind: str, head: str) -> None:
    """Raise ConfigError unless the file holds a `network` of that kind as torchvision has it, whatever its head."""
    wanted, found = (
        {name: tuple(tensor.shape) for name, tensor in tensors.items() if not name.startswith(f"{head}.")}
        for tensors in (network.state_dict(), file.tensors)
    )
    lacks = [name for name in wanted if name not in found]
    foreign = [name for name in found if name not in wanted]
    misshapen = [
        f"{name} of shape {found[name]} instead of {shape}"
        for name, shape in wanted.items()
        if found.get(name, shape) != shape
    ]
    problems = [
        f"{verb} {_listing(names)}"
        for verb, names in (("it lacks", lacks), ("it has no use for", foreign), ("it has", misshapen))
        if names
    ]
    if problems:
        raise ConfigError(f"{file.path} holds no {file.name} of model.kind = {kind}: {'; '.join(problems)}")


def load_weights(file: WeightsFile, trunk: nn.Module) -> Pretrained:
    """Load every tensor for which the edited trunk has one of the same name and shape; name the others."""
    own = trunk.state_dict()
    loaded = {name: file.tensors[name] for name in file.tensors if name in own}
    trunk.load_state_dict(loaded, strict=False)
    return Pretrained(
        name=file.name,
        sha256=file.sha256,
        is_original=file.is_original,
        loaded=tuple(loaded),
        not_loaded=tuple(name for name in file.tensors if name not in loaded),
        fresh=tuple(name for name in own if name not in loaded),
    )


def _listing(names: Sequence[str]) -> str:
    more = f" and {len(names) - NUM_NAMED} more" if len(names) > NUM_NAMED else ""
    return f"{', '.join(names[:NUM_NAMED])}{more}"
