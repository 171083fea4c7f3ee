"""The handwritten digits themselves, and which of them training may show.

They are scikit-learn's `load_digits` (Alpaydin & Kaynak, UCI 1998).
Shape letter: N digits.
"""

import numpy as np

from trainables.data.textures import Array, Ints, Rng

NUM_TRAIN_DIGITS = 1200


def read_glyphs() -> tuple[Array, Ints]:
    """Return all digits, N88 in [0, 1], and their labels."""
    from sklearn.datasets import load_digits  # Takes a second, which runs on other data need not wait.

    bunch = load_digits()
    return (bunch.images / 16).astype(np.float32), bunch.target.astype(np.int64)


def split_digits(labels_N: Ints, rng: Rng) -> tuple[Ints, Ints]:
    """Return the indices of the training and of the test digits, with the classes in equal shares."""
    from sklearn.model_selection import train_test_split

    train_indices, test_indices = train_test_split(
        np.arange(len(labels_N)),
        train_size=NUM_TRAIN_DIGITS,
        stratify=labels_N,
        random_state=int(rng.integers(2**32)),
    )
    return train_indices, test_indices
