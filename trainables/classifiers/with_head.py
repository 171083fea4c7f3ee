"""A network with another trunk and head.

F features, K classes.
"""

from torch import Tensor, nn

from trainables.models import Classifier
from trainables.models.architecture import Stages


def with_head(model: Classifier, trunk: nn.Module, weight_KF: Tensor, bias_K: Tensor | None) -> Classifier:
    """Return a network that normalises images as `model` does, with another trunk and a frozen head, in eval mode.

    Its stages are those of `model`, whose trunk is the other one or a part of it.
    """
    num_classes, num_features = weight_KF.shape
    head = nn.Linear(num_features, num_classes, bias=bias_K is not None, device=model.mean.device)
    head.requires_grad_(False)
    head.weight.copy_(weight_KF.detach())
    if bias_K is not None:
        head.bias.copy_(bias_K.detach())
    network = Classifier(trunk, head, stages=_stages_within(trunk, model))
    network.mean, network.std = model.mean, model.std
    return network.eval()


def _stages_within(trunk: nn.Module, model: Classifier) -> Stages:
    within = next(name for name, module in trunk.named_modules() if module is model.trunk)
    prefix = f"{within}." if within else ""
    return tuple(tuple(prefix + name for name in names) for names in model.stages)
