"""Handwritten digits on textures that agree with the class: background as a built-in shortcut, with masks.

A few pixels of texture are weak evidence of the class, and the whole background is strong evidence. So a model that
is trained to look only at the object finds little of the shortcut next to it. A dark outline separates the bright
stroke from every texture, and counts as object.

The digits are scikit-learn's `load_digits` (Alpaydin & Kaynak, UCI 1998). All sets are drawn once per process.
Shape letters: N images or digits, B batch, C channels, H W image height and width.
"""

import functools
import hashlib
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from trainables.config import SpuriousDigits
from trainables.data.batch import Batch
from trainables.data.dataset import DataBundle, Draw
from trainables.data.handwriting import read_glyphs, split_digits
from trainables.data.textures import NUM_FAMILIES, SEEN, UNSEEN, Array, Ints, Rng, draw_textures
from trainables.data.validation_cut import cut

CLASS_NAMES = tuple(map(str, range(10)))
GROUP_NAMES = ("own texture", "another texture")
_GLYPH_SIDES = (24, 30)  # Smallest and largest, in 48ths of the image's side.
_INK_THRESHOLD = 0.5
_STROKE_COLOUR = (0.9, 1.0)  # Range of each channel.
_OUTLINE_COLOUR = 0.06
_OUTLINE_WIDTH = 2  # In 48ths of the image's side.
_CHUNK = 256  # Images drawn at once.


class _Stream(IntEnum):
    """The step of the drawing that a random generator serves, so that no step depends on another's length."""

    SPLIT = 0
    TRAIN_DIGITS = 1
    TEST_DIGITS = 2
    TRAIN = 3
    TEST = 4
    RANDOM_BACKGROUND = 5
    UNSEEN_TEXTURES = 6
    CUT = 7
    VALIDATION_DIGITS = 8
    VALIDATION = 9


@dataclass(frozen=True, eq=False)
class DigitSet:
    """An `ImageSet` in memory; its images are already augmented by their drawing, so a draw's seed has no effect.

    A further view is another drawing, with the draw's seed: the same handwriting at another size and place, in another
    stroke colour, on another mosaic of the same family.
    """

    name: str
    images_NCHW: Tensor
    """uint8."""
    ink_NHW: Tensor
    """bool: stroke and outline."""
    labels_N: Tensor
    """int64."""
    families_N: Tensor
    """int64: the texture family of each image."""
    glyphs_N88: Array
    """The handwriting, in [0, 1]."""
    seen: bool = True
    """Whether its textures are those of the training set, so that family k is class k's own."""
    class_names: tuple[str, ...] = CLASS_NAMES
    group_names: tuple[str, ...] = GROUP_NAMES
    group_uncommon: tuple[tuple[str, ...], ...] = ()
    num_skipped: int = 0

    def __len__(self) -> int:
        return len(self.labels_N)

    @property
    def is_masked_N(self) -> Tensor:  # noqa: N802
        """True for each index, since all have masks."""
        return torch.ones(len(self), dtype=torch.bool)

    def groups(self) -> Tensor | None:
        """Return 0 on the class's own texture and 1 on another; None where no class owns a texture.

        Classes are taken together: ten times as many groups would have too few images to tell two trials apart.
        """
        return (self.families_N != self.labels_N).long() if self.seen else None

    def __getitems__(self, draws: list[Draw]) -> Batch:
        """Index the tensors, and draw further views."""
        indices_B = torch.tensor([draw.index for draw in draws], dtype=torch.int64)
        images_BCHW, ink_BHW = self.images_NCHW[indices_B], self.ink_NHW[indices_B]
        for row in [row for row, draw in enumerate(draws) if draw.view]:
            images_BCHW[row], ink_BHW[row] = self._redraw(draws[row])
        return Batch(
            images_BCHW=images_BCHW.float() / 255,
            labels_B=self.labels_N[indices_B],
            background_BHW=(~ink_BHW).float(),
            has_mask_B=torch.ones(len(draws), dtype=torch.bool),
            ids=tuple(f"{self.name}-{draw.index:05d}" for draw in draws),
            indices_B=indices_B,
        )

    def _redraw(self, draw: Draw) -> tuple[Tensor, Tensor]:
        itself = slice(draw.index, draw.index + 1)
        drawn = draw_digits(
            self.glyphs_N88[itself],
            self.labels_N[itself].numpy(),
            self.families_N[itself].numpy(),
            image_size=self.images_NCHW.shape[-1],
            rng=np.random.default_rng(draw.seed),
            name=self.name,
        )
        return drawn.images_NCHW[0], drawn.ink_NHW[0]

    def digest(self) -> str:
        """Hash images, masks and labels."""
        return self._digest

    @functools.cached_property
    def _digest(self) -> str:
        sha = hashlib.sha256()
        for tensor in (self.images_NCHW, self.ink_NHW, self.labels_N):
            sha.update(tensor.numpy().tobytes())
        return sha.hexdigest()[:16]


