"""Batch norms of a trained network that keep their statistics."""

from collections import OrderedDict

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from trainables.models.norms import make_norm
from trainables.models.surgery import replace


def freeze_batch_norms(network: nn.Module) -> list[str]:
    """Make each batch norm one of stored statistics, and return the edit in words; without batch norms, none.

    Scale and shift stay trained, as the same parameters. Those of vectors are among them. A batch norm
    of timm also drops and activates, which stays.
    """
    norms = [(name, norm) for name, norm in network.named_modules() if isinstance(norm, _BatchNorm)]
    for name, norm in norms:
        replace(network, name, _frozen(norm))
    return ["norms: batch -> frozen"] if norms else []


def _frozen(norm: _BatchNorm) -> nn.Module:
    frozen = make_norm("frozen", norm.num_features, eps=norm.eps)
    own = norm.state_dict()
    frozen.load_state_dict(own, strict=False)
    for name, parameter in frozen.named_parameters():
        parameter.requires_grad_(name in own and getattr(norm, name).requires_grad)
    behind = OrderedDict(norm.named_children())
    return nn.Sequential(OrderedDict([("norm", frozen), *behind.items()])) if behind else frozen
