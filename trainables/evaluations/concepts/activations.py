"""How much of each concept a cell holds.

M cells, F features, J concepts.
"""

import numpy as np
import torch
from torch import Tensor


def activations(cells_MF: Tensor, dictionary_JF: Tensor) -> Tensor:
    """Return the activations of at least 0 by which the dictionary reconstructs each cell best, MJ in float64.

    The least-squares problem of each cell is solved exactly (Lawson and Hanson 1974), after a rotation into the space
    of the dictionary, in which it has J rows instead of F.
    """
    from scipy.optimize import nnls

    basis_FJ, triangle_JJ = torch.linalg.qr(dictionary_JF.T)
    targets_MJ, matrix_JJ = (cells_MF.double() @ basis_FJ).numpy(), triangle_JJ.numpy()
    limit = 100 * len(matrix_JJ)
    found_MJ = [nnls(matrix_JJ, target_J, maxiter=limit)[0] for target_J in targets_MJ]
    return torch.from_numpy(np.stack(found_MJ))