@dataclass(frozen=True)
class _Digits:
    """Digits at their places, before any texture."""

    stroke_NHW: Array
    """Opacity of the bright stroke."""
    outline_NHW: Array
    """Opacity of the dark outline, which lies under the stroke too."""
    glyphs_N88: Array
    labels_N: Ints


@functools.lru_cache(maxsize=2)
def build_spurious_digits(config: SpuriousDigits) -> DataBundle:
    """Draw the sets of `config`; a config seen before in this process is not drawn again.

    The three test sets show the same digits at the same places, and differ only in texture and stroke colour.
    """
    train_digits, val_digits, test_digits = _place_all(config)

    def render(
        digits: _Digits, stream: _Stream, name: str, *, random_share: float, palette_KC: Array = SEEN
    ) -> DigitSet:
        rng = _rng(config, stream)
        families_N = _families(digits.labels_N, config.correlation, random_share, rng)
        return _render(digits, palette_KC, families_N, rng, name=name)

    shifted = functools.partial(render, test_digits, random_share=1)
    train = render(train_digits, _Stream.TRAIN, "train", random_share=0)
    test = render(test_digits, _Stream.TEST, "val" if val_digits is None else "test", random_share=0)
    val = test
    if val_digits is not None:
        val = render(val_digits, _Stream.VALIDATION, "val", random_share=config.validation.random_share)
    return DataBundle(
        train=train,
        train_unaugmented=train,
        val=val,
        test=test,
        shift={
            "random_background": shifted(_Stream.RANDOM_BACKGROUND, "random_background"),
            "unseen_textures": shifted(_Stream.UNSEEN_TEXTURES, "unseen_textures", palette_KC=UNSEEN),
        },
        class_names=CLASS_NAMES,
        config=config,
    )


def held_out_glyphs(config: SpuriousDigits) -> tuple[Array, Ints]:
    """Return the handwritten digits of the test sets, N88 in [0, 1], and their labels."""
    glyphs_N88, labels_N = read_glyphs()
    _, indices = split_digits(labels_N, _rng(config, _Stream.SPLIT))
    return glyphs_N88[indices], labels_N[indices]


def draw_digits(
    glyphs_N88: Array, labels_N: Ints, families_N: Ints, *, image_size: int, rng: Rng, name: str
) -> DigitSet:
    """Draw glyphs, with opacities in [0, 1], at random places on the given families of the training textures."""
    return _render(_place_glyphs(glyphs_N88, labels_N, image_size, rng), SEEN, families_N, rng, name=name)


def _rng(config: SpuriousDigits, stream: _Stream) -> Rng:
    return np.random.default_rng([config.seed, int(stream)])


def _families(labels_N: Ints, correlation: float, random_share: float, rng: Rng) -> Ints:
    """Return the texture family of each digit, of which the first `random_share` lie on any with equal probability.

    The rest lie on their class's own with probability `correlation`, else on one of the other nine.
    """
    any_M = rng.integers(NUM_FAMILIES, size=round(random_share * len(labels_N)))
    rest_N = labels_N[len(any_M) :]
    others_N = (rest_N + rng.integers(1, NUM_FAMILIES, size=len(rest_N))) % NUM_FAMILIES
    return np.concatenate([any_M, np.where(rng.random(len(rest_N)) < correlation, rest_N, others_N)])


