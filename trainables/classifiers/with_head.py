"""A network with another trunk and head.

F features, K classes.
"""

from torch import Tensor, nn

from trainables.models import Classifier


def with_head(model: Classifier, trunk: nn.Module, weight_KF: Tensor, bias_K: Tensor | None) -> Classifier:
    """Return a network that normalises images as `model` does, with another trunk and a frozen head, in eval mode."""
    num_classes, num_features = weight_KF.shape
    head = nn.Linear(num_features, num_classes, bias=bias_K is not None, device=model.mean.device)
    head.requires_grad_(False)
    head.weight.copy_(weight_KF.detach())
    if bias_K is not None:
        head.bias.copy_(bias_K.detach())
    network = Classifier(trunk, head)
    network.mean, network.std = model.mean, model.std
    return network.eval()
