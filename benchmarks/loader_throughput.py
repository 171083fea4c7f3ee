"""Images a second that are read, decoded, cropped, mirrored and put into batches at 224 px, by the number of loader
processes. The counterpart is a bare PyTorch DataLoader with torchvision's ImageFolder and v2 transforms on the same
images. They are JPEGs of 500 x 375 pixels, the mean size in ImageNet. The rows of slow storage read through a
simulated one, on which each file takes 10 ms and 50 MB/s. "Cached" is a second epoch with `data.cache`, against the
same epoch without. A mask's decoding alone, by PIL, is what masks cost at least.

Each side reads an epoch in turn, in a fresh order. A training process that reads its own images (0 processes) has one
torch thread, as each loader process has.
"""

import builtins
import io
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

from benchmarks.harness.rows import Figure, benchmark
from benchmarks.harness.timing import interleaved
from trainables.config import HardImageNet
from trainables.config import ImageFolder as ImageFolderConfig
from trainables.data import DataBundle, build_data, training_batches

SIZE = (500, 375)
"""Width and height."""
IMAGE_SIZE = 224
SLOW_FILE_S, SLOW_BYTES_S = 0.01, 50e6


def write_images(root: Path, num: int) -> None:
    """Write smooth noise, whose files are as large as images', in two classes, each image with a mask."""
    rng = np.random.default_rng(0)
    for index in range(num):
        coarse = rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize(SIZE, Image.Resampling.BICUBIC)
        grain = rng.normal(0, 6, (SIZE[1], SIZE[0], 3))
        pixels = np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8)
        name, mask = f"n{index % 2:02}", np.zeros((SIZE[1], SIZE[0]), dtype=np.uint8)
        mask[100:300, 100:300] = 255
        for split in ("train", "val"):
            path = root / "imagenet" / split / name / f"{name}_{index}.JPEG"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path, quality=90)
            masks = root / "hardImageNet" / split
            masks.mkdir(parents=True, exist_ok=True)
            Image.fromarray(mask).save(masks / f"{name}_{path.name}", format="PNG")


def campaign_rate(data: DataBundle, epochs: Iterator[int], processes: int, batch_size: int) -> float:
    """Read an epoch as training does; return images a second."""
    batches = training_batches(data.train, batch_size=batch_size, seed=0, epoch=next(epochs), processes=processes)
    return _rate(batches, len(batches) * batch_size)


def bare_rate(root: Path, processes: int, batch_size: int) -> float:
    """Read an epoch as one writes it by hand; return images a second."""
    steps = [
        v2.ToImage(),
        v2.RandomResizedCrop(IMAGE_SIZE, scale=(0.5, 1.0), antialias=True),
        v2.RandomHorizontalFlip(),
        v2.ToDtype(torch.float32, scale=True),
    ]
    images = ImageFolder(root / "imagenet" / "train", v2.Compose(steps))
    loader = DataLoader(images, batch_size, shuffle=True, num_workers=processes, drop_last=True)
    return _rate(loader, len(loader) * batch_size)


def _rate(batches: Any, num: int) -> float:
    started = time.perf_counter()
    for _ in batches:
        pass
    return num / (time.perf_counter() - started)


@contextmanager
def slow_storage(root: Path) -> Iterator[None]:
    """Within it, each file below `root` takes its time to be opened, as on shared storage."""
    opens = builtins.open

    def slow(file: Any, *arguments: Any, **keywords: Any) -> Any:
        if isinstance(file, str | os.PathLike) and Path(file).is_relative_to(root):
            time.sleep(SLOW_FILE_S + Path(file).stat().st_size / SLOW_BYTES_S)
        return opens(file, *arguments, **keywords)

    with patch.object(builtins, "open", slow), patch.object(io, "open", slow):
        yield


def compare(sides: Mapping[str, Callable[[], float]], *, repetitions: int) -> dict[str, float]:
    return {name: median(rates) for name, rates in interleaved(sides, repetitions=repetitions, warmup=1).items()}


def figures(root: Path, *, processes: int, batch_size: int, repetitions: int) -> Iterator[Figure]:
    """Yield the rates of images without and with masks, and of slow storage."""
    plain = build_data(ImageFolderConfig(root=str(root / "imagenet"), image_size=IMAGE_SIZE))
    masked = build_data(HardImageNet(root=str(root), image_size=IMAGE_SIZE))
    epochs = count(1)
    sides = {
        "bare": partial(bare_rate, root, processes, batch_size),
        "images": partial(campaign_rate, plain, epochs, processes, batch_size),
        "images with masks": partial(campaign_rate, masked, epochs, processes, batch_size),
    }
    rates = compare(sides, repetitions=repetitions)
    for name in ("images", "images with masks"):
        yield _figure(f"{name}, {_count(processes)}", rates[name], "DataLoader, without masks", rates["bare"])


def _count(processes: int) -> str:
    return f"{processes} process{'' if processes == 1 else 'es'}"


def decoding_figure(root: Path, image_ms: float) -> Figure:
    """Return the milliseconds that PIL takes for a mask, against those of an image without one."""
    paths = list((root / "hardImageNet" / "train").iterdir())
    started = time.perf_counter()
    for path in paths:
        with Image.open(path) as mask:
            mask.load()
    mask_ms = 1000 * (time.perf_counter() - started) / len(paths)
    against = "an image, DataLoader, without masks, 0 processes"
    return Figure(figure="a mask's decoding alone", value=mask_ms, unit="ms", against=against, counterpart=image_ms)


def slow_figures(root: Path, *, processes: int, batch_size: int, repetitions: int) -> Iterator[Figure]:
    """Yield the rate from a cache, against that from slow storage."""
    folder = ImageFolderConfig(root=str(root / "imagenet"), image_size=IMAGE_SIZE)
    with tempfile.TemporaryDirectory() as cache, slow_storage(root):
        cached = build_data(folder.model_copy(update={"cache": cache, "cache_leaves_gib": 0.0}))
        epochs = count(1)
        sides = {
            "slow": partial(campaign_rate, build_data(folder), epochs, processes, batch_size),
            "cached": partial(campaign_rate, cached, epochs, processes, batch_size),
        }
        rates = compare(sides, repetitions=repetitions)
    yield _figure(f"slow storage, cached, {_count(processes)}", rates["cached"], "not cached", rates["slow"])


def _figure(figure: str, rate: float, against: str, counterpart: float) -> Figure:
    return Figure(figure=figure, value=rate, unit="images/s", against=against, counterpart=counterpart)


def main() -> None:
    run = benchmark(__file__, __doc__)
    torch.set_num_threads(1)
    num, batch_size, repetitions = (16, 8, 1) if run.quick else (384, 64, 4)
    cores = os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as folder:
        write_images(Path(folder), num)
        found: list[Figure] = []
        for processes in (0,) if run.quick else sorted({0, 1, cores}):
            found += figures(Path(folder), processes=processes, batch_size=batch_size, repetitions=repetitions)
        bare = found[0].counterpart
        assert bare is not None, "the first figure is that of images, 0 processes"
        found.append(decoding_figure(Path(folder), 1000 / bare))
        slow = 0 if run.quick else cores
        found += slow_figures(Path(folder), processes=slow, batch_size=batch_size, repetitions=repetitions)
        run.publish(found)


if __name__ == "__main__":
    main()
