"""Networks whose weights take no memory, for their sizes alone."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

FACTORIES = frozenset({torch.empty, torch.ones, torch.zeros})


class OnMeta(TorchFunctionMode):
    """Within it, modules make their parameters and buffers on torch's meta device.

    `with torch.device("meta")` would move every tensor there, and a RegNet computes its widths with tensors.
    """

    def __torch_function__(
        self,
        function: Callable[..., Any],
        _types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        device = {"device": "meta"} if function in FACTORIES else {}
        return function(*args, **{**(kwargs or {}), **device})
