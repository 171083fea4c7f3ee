"""A training set of which only some images show their masks, as where masks are expensive.

Shape letters: N images, B batch, H W image height and width.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from trainables.config import MaskSubset
from trainables.data.batch import Batch
from trainables.data.dataset import Draw, ImageSet, Labelled
from trainables.data.image_file import short_hash
from trainables.data.image_subset import ImageView


@dataclass(frozen=True, eq=False)
class WithMaskSubset(ImageView):
    """An `ImageSet` whose other images look as if they had no mask; all else is that of `whole`."""

    is_kept_N: Tensor
    """Whether each image keeps its mask, bool."""

    def __getitems__(self, draws: list[Draw]) -> Batch:
        """Return the images of `draws`; those without a mask have a background of zeros."""
        batch = super().__getitems__(draws)
        assert batch.indices_B is not None, "images of a set know their places"
        is_kept_B = self.is_kept_N[batch.indices_B]
        background_BHW = batch.background_BHW.masked_fill(~is_kept_B[:, None, None], 0)
        return replace(batch, background_BHW=background_BHW, has_mask_B=batch.has_mask_B & is_kept_B)

    def digest(self) -> str:
        """Hash the whole set's digest and which masks are kept."""
        return short_hash([super().digest(), str(self.is_kept_N.nonzero().flatten().tolist())])


def with_mask_subset(images: ImageSet, config: MaskSubset, *, several_labels: bool = False) -> ImageSet:
    """Return the images with the masks that `config` keeps, of each class alike.

    Args:
        several_labels: Images have no label of their own; the masks are then chosen from all images.
    """
    labels_N = images.labels_N if not several_labels and isinstance(images, Labelled) else torch.zeros(len(images))
    return WithMaskSubset(images, torch.from_numpy(kept(labels_N.numpy(), share=config.share, seed=config.seed)))


def kept(labels_N: npt.NDArray[np.int64], *, share: float, seed: int) -> npt.NDArray[np.bool_]:
    """Return which images keep their masks: of each class the share, to the nearest, and at least one.

    With the same seed, the images of a smaller share are among those of a larger one.
    """
    shuffled_N = np.random.default_rng(seed).permutation(len(labels_N))
    is_kept_N = np.zeros(len(labels_N), dtype=np.bool_)
    for label in np.unique(labels_N):
        of_class = shuffled_N[labels_N[shuffled_N] == label]
        is_kept_N[of_class[: max(1, round(share * len(of_class)))]] = True
    return is_kept_N
