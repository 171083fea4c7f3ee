"""The check of a data set: what it holds, what is missing or broken, and what it should hold."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from orchestrator.data.files import Track, decode_files, stat_files
from orchestrator.data.published import Count, published_counts
from trainables.config import DataConfig, ImageNetS, OxfordPet, SpuriousDigits
from trainables.data import Draw, ImageSet, build_data
from trainables.data.folders import first_few
from trainables.data.image_files import ImageFiles


@dataclass(frozen=True, slots=True)
class SetCount:
    """What one set holds."""

    images: int
    with_mask: int
    without_mask: int
    classes: Mapping[str, int] | None
    """Images by class; None where the classes are in masks that were not decoded."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a set, and what to do."""

    set: str
    """`train`, `val`, `test`, `shift.<name>` or `val_shift.<name>`."""
    message: str


@dataclass(frozen=True, slots=True)
class Checked:
    """All sets of a config."""

    sets: Mapping[str, SetCount]
    findings: list[Problem]


def check_data_set(
    config: DataConfig, *, processes: int | None = None, published: bool = True, track: Track | None = None
) -> Checked:
    """Count images and masks, check that each file is there, and decode them if asked to.

    Args:
        processes: How many processes decode every image and mask; 0 is this process, and None decodes nothing.
        published: Whether to compare with the publishers' counts.
        track: Shows progress.

    Raises:
        ConfigError: The data cannot be listed at all.
    """
    sets: dict[str, SetCount] = {}
    findings: list[Problem] = []
    expected = published_counts(config) if published else {}
    for name, images in build_data(_tolerant(config)).named().items():
        sets[name], wrong = _check_set(images, processes, _named(track or _untracked, name))
        wrong += _empty_classes(config, name, sets[name])
        findings += [Problem(name, message) for message in wrong]
    for name, count in _as_published(config, sets).items():
        if name in expected:
            findings += [Problem(name, message) for message in _unlike_published(config, name, count, expected[name])]
    return Checked(sets, findings)


def _as_published(config: DataConfig, sets: Mapping[str, SetCount]) -> dict[str, SetCount]:
    """Return the counts of the publisher's sets: the validation images are part of its training or its test set."""
    match config.validation.source:
        case "cut":
            parts = (sets["train"], sets["val"])
            images, with_mask, without_mask = (
                sum(getattr(part, name) for part in parts) for name in ("images", "with_mask", "without_mask")
            )
            return {**sets, "train": SetCount(images, with_mask, without_mask, None)}
        case "held_out":
            return {**sets, "test": sets["val"]}
        case _:
            return dict(sets)


def _untracked(steps: Iterable[object], _: str, __: int) -> Iterable[object]:
    return steps


def _named(track: Track, name: str) -> Track:
    return lambda steps, what, num: track(steps, f"{name}: {what}", num)


def _tolerant(config: DataConfig) -> DataConfig:
    """Return the config that lists all missing files instead of stopping at one, and reads no copies."""
    if isinstance(config, SpuriousDigits):
        return config
    shifted = {
        field: {name: section.model_copy(update={"on_error": "skip"}) for name, section in sections.items()}
        for field, sections in (("shift", config.shift), ("val_shift", config.val_shift))
    }
    return config.model_copy(update={"on_error": "skip", **shifted, "cache": None})


def _check_set(images: ImageSet, processes: int | None, track: Track) -> tuple[SetCount, list[str]]:
    if not isinstance(images, ImageFiles):
        return _drawn(images), []
    files = stat_files(images, track)
    wrong = [
        f"{what} files ({len(paths)}): {first_few(paths)}; restore them, or set data.on_error=skip to leave them out"
        for paths, what in ((files.missing, "missing"), (files.empty, "empty"))
        if paths
    ]
    labels: Iterable[int | None] = (image_file.label for image_file in images.entries)
    if processes is not None:
        labels, broken = decode_files(images, files.usable, processes=processes, track=track)
        wrong += [f"{message}; restore it, or set data.on_error=skip to leave it out" for message in broken]
    num = len(images)
    return SetCount(num, files.num_masks, num - files.num_masks, _by_class(labels, images.class_names)), wrong


def _drawn(images: ImageSet) -> SetCount:
    """Count images that are drawn, not read from files."""
    batch = images.__getitems__([Draw(index, 0) for index in range(len(images))])
    masked = int(batch.has_mask_B.sum())
    classes = _by_class(batch.labels_B.tolist(), images.class_names)
    return SetCount(len(batch), masked, len(batch) - masked, classes)


def _by_class(labels: Iterable[int | None], class_names: tuple[str, ...]) -> dict[str, int] | None:
    count = Counter(labels)
    return None if None in count else {name: count[label] for label, name in enumerate(class_names)}


def _empty_classes(config: DataConfig, name: str, count: SetCount) -> Iterator[str]:
    """Yield a message where classes of a set that is not shifted have no image; drawn sets may lack some."""
    empty = [class_name for class_name, num in (count.classes or {}).items() if not num]
    if empty and "shift." not in name and not isinstance(config, SpuriousDigits):
        remedy = ", or set data.labels=present_breed" if isinstance(config, OxfordPet) else ""
        yield f"classes without an image ({len(empty)}): {first_few(empty)}; add images{remedy}"


def _unlike_published(config: DataConfig, name: str, count: SetCount, published: Count) -> Iterator[str]:
    """Yield a message for each count that differs from the published one."""
    remedy = "complete it"
    if name.startswith("shift."):
        remedy = f"complete it in data.{name}.root or data.root"
    elif isinstance(config, ImageNetS):
        remedy = "campaign data prepare imagenet-s adds what is missing"
    elif getattr(config, "download", None) is False:
        remedy = "data.download=true fetches it"
    counts = [("images", count.images, published.images)]
    # Where all images have masks, one count says both.
    if count.without_mask or published.with_mask < published.images:
        counts.append(("images with masks", count.with_mask, published.with_mask))
    for what, num, expected in counts:
        if num != expected:
            more = f"{abs(num - expected)} {'more' if num > expected else 'fewer'}"
            yield f"{num} {what}, {more} than the {expected} published; {remedy}, or pass --subset if this is intended"
