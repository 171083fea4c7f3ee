"""What all workers know of a batch, on each of them: embeddings, and sums.

B embeddings of this worker, A of all of them, D dimensions.
"""

import torch
from torch import Tensor
from torch.distributed import all_gather, all_reduce
from torch.nn.functional import pad

NO_ROW = -1
"""The label of a row that is there to make the shares of all workers equally long."""


def gather_embeddings(
    embeddings_BD: Tensor, labels_B: Tensor, *, size: int, rank: int, world_size: int, may_be_short: bool
) -> tuple[Tensor, Tensor]:
    """Return embeddings_AD and labels_A of all workers, in the order of ranks; all workers call it together.

    This worker's own rows carry a gradient and the others' do not. So `world_size` times a loss of them has gradients
    whose mean over the workers, which DistributedDataParallel takes, is the gradient of the loss of the whole batch.

    Args:
        size: Rows of the largest share; one from which images were skipped is shorter.
        may_be_short: Whether images may be skipped. How many were is read from the device, which is then waited for.
    """
    if world_size == 1:
        return embeddings_BD, labels_B
    missing = size - len(labels_B)
    own_SD = pad(embeddings_BD, (0, 0, 0, missing)).contiguous()
    labels_S = pad(labels_B, (0, missing), value=NO_ROW)
    shares = [torch.empty_like(own_SD) for _ in range(world_size)]
    labels = [torch.empty_like(labels_S) for _ in range(world_size)]
    all_gather(shares, own_SD.detach())
    all_gather(labels, labels_S)
    shares[rank] = own_SD
    labels_A = torch.cat(labels)
    if not may_be_short:
        return torch.cat(shares), labels_A
    is_row_A = labels_A != NO_ROW
    return torch.cat(shares)[is_row_A], labels_A[is_row_A]


def sum_over_workers(values: Tensor, world_size: int) -> Tensor:
    """Return the sums of the values of all workers, without a gradient; all workers call it together."""
    sums = values.detach().clone()
    if world_size > 1:
        all_reduce(sums)
    return sums
