"""Arrays of masks in NumPy's and MATLAB's files, as images.

H W image height and width.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image

Source = Path | IO[bytes]


def npy_image(source: Source) -> Image.Image:
    """Return an array of whole numbers from 0 to 255, HW, as a grey image; ValueError where it is none.

    An array of objects is refused, for loading it could run any code.
    """
    values: Any = np.load(source, allow_pickle=False)
    grey = np.asarray(values).astype(np.uint8)
    if grey.ndim != 2 or not np.array_equal(grey, values):
        raise ValueError(f"it has shape {np.shape(values)}; expected height and width, and whole numbers from 0 to 255")
    return Image.fromarray(grey)


def sbd_image(source: Source) -> Image.Image:
    """Return the classes of SBD's pixels, `GTcls.Segmentation`, as a grey image; ValueError where there are none."""
    from scipy.io import loadmat  # Only SBD needs it, and its import takes long.
    from scipy.io.matlab import MatReadError

    try:
        return Image.fromarray(np.asarray(loadmat(source)["GTcls"][0]["Segmentation"][0], dtype=np.uint8))
    except (MatReadError, KeyError, IndexError, TypeError) as error:
        raise ValueError(f"it holds no GTcls.Segmentation of SBD: {error!r}") from error


ARRAY_IMAGES: Mapping[str, Callable[[Source], Image.Image]] = {".npy": npy_image, ".mat": sbd_image}
"""By the ending of the file, in lower case."""
