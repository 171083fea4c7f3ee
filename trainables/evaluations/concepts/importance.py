"""What concepts mean for the logits, in closed form: the head is linear.

A cell is `A_p = sum_j U_pj D_j + E_p`, so a logit is `s_k = sum_j I_jk + W_k . mean_p E_p + b_k` with the importance
`I_jk = mean_p U_pj (W_k . D_j)`.
N images, F features, J concepts, K classes, H W map.
"""

import torch
from torch import Tensor


def head_of_concepts(dictionary_JF: Tensor, weight_KF: Tensor) -> Tensor:
    """Return what one unit of each concept adds to each logit, `D_j . W_k`, JK in float64."""
    return dictionary_JF.double() @ weight_KF.detach().double().cpu().T


def reconstructed_logits(amounts_NJ: Tensor, head_JK: Tensor, bias_K: Tensor | None) -> Tensor:
    """Return the logits of the reconstructed features, NK: the concepts' importance and the bias.

    Args:
        amounts_NJ: Mean activation of an image's cells.
        head_JK: That of `head_of_concepts`.
        bias_K: The head's.
    """
    return amounts_NJ @ head_JK + (0 if bias_K is None else bias_K.detach().double().cpu())


def margin_weights(head_JK: Tensor, classes_N: Tensor, rivals_N: Tensor) -> Tensor:
    """Return what one unit of each concept adds to the margin of an image's class over its rival, NJ."""
    return (head_JK[:, classes_N] - head_JK[:, rivals_N]).T


def margin_importance(amounts_NJ: Tensor, head_JK: Tensor, classes_N: Tensor, rivals_N: Tensor) -> Tensor:
    """Return what each concept adds to the margin of an image's class over its rival, `I_jc - I_jr`, NJ."""
    return amounts_NJ * margin_weights(head_JK, classes_N, rivals_N)


def class_importance(amounts_NJ: Tensor, head_JK: Tensor, labels_N: Tensor) -> Tensor:
    """Return `I_jk - mean_l I_jl`, the mean over the images of each class k, KJ; nan for a class without images.

    What a concept adds to all logits alike says nothing of a class, and cancels.
    """
    contrast_JK = head_JK - head_JK.mean(1, keepdim=True)
    return class_amounts(amounts_NJ, labels_N, head_JK.shape[1]) * contrast_JK.T


def class_amounts(amounts_NJ: Tensor, labels_N: Tensor, num_classes: int) -> Tensor:
    """Return the mean amount of each concept in the images of each class, KJ; nan for a class without images."""
    is_class_KN = (labels_N == torch.arange(num_classes).unsqueeze(1)).to(amounts_NJ.dtype)
    return is_class_KN @ amounts_NJ / is_class_KN.sum(1, keepdim=True)


def object_shares(activations_NJHW: Tensor, background_NHW: Tensor) -> Tensor:
    """Return the share of each concept's activation that lies on the object, J; nan for one that is never active."""
    total_J = activations_NJHW.sum((0, 2, 3))
    return 1 - torch.einsum("njhw,nhw->j", activations_NJHW, background_NHW) / total_J


def background_shares(activations_NJHW: Tensor, weights_NJ: Tensor, background_NHW: Tensor) -> Tensor:
    """Return the background's share of each image's importance, `sum_jp |U_pj w_j|`, N; nan for one without any.

    Args:
        activations_NJHW: U.
        weights_NJ: w, what one unit of each concept adds to the image's margin.
        background_NHW: Each cell's share of background.
    """
    strength_NHW = torch.einsum("njhw,nj->nhw", activations_NJHW, weights_NJ.abs())
    return (strength_NHW * background_NHW).sum((1, 2)) / strength_NHW.sum((1, 2))
