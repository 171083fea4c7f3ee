"""The nearest training images as evidence for their classes, spread over the map.

B batch, F features, H W image or map, P = H*W cells, N training images, n neighbours, K classes.
"""

from torch import Tensor, nn
from torch.nn import functional


class NeighbourEvidence(nn.Module):
    """Returns maps `E_k,ij = W_k(x) . A_ij` whose means are the scores of a k-nearest-neighbours classifier.

    `s_k = 1/(n t) sum z . z_i` over those of the n nearest training embeddings z_i, by cosine similarity, that are of
    class k: linear in `z = mean_ij A` with `W_k(x) = 1/(n t) sum z_i`, which depends on the image only through which
    neighbours are chosen. With the identity as head, HiResCAM is `E_k / N` and exact. The temperature t shapes the
    probabilities alone.

    Args:
        features: Returns features A whose mean z has length 1.
        embeddings_NF: The training images' z.
        labels_N: Their classes.
    """

    embeddings_NF: Tensor
    labels_N: Tensor

    def __init__(
        self,
        features: nn.Module,
        embeddings_NF: Tensor,
        labels_N: Tensor,
        *,
        num_classes: int,
        num_neighbours: int,
        temperature: float,
    ) -> None:
        super().__init__()
        if num_neighbours > len(labels_N):
            raise ValueError(
                f"objective.classifier.num_neighbours = {num_neighbours} is more than the {len(labels_N)} images "
                "that the classifier is fitted to"
            )
        self.features = features
        self.register_buffer("embeddings_NF", embeddings_NF)
        self.register_buffer("labels_N", labels_N)
        self._num_classes = num_classes
        self._num_neighbours = num_neighbours
        self._temperature = temperature

    def forward(self, images_B3HW: Tensor) -> Tensor:
        """Return evidence_BKHW."""
        features_BFHW: Tensor = self.features(images_B3HW)
        nearest_Bn = self._nearest(features_BFHW.detach().mean((2, 3)))
        similarity_BnP = self.embeddings_NF[nearest_Bn] @ features_BFHW.flatten(2)
        classes_BnK = functional.one_hot(self.labels_N[nearest_Bn], self._num_classes).to(similarity_BnP.dtype)
        evidence_BKP: Tensor = classes_BnK.mT @ similarity_BnP / (self._num_neighbours * self._temperature)
        return evidence_BKP.view(*evidence_BKP.shape[:2], *features_BFHW.shape[2:])

    def _nearest(self, queries_BF: Tensor) -> Tensor:
        return (queries_BF @ self.embeddings_NF.T).topk(self._num_neighbours, dim=1).indices
