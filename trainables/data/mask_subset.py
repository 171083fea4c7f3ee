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
from trainables.data.dataset import Draw, ImageSet, Labelled, Masked
from trainables.data.image_file import short_hash
from trainables.data.image_subset import ImageView
from trainables.data.masks.mask_format import IGNORED


@dataclass(frozen=True, eq=False)
class WithMaskSubset(ImageView):
    """An `ImageSet` whose other images look as if they had no mask; all else is that of `whole`."""

    is_kept_N: Tensor
    """Whether each image shows its mask, bool."""

    @property
    def is_masked_N(self) -> Tensor:  # noqa: N802
        return self.is_kept_N

    def __getitems__(self, draws: list[Draw]) -> Batch:
        """Return the images of `draws`; those without a mask have a background of zeros."""
        batch = super().__getitems__(draws)
        assert batch.indices_B is not None, "images of a set know their places"
        is_kept_B = self.is_kept_N[batch.indices_B]
        is_hidden_B11 = ~is_kept_B[:, None, None]
        classes_BHW = batch.classes_BHW
        return replace(
            batch,
            background_BHW=batch.background_BHW.masked_fill(is_hidden_B11, 0),
            classes_BHW=None if classes_BHW is None else classes_BHW.masked_fill(is_hidden_B11, IGNORED),
            has_mask_B=batch.has_mask_B & is_kept_B,
        )

    def digest(self) -> str:
        """Hash the whole set's digest and which masks are kept."""
        return short_hash([super().digest(), str(self.is_kept_N.nonzero().flatten().tolist())])


def with_mask_subset(images: ImageSet, config: MaskSubset, *, several_labels: bool = False) -> ImageSet:
    """Return the images with the masks that `config` keeps, of each class alike.

    Args:
        several_labels: Images have no label of their own; the masks are then chosen from all images with one.
    """
    assert isinstance(images, Masked), "a training set lists which images have masks"
    labels_N = images.labels_N if not several_labels and isinstance(images, Labelled) else torch.zeros(len(images))
    is_kept_N = kept(labels_N.numpy(), images.is_masked_N.numpy(), share=config.share, seed=config.seed)
    return WithMaskSubset(images, torch.from_numpy(is_kept_N))


def kept(
    labels_N: npt.NDArray[np.int64], is_masked_N: npt.NDArray[np.bool_], *, share: float, seed: int
) -> npt.NDArray[np.bool_]:
    """Return which images keep their masks: of each class's images with one the share, and at least one.

    The share is rounded to the nearest image. With the same seed, the images of a smaller share are among those of a
    larger one.
    """
    shuffled_N = np.random.default_rng(seed).permutation(len(labels_N))
    shuffled_N = shuffled_N[is_masked_N[shuffled_N]]
    is_kept_N = np.zeros(len(labels_N), dtype=np.bool_)
    for label in np.unique(labels_N[is_masked_N]):
        of_class = shuffled_N[labels_N[shuffled_N] == label]
        is_kept_N[of_class[: max(1, round(share * len(of_class)))]] = True
    return is_kept_N