def _place_all(config: SpuriousDigits) -> tuple[_Digits, _Digits | None, _Digits]:
    """Return training, validation and test digits at their places; no handwritten digit is in two of them.

    There are no validation digits where the test set validates too.
    """
    glyphs_N88, labels_N = read_glyphs()
    train_indices, test_indices = split_digits(labels_N, _rng(config, _Stream.SPLIT))
    val_indices = None
    if config.validation.source == "cut":
        seed = int(_rng(config, _Stream.CUT).integers(2**32))
        is_cut_N = cut(labels_N[train_indices], share=config.validation.share, seed=seed)
        train_indices, val_indices = train_indices[~is_cut_N], train_indices[is_cut_N]

    def place(pool: Ints, num: int, stream: _Stream) -> _Digits:
        rng = _rng(config, stream)
        chosen = np.concatenate([rng.permutation(pool) for _ in range(-(-num // len(pool)))])[:num]
        return _place_glyphs(glyphs_N88[chosen], labels_N[chosen], config.image_size, rng)

    return (
        place(train_indices, config.num_train, _Stream.TRAIN_DIGITS),
        None if val_indices is None else place(val_indices, config.num_test, _Stream.VALIDATION_DIGITS),
        place(test_indices, config.num_test, _Stream.TEST_DIGITS),
    )


def _place_glyphs(glyphs_N88: Array, labels_N: Ints, image_size: int, rng: Rng) -> _Digits:
    stroke_NHW = _place(glyphs_N88, image_size, rng)
    return _Digits(stroke_NHW, _outline(stroke_NHW), glyphs_N88, labels_N)


def _place(glyphs_N88: Array, image_size: int, rng: Rng) -> Array:
    """Enlarge each digit to a random size, at a random place with room for the outline; return opacities, NHW."""
    smallest, largest = (round(side * image_size / 48) for side in _GLYPH_SIDES)
    sides_N = rng.integers(smallest, largest + 1, size=len(glyphs_N88))
    margin = _outline_radius(image_size) + 1  # One for the outline's soft edge.
    tops_N, lefts_N = (rng.integers(margin, image_size - margin - sides_N + 1) for _ in range(2))
    stroke_NHW = np.zeros((len(glyphs_N88), image_size, image_size), dtype=np.float32)
    for side in range(smallest, largest + 1):
        (which,) = np.nonzero(sides_N == side)
        if len(which):
            span = np.arange(side)
            rows, columns = tops_N[which, None, None] + span[:, None], lefts_N[which, None, None] + span
            stroke_NHW[which[:, None, None], rows, columns] = _enlarge(glyphs_N88[which], side)
    return stroke_NHW


def _enlarge(glyphs_N88: Array, side: int) -> Array:
    """Return the digits at `side` pixels, with the soft edge of the enlargement made steeper."""
    glyphs_N1SS = functional.interpolate(torch.from_numpy(glyphs_N88)[:, None], size=(side, side), mode="bicubic")
    enlarged: Array = ((glyphs_N1SS[:, 0] - _INK_THRESHOLD) * 2 + _INK_THRESHOLD).clamp(0, 1).numpy()
    return enlarged


def _outline_radius(image_size: int) -> int:
    return round(_OUTLINE_WIDTH * image_size / 48)


def _outline(stroke_NHW: Array) -> Array:
    """Widen each stroke by the outline's radius, and soften the edge by a 3 x 3 mean; return opacities, NHW."""
    radius = _outline_radius(stroke_NHW.shape[-1])
    wide_N1HW = torch.from_numpy(stroke_NHW)[:, None]
    for kernel, padding in (((2 * radius + 1, 1), (radius, 0)), ((1, 2 * radius + 1), (0, radius))):
        wide_N1HW = functional.max_pool2d(wide_N1HW, kernel, stride=1, padding=padding)
    soft: Array = functional.avg_pool2d(wide_N1HW, 3, stride=1, padding=1)[:, 0].numpy()
    return soft


def _render(digits: _Digits, palette_KC: Array, families_N: Ints, rng: Rng, *, name: str) -> DigitSet:
    num, size, _ = digits.stroke_NHW.shape
    images_NCHW = np.empty((num, 3, size, size), dtype=np.uint8)
    for start in range(0, num, _CHUNK):
        chunk = slice(start, start + _CHUNK)
        images = draw_textures(palette_KC, families_N[chunk], size, rng)
        images += (_OUTLINE_COLOUR - images) * digits.outline_NHW[chunk, None]
        images += (_stroke_colours(len(images), rng) - images) * digits.stroke_NHW[chunk, None]
        images_NCHW[chunk] = np.rint(images * 255)
    return DigitSet(
        name=name,
        images_NCHW=torch.from_numpy(images_NCHW),
        ink_NHW=torch.from_numpy(digits.outline_NHW > _INK_THRESHOLD),
        labels_N=torch.from_numpy(digits.labels_N),
        families_N=torch.from_numpy(families_N),
        glyphs_N88=digits.glyphs_N88,
        seen=palette_KC is SEEN,
    )


def _stroke_colours(num: int, rng: Rng) -> Array:
    """Return N311 colours, brighter than every texture."""
    return rng.uniform(*_STROKE_COLOUR, (num, 3, 1, 1)).astype(np.float32)
