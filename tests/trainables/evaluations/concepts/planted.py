"""Cells that are made of known concepts.

M cells, F features, J concepts.
"""

import torch
from torch import Tensor
from torch.nn.functional import normalize


def planted(*, signed: bool, num_cells: int = 600, num_features: int = 12, num_concepts: int = 4) -> tuple[Tensor, ...]:
    """Return cells_MF, activations_MJ and dictionary_JF of cells that hold one concept, or two of them.

    Each concept has features of its own, which makes the factors unique up to their order.
    """
    generator = torch.Generator().manual_seed(0)
    own_JF = torch.eye(num_concepts, dtype=torch.float64).repeat_interleave(num_features // num_concepts, dim=1)
    sizes_JF = 0.5 + torch.rand(num_concepts, num_features, generator=generator, dtype=torch.float64)
    if signed:
        sizes_JF *= torch.where(torch.arange(num_features) % 2 > 0, -1.0, 1.0)
    dictionary_JF = normalize(own_JF * sizes_JF, dim=1)
    chosen_MJ = torch.rand(num_cells, num_concepts, generator=generator).argsort(1) < 1
    second_MJ = (torch.rand(num_cells, num_concepts, generator=generator).argsort(1) < 1) & (
        torch.arange(num_cells).unsqueeze(1) % 3 == 0
    )
    amounts_MJ = torch.rand(num_cells, num_concepts, generator=generator, dtype=torch.float64) + 0.5
    activations_MJ = amounts_MJ * (chosen_MJ | second_MJ)
    return activations_MJ @ dictionary_JF, activations_MJ, dictionary_JF
