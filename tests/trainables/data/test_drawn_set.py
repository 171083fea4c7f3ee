import pickle
from collections.abc import Callable

import numpy as np
import pytest
import torch

from trainables.data import NO_CLASS, Draw
from trainables.data.drawn_set import DrawnSet, bare_texture, normal_noise, uniform_noise
from trainables.data.textures import LUMINANCE_NOISE, SEEN, Array, Rng

KINDS = [normal_noise, uniform_noise, bare_texture]
Kind = Callable[[int, Rng], Array]


def drawn(draw: Kind, *, num: int = 5, seed: int = 7, image_size: int = 32) -> DrawnSet:
    return DrawnSet("kind", num, image_size, seed, draw)


@pytest.mark.parametrize("draw", KINDS)
def test_an_image_follows_from_seed_and_index_alone(draw: Kind) -> None:
    before = torch.random.get_rng_state()
    whole = drawn(draw).__getitems__([Draw(index, 0) for index in range(5)])
    assert torch.equal(torch.random.get_rng_state(), before)
    backwards = pickle.loads(pickle.dumps(drawn(draw, num=9))).__getitems__([Draw(3, 11), Draw(1, 12)])
    assert torch.equal(backwards.images_BCHW, whole.images_BCHW[[3, 1]])
    assert backwards.ids == ("kind-00003", "kind-00001")
    other = drawn(draw, seed=8).__getitems__([Draw(3, 0)])
    assert not torch.equal(other.images_BCHW[0], whole.images_BCHW[3])
    assert not torch.equal(whole.images_BCHW[0], whole.images_BCHW[1])


@pytest.mark.parametrize("draw", KINDS)
def test_batches_have_the_declared_form(draw: Kind) -> None:
    batch = drawn(draw).__getitems__([Draw(0, 0), Draw(4, 0)])
    assert batch.images_BCHW.shape == (2, 3, 32, 32)
    assert batch.images_BCHW.dtype == torch.float32
    levels = batch.images_BCHW * 255
    assert torch.equal((levels.round() / 255), batch.images_BCHW)
    assert levels.min() >= 0
    assert levels.max() <= 255
    assert batch.labels_B.tolist() == [NO_CLASS, NO_CLASS]
    assert batch.labels_B.dtype == torch.int64
    assert batch.background_BHW.shape == (2, 32, 32)
    assert not batch.background_BHW.any()
    assert batch.has_mask_B.tolist() == [False, False]
    assert len(drawn(draw).__getitems__([])) == 0


def test_normal_noise_is_clipped_at_half_a_standard_deviation() -> None:
    noise_CHW = normal_noise(128, np.random.default_rng(0))
    assert (noise_CHW == 0).mean() == pytest.approx(0.3085, abs=0.01)
    assert (noise_CHW == 1).mean() == pytest.approx(0.3085, abs=0.01)
    assert noise_CHW.mean() == pytest.approx(0.5, abs=0.01)


def test_uniform_noise_has_the_moments_of_the_uniform_distribution() -> None:
    noise_CHW = uniform_noise(128, np.random.default_rng(0))
    assert noise_CHW.mean() == pytest.approx(1 / 2, abs=0.01)
    assert noise_CHW.var() == pytest.approx(1 / 12, abs=0.005)


def test_a_bare_texture_shows_the_hues_of_training_and_nothing_else() -> None:
    texture_CHW = bare_texture(48, np.random.default_rng(0))
    distances = np.abs(texture_CHW[:, None] - SEEN.T[:, :, None, None]).max(0).min(0)
    assert distances.max() < 5 * LUMINANCE_NOISE


def test_digest_covers_what_the_images_follow_from() -> None:
    digests = [
        drawn(normal_noise).digest(),
        drawn(normal_noise, num=6).digest(),
        drawn(normal_noise, seed=8).digest(),
        drawn(normal_noise, image_size=33).digest(),
        DrawnSet("other", 5, 32, 7, normal_noise).digest(),
    ]
    assert len(set(digests)) == len(digests)
    assert drawn(normal_noise).digest() == digests[0]
