import colorsys

import numpy as np
import pytest

from trainables.data.textures import (
    LUMINANCE_NOISE,
    NUM_FAMILIES,
    OWN_SHARE,
    SEEN,
    UNSEEN,
    Array,
    Ints,
    draw_textures,
    tile_side,
)

PALETTES = pytest.mark.parametrize("palette_KC", [SEEN, UNSEEN], ids=["seen", "unseen"])


def draw(palette_KC: Array, families_N: Ints, image_size: int = 48) -> Array:
    return draw_textures(palette_KC, families_N, image_size, np.random.default_rng(0))


def hues(textures_NCHW: Array, palette_KC: Array) -> Ints:
    """Return each pixel's row in the palette; the noise is the same for the three channels, so chroma is exact."""
    palette = palette_KC - palette_KC.mean(1, keepdims=True)
    chroma_NHWC = np.moveaxis(textures_NCHW - textures_NCHW.mean(1, keepdims=True), 1, -1)
    distance = np.abs(chroma_NHWC[..., None, :] - palette).max(-1)
    assert distance.min(-1).max() < 0.04  # Noise of more than four standard deviations is clipped.
    return distance.argmin(-1)


def test_unseen_hues_lie_half_way_between_the_seen() -> None:
    wheels = [[colorsys.rgb_to_hsv(*colour)[0] for colour in palette.tolist()] for palette in (SEEN, UNSEEN)]
    assert wheels[0] == pytest.approx([k / 10 for k in range(10)], abs=1e-6)
    assert wheels[1] == pytest.approx([k / 10 + 0.05 for k in range(10)], abs=1e-6)


@PALETTES
@pytest.mark.parametrize("family", range(NUM_FAMILIES))
def test_own_hue_has_its_share_and_the_others_are_even(palette_KC: Array, family: int) -> None:
    num = 400
    # Tiles are 4 pixels, whatever their phase.
    one_a_tile = hues(draw(palette_KC, np.full(num, family))[:, :, ::4, ::4], palette_KC)
    shares = np.bincount(one_a_tile.ravel(), minlength=NUM_FAMILIES) / one_a_tile.size
    expected = np.full(NUM_FAMILIES, (1 - OWN_SHARE) / 9)
    expected[family] = OWN_SHARE
    assert (np.abs(shares - expected) < 4 * np.sqrt(expected * (1 - expected) / one_a_tile.size)).all()


def test_one_tile_tells_little_and_an_image_tells_all() -> None:
    families_N = np.arange(500) % NUM_FAMILIES
    hues_NHW = hues(draw(SEEN, families_N), SEEN)
    counts_NK = np.stack([(hues_NHW == k).sum((1, 2)) for k in range(NUM_FAMILIES)], axis=1)
    assert (hues_NHW[:, 20, 20] == families_N).mean() == pytest.approx(OWN_SHARE, abs=0.066)  # Three standard errors.
    assert (counts_NK.argmax(1) == families_N).all()


@pytest.mark.parametrize(("image_size", "side"), [(32, 3), (48, 4), (50, 4), (128, 11)])
def test_tiles_are_squares_on_a_grid_at_every_phase(image_size: int, side: int) -> None:
    assert tile_side(image_size) == side
    phases = []
    for hues_HW in hues(draw(SEEN, np.arange(100) % NUM_FAMILIES, image_size), SEEN):
        (rows,) = np.nonzero((np.diff(hues_HW, axis=0) != 0).any(1))
        (columns,) = np.nonzero((np.diff(hues_HW, axis=1) != 0).any(0))
        assert len(set(rows % side)) == len(set(columns % side)) == 1
        phases.append((rows[0] % side, columns[0] % side))
    assert [set(along) for along in zip(*phases, strict=True)] == [set(range(side))] * 2
    assert len(set(phases)) > side


@PALETTES
def test_noise_moves_luminance_alone(palette_KC: Array) -> None:
    textures = draw(palette_KC, np.arange(100) % NUM_FAMILIES)
    assert textures.shape == (100, 3, 48, 48)
    assert textures.dtype == np.float32
    assert textures.min() >= 0
    assert textures.max() <= 1
    noise = textures.mean(1) - palette_KC.mean(1)[hues(textures, palette_KC)]
    assert noise.std() == pytest.approx(LUMINANCE_NOISE, rel=0.02)
    assert abs(noise.mean()) < 0.001
