"""Multinomial logistic regression, trained until its gradient is gone.

N embeddings, F features, K classes.
"""

import logging
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

logger = logging.getLogger(__name__)

MAX_STEPS = 2000
TOLERANCE = 1e-6
"""Largest component of the gradient at which the probe counts as trained to convergence."""


class Probe(NamedTuple):
    """The weights of a linear head, in float64, and how far they are from the minimum."""

    weight_KF: Tensor
    bias_K: Tensor | None
    gradient: float
    """The largest component of the gradient, by its absolute value."""


def fit_linear_probe(
    embeddings_NF: Tensor, labels_N: Tensor, *, num_classes: int, penalty: float, bias: bool, setting: str | None = None
) -> Probe:
    """Minimise `mean_i CE(W z_i + b, y_i) + penalty/2 |W|^2` by L-BFGS in float64, from zeros and without randomness.

    The penalty makes the minimum in W the only one; the bias has none. A probe that does not converge is logged, with
    the `setting` of the penalty that a user can raise, if there is one.
    """
    embeddings_NF = embeddings_NF.double()
    weight_KF = embeddings_NF.new_zeros(num_classes, embeddings_NF.shape[1], requires_grad=True)
    bias_K = embeddings_NF.new_zeros(num_classes, requires_grad=True) if bias else None
    parameters = [weight_KF] if bias_K is None else [weight_KF, bias_K]
    optimizer = torch.optim.LBFGS(
        parameters,
        max_iter=MAX_STEPS,
        history_size=20,
        tolerance_grad=TOLERANCE / 10,
        tolerance_change=0,
        line_search_fn="strong_wolfe",
    )

    def loss() -> Tensor:
        optimizer.zero_grad()
        logits_NK = functional.linear(embeddings_NF, weight_KF, bias_K)
        total = functional.cross_entropy(logits_NK, labels_N) + penalty / 2 * weight_KF.square().sum()
        total.backward()  # type: ignore[no-untyped-call]
        return total

    with torch.enable_grad():
        optimizer.step(loss)  # type: ignore[no-untyped-call]
        loss()
    gradient = max(float(parameter.grad.abs().max()) for parameter in parameters if parameter.grad is not None)
    if not gradient <= TOLERANCE:
        logger.warning(
            "the linear probe has not converged: a component of its gradient is %.1e after at most %d steps, more "
            "than %.0e; %s %g",
            gradient, MAX_STEPS, TOLERANCE, f"raise {setting} =" if setting else "its fixed penalty is", penalty,
        )  # fmt: skip
    return Probe(weight_KF.detach(), None if bias_K is None else bias_K.detach(), gradient)
