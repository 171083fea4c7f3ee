"""Families of random textures, told apart by pattern and hue.

Each texture blends a dark and a light tone of mid luminance, so that near-black and near-white ink stand out on all
of them. Lengths are in 48ths of a picture's side, angles in degrees.
Shape letters: N pictures, C channels, H W picture height and width.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

Array = npt.NDArray[np.float32]
Rng = np.random.Generator
Pattern = Callable[[Array, Array, Rng], Array]
"""From the coordinates y and x, NHW, to a blend in [0, 1] of the dark (0) and the light tone (1), NHW."""

SIDE = 48.0
DARK_LUMINANCE = (0.32, 0.38)
LIGHT_LUMINANCE = (0.58, 0.64)
_CHROMA = 0.22
_HUE_JITTER = 0.02
_LUMINANCE_WEIGHTS = np.array([0.299, 0.587, 0.114], dtype=np.float32)


class Family(NamedTuple):
    """A pattern and the hues, in turns, of its dark and its light tone."""

    pattern: Pattern
    dark_hue: float
    light_hue: float


def draw_textures(family: Family, num: int, image_size: int, rng: Rng) -> Array:
    """Return `num` textures of a family, N3HW in [0, 1], each with its own phase, scale, angle and tones."""
    axis = ((np.arange(image_size, dtype=np.float32) + 0.5) * (SIDE / image_size)).astype(np.float32)
    y_NHW = np.broadcast_to(axis[:, None], (num, image_size, image_size))
    x_NHW = np.broadcast_to(axis[None, :], (num, image_size, image_size))
    blend_N1HW = family.pattern(y_NHW, x_NHW, rng)[:, None]
    dark_NC11 = _tones(family.dark_hue, DARK_LUMINANCE, num, rng)
    light_NC11 = _tones(family.light_hue, LIGHT_LUMINANCE, num, rng)
    return np.asarray(dark_NC11 + (light_NC11 - dark_NC11) * blend_N1HW, dtype=np.float32)


def _tones(hue: float, luminance: tuple[float, float], num: int, rng: Rng) -> Array:
    """Return NC11 colours of about one hue, with their luminance in the given range."""
    turns = hue + rng.uniform(-_HUE_JITTER, _HUE_JITTER, (num, 1)) + np.array([0.0, -1 / 3, 1 / 3])
    wheel_NC = np.cos(2 * np.pi * turns)
    chroma_NC = wheel_NC - wheel_NC @ _LUMINANCE_WEIGHTS[:, None]  # Hue moves colour, not luminance.
    tones_NC = rng.uniform(*luminance, (num, 1)) + _CHROMA * chroma_NC
    return np.asarray(tones_NC[:, :, None, None], dtype=np.float32)


def _jitter(value: float, num: int, rng: Rng, *, share: float = 0.1) -> Array:
    return (value * rng.uniform(1 - share, 1 + share, (num, 1, 1))).astype(np.float32)


def _turned(y: Array, x: Array, angle: float, rng: Rng) -> tuple[Array, Array]:
    """Turn the coordinates by `angle`, give or take 6 degrees, and shift them at random."""
    radians = np.asarray(np.deg2rad(angle + rng.uniform(-6, 6, (len(y), 1, 1))), dtype=np.float32)
    shift = rng.uniform(0, SIDE, (2, len(y), 1, 1)).astype(np.float32)
    cos, sin = np.cos(radians), np.sin(radians)
    return cos * y - sin * x + shift[0], sin * y + cos * x + shift[1]


def _wave(distance: Array, wavelength: Array) -> Array:
    return np.asarray(0.5 + 0.5 * np.sin(distance * (2 * np.pi / wavelength)), dtype=np.float32)


def _grating(wavelength: float, angle: float, *, sharp: bool = False) -> Pattern:
    def pattern(y: Array, x: Array, rng: Rng) -> Array:
        wave = _wave(_turned(y, x, angle, rng)[1], _jitter(wavelength, len(y), rng))
        return (wave > 0.5).astype(np.float32) if sharp else wave

    return pattern


def _checker(cell: float, angle: float) -> Pattern:
    def pattern(y: Array, x: Array, rng: Rng) -> Array:
        v, u = _turned(y, x, angle, rng)
        side = _jitter(cell, len(y), rng)
        return np.asarray((np.floor(v / side) + np.floor(u / side)) % 2, dtype=np.float32)

    return pattern


def _dots(pitch: float, radius: float, angle: float) -> Pattern:
    def pattern(y: Array, x: Array, rng: Rng) -> Array:
        v, u = _turned(y, x, angle, rng)
        side = _jitter(pitch, len(y), rng)
        distance = np.hypot(v % side - side / 2, u % side - side / 2)
        return np.asarray(distance < radius, dtype=np.float32)

    return pattern


def _rings(wavelength: float) -> Pattern:
    def pattern(y: Array, x: Array, rng: Rng) -> Array:
        v, u = y - _centre(len(y), rng), x - _centre(len(y), rng)
        return _wave(np.sqrt(v**2 + u**2), _jitter(wavelength, len(y), rng))

    return pattern


def _spokes(num_spokes: int) -> Pattern:
    def pattern(y: Array, x: Array, rng: Rng) -> Array:
        v, u = y - _centre(len(y), rng), x - _centre(len(y), rng)
        return _wave(np.arctan2(v, u), np.full((len(y), 1, 1), 2 * np.pi / num_spokes, dtype=np.float32))

    return pattern


def _centre(num: int, rng: Rng) -> Array:
    return rng.uniform(SIDE / 4, SIDE * 3 / 4, (num, 1, 1)).astype(np.float32)


def _noise(cells: int, *, sharp: bool = False) -> Pattern:
    """Random values on a grid of `cells` a side, interpolated; blobs when it is coarse, grain when it is fine."""

    def pattern(y: Array, x: Array, rng: Rng) -> Array:
        grid = torch.from_numpy(rng.random((len(y), 1, cells, cells), dtype=np.float32))
        noise: Array = functional.interpolate(grid, size=x.shape[1:], mode="bicubic").clamp(0, 1)[:, 0].numpy()
        return (noise > 0.5).astype(np.float32) if sharp else noise

    return pattern


def _plaid(wavelength: float) -> Pattern:
    def pattern(y: Array, x: Array, rng: Rng) -> Array:
        v, u = _turned(y, x, 0, rng)
        length = _jitter(wavelength, len(y), rng)
        return 0.5 * (_wave(v, length) + _wave(u, length))

    return pattern


def _zigzag(wavelength: float, period: float) -> Pattern:
    def pattern(y: Array, x: Array, rng: Rng) -> Array:
        v, u = _turned(y, x, 0, rng)
        teeth = np.abs(u % period - period / 2)
        return (_wave(v + teeth, _jitter(wavelength, len(y), rng)) > 0.5).astype(np.float32)

    return pattern


def _ripples(wavelength: float, period: float) -> Pattern:
    def pattern(y: Array, x: Array, rng: Rng) -> Array:
        v, u = _turned(y, x, 90, rng)
        sway = (2.5 * np.sin(u * (2 * np.pi / period))).astype(np.float32)
        return _wave(v + sway, _jitter(wavelength, len(y), rng))

    return pattern


def _bricks(height: float, width: float) -> Pattern:
    def pattern(y: Array, x: Array, rng: Rng) -> Array:
        v, u = _turned(y, x, 0, rng)
        course = np.floor(v / height)
        joint = (v % height < 1.5) | ((u + course * (width / 2)) % width < 1.5)
        return np.asarray(~joint, dtype=np.float32)

    return pattern


def _honeycomb(wavelength: float) -> Pattern:
    """Three gratings 60 degrees apart."""

    def pattern(y: Array, x: Array, rng: Rng) -> Array:
        v, u = _turned(y, x, 0, rng)
        length = _jitter(wavelength, len(y), rng)
        waves = [_wave(u * np.float32(np.cos(a)) + v * np.float32(np.sin(a)), length) for a in np.deg2rad([0, 60, 120])]
        return np.asarray(np.mean(waves, axis=0), dtype=np.float32)

    return pattern


def _gradient(y: Array, x: Array, rng: Rng) -> Array:
    angle = rng.uniform(0, 2 * np.pi, (len(y), 1, 1)).astype(np.float32)
    along = (y - SIDE / 2) * np.sin(angle) + (x - SIDE / 2) * np.cos(angle)
    return np.asarray(np.clip(0.5 + along / SIDE, 0, 1), dtype=np.float32)


SEEN: tuple[Family, ...] = (
    Family(_grating(10, 90), 0.00, 0.15),
    Family(_grating(5, 0, sharp=True), 0.60, 0.50),
    Family(_grating(7, 45), 0.30, 0.45),
    Family(_grating(9, 135, sharp=True), 0.80, 0.95),
    Family(_checker(6, 0), 0.10, 0.20),
    Family(_dots(9, 3, 0), 0.70, 0.05),
    Family(_rings(8), 0.50, 0.30),
    Family(_noise(5), 0.90, 0.75),
    Family(_noise(32), 0.20, 0.35),
    Family(_plaid(11), 0.40, 0.85),
)
"""Class k's own texture is family k."""

UNSEEN: tuple[Family, ...] = (
    Family(_grating(13, 22), 0.55, 0.05),
    Family(_grating(4, 112), 0.05, 0.55),
    Family(_zigzag(8, 14), 0.35, 0.65),
    Family(_ripples(8, 20), 0.95, 0.25),
    Family(_spokes(9), 0.15, 0.70),
    Family(_honeycomb(9), 0.75, 0.40),
    Family(_checker(8, 45), 0.45, 0.00),
    Family(_gradient, 0.25, 0.90),
    Family(_noise(9, sharp=True), 0.65, 0.10),
    Family(_bricks(7, 15), 0.85, 0.60),
)
"""Textures that no training picture has."""
