import numpy as np
import torch
from sklearn.datasets import load_digits

from trainables.config import SpuriousDigits
from trainables.data import NO_CLASS, Draw
from trainables.data.chimeras import draw_chimeras, join_halves, pairs_of_two_classes
from trainables.data.spurious_digits import build_spurious_digits, held_out_glyphs
from trainables.data.textures import NUM_FAMILIES

CONFIG = SpuriousDigits(num_train=20, num_test=10, image_size=32)


def test_halves_are_joined_in_the_middle() -> None:
    glyphs_N88 = np.arange(2 * 64, dtype=np.float32).reshape(2, 8, 8)
    joined_N88 = join_halves(glyphs_N88, glyphs_N88[::-1])
    assert joined_N88[0, :4].tolist() == glyphs_N88[0, :4].tolist()
    assert joined_N88[0, 4:].tolist() == glyphs_N88[1, 4:].tolist()
    assert joined_N88[1, :4].tolist() == glyphs_N88[1, :4].tolist()


def test_partners_are_of_another_class() -> None:
    labels_N = np.array([0, 0, 0, 0, 1, 2])
    first_N, second_N = pairs_of_two_classes(labels_N, 200, np.random.default_rng(0))
    assert len(first_N) == len(second_N) == 200
    assert (labels_N[first_N] != labels_N[second_N]).all()
    assert set(first_N.tolist()) == set(second_N.tolist()) == set(range(6))


def test_glyphs_are_those_that_training_never_shows() -> None:
    glyphs_N88, labels_N = held_out_glyphs(CONFIG)
    assert glyphs_N88.shape == (597, 8, 8)
    digits = load_digits()
    label_of = {image.tobytes(): label for image, label in zip(digits.images, digits.target, strict=True)}
    assert [label_of[(glyph * 16).astype(float).tobytes()] for glyph in glyphs_N88] == labels_N.tolist()


def test_chimeras_are_digits_in_all_but_class() -> None:
    chimeras = draw_chimeras(CONFIG, num=40, seed=3)
    batch = chimeras.__getitems__([Draw(index, 0) for index in range(40)])
    assert batch.images_BCHW.shape == (40, 3, 32, 32)
    assert batch.labels_B.tolist() == [NO_CLASS] * 40
    assert chimeras.class_names == ()
    assert len(set(batch.ids)) == 40
    assert set(chimeras.families_N.tolist()) == set(range(NUM_FAMILIES))
    digits = build_spurious_digits(CONFIG).val
    real = digits.__getitems__([Draw(index, 0) for index in range(10)])
    ink_B = 1 - batch.background_BHW.mean((1, 2))
    assert abs(ink_B.mean() - (1 - real.background_BHW.mean())) < 0.05


def test_chimeras_follow_from_the_seed() -> None:
    assert draw_chimeras(CONFIG, num=8, seed=3).digest() == draw_chimeras(CONFIG, num=8, seed=3).digest()
    assert draw_chimeras(CONFIG, num=8, seed=3).digest() != draw_chimeras(CONFIG, num=8, seed=4).digest()


def test_drawing_leaves_the_global_generators_alone() -> None:
    before = torch.random.get_rng_state(), np.random.get_state()[1].tolist()  # type: ignore[index]
    draw_chimeras(CONFIG, num=4, seed=0)
    assert torch.equal(torch.random.get_rng_state(), before[0])
    assert np.random.get_state()[1].tolist() == before[1]  # type: ignore[index]
