"""A CUDA device for a machine without one: tensors that say they lie on it, and are computed on the CPU.

It is stricter than the CPU: tensors of two devices do not mix, and waiting for the device can be forbidden. Not torch's
FakeTensorMode, whose tensors have no values, and through which no backward pass runs without a driver.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map_only

CUDA, CPU = torch.device("cuda", 0), torch.device("cpu")
_ATEN = torch.ops.aten
_INDEXING = {_ATEN.index, _ATEN.index_put, _ATEN.index_put_}
"""Their second argument is a list of indices, which may lie on the CPU."""
_NEEDS_VALUES = {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape}


class WaitedForDeviceError(AssertionError):
    """Something on the device was read where that is forbidden."""


class OnCuda(Tensor):
    """A tensor that says it lies on CUDA; its values are in `held`, on the CPU."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> "OnCuda":
        # In C++ it is "meta", for which autograd needs no driver.
        self: OnCuda = Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls, held.size(), held.stride(), held.storage_offset(), dtype=held.dtype, device="meta"
        )
        self.held = held
        return self

    device = property(lambda _: CUDA)  # type: ignore[assignment]
    is_cuda = property(lambda _: True)  # type: ignore[assignment]
    is_meta = property(lambda _: False)  # type: ignore[assignment]

    @property
    def data(self) -> Tensor:
        return super().data

    @data.setter
    def data(self, value: Tensor) -> None:
        assert isinstance(value, OnCuda)
        Tensor.data.__set__(self, value)  # type: ignore[attr-defined]
        self.held = value.held

    def tolist(self) -> Any:
        return self.cpu().tolist()

    def __format__(self, form: str) -> str:
        return format(self.cpu(), form)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.cpu().__reduce_ex__(protocol)

    def __repr__(self, **_: Any) -> str:
        return f"OnCuda({self.held})"

    @classmethod
    def __torch_dispatch__(cls, function: Any, *_: Any) -> Any:
        raise AssertionError(f"{function} of a tensor on CUDA, outside of fake_cuda()")


class _FakeCuda(TorchDispatchMode):
    def __init__(self, *, may_wait: bool) -> None:
        super().__init__()
        self._may_wait = may_wait

    def __torch_dispatch__(
        self, function: Any, _: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if torch._C._dispatch_has_kernel_for_dispatch_key(function.name(), "CompositeImplicitAutograd"):
            with self:  # In inference mode operators arrive whole.
                return function.decompose(*args, **kwargs)
        _check_devices(function, args, kwargs)
        if not self._may_wait and _waits(function, args, kwargs):
            raise WaitedForDeviceError(f"{function} waits for the device")
        on_cpu = {**kwargs, "device": CPU} if "device" in kwargs else kwargs
        held_args, held_kwargs = tree_map_only(OnCuda, lambda tensor: tensor.held, (args, on_cpu))
        result = function(*held_args, **held_kwargs)
        if _is_copy_into_cpu(function, args):
            return args[0]
        if not _lies_on_cuda(args, kwargs) or not any(isinstance(leaf, Tensor) for leaf in tree_leaves(result)):
            return result
        return return_and_correct_aliasing(function, args, kwargs, tree_map_only(Tensor, OnCuda, result))


def _check_devices(function: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Raise RuntimeError where CUDA does; tensors without dimensions may lie on the CPU, as may indices."""
    if function.overloadpacket in _INDEXING and isinstance(args[0], OnCuda):
        args = (args[0], *args[2:])
    leaves = tree_leaves((args, kwargs))
    tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
    on_cuda = [isinstance(tensor, OnCuda) for tensor in tensors]
    on_cpu = [not isinstance(tensor, OnCuda) and tensor.ndim > 0 for tensor in tensors]
    if any(on_cuda) and any(on_cpu) and function.overloadpacket is not _ATEN.copy_:
        raise RuntimeError(f"{function}: expected all tensors on one device, found some on cuda and some on the cpu")
    if _lies_on_cuda(args, kwargs) and any(isinstance(leaf, torch.Generator) for leaf in leaves):
        raise RuntimeError(f"{function}: expected a generator on cuda, found one on the cpu")


def _waits(function: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    if not any(isinstance(leaf, OnCuda) for leaf in tree_leaves((args, kwargs))):
        return False
    if function.overloadpacket in _INDEXING:
        return any(isinstance(index, OnCuda) and index.dtype == torch.bool for index in args[1])
    return (
        not _NEEDS_VALUES.isdisjoint(function.tags)
        or _is_copy_into_cpu(function, args)
        or not _lies_on_cuda(args, kwargs)
    )


def _is_copy_into_cpu(function: Any, args: tuple[Any, ...]) -> bool:
    return function.overloadpacket is _ATEN.copy_ and not isinstance(args[0], OnCuda)


def _lies_on_cuda(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Return whether the result of an operator lies on CUDA: by its argument `device`, or by its tensors."""
    device = kwargs.get("device")
    if device is not None:
        return bool(device.type != "cpu")
    return any(isinstance(leaf, OnCuda) for leaf in tree_leaves((args, kwargs)))


@contextmanager
def fake_cuda(*, may_wait: bool = True) -> Iterator[torch.device]:
    """Within it, tensors may lie on the device that is given.

    Args:
        may_wait: Whether the device may be waited for; where not, WaitedForDeviceError is raised.
    """
    with patch("torch.cuda._lazy_init"), _FakeCuda(may_wait=may_wait):
        yield CUDA
