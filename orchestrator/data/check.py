"""What a data set holds, what of it is missing or broken, and what it should hold."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from orchestrator.data.files import Track, decode_files, stat_files
from orchestrator.data.published import Count, published_counts
from trainables.config import DataConfig, ImageNetS, OxfordPet, SpuriousDigits
from trainables.data import DataBundle, Draw, ImageSet, build_data
from trainables.data.folders import first_few
from trainables.data.image_files import ImageFiles


@dataclass(frozen=True, slots=True)
class SetCount:
    """What one set holds."""

    images: int
    with_mask: int
    without_mask: int
    classes: Mapping[str, int] | None
    """Images by class; None where masks tell the classes and were not decoded."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong with a set, and what to do."""

    set: str
    """`train`, `val` or `shift.<name>`."""
    message: str


@dataclass(frozen=True, slots=True)
class Checked:
    """All sets of a config."""

    sets: Mapping[str, SetCount]
    findings: list[Finding]


def check_data_set(
    config: DataConfig, *, processes: int | None = None, published: bool = True, track: Track | None = None
) -> Checked:
    """Count images and masks, look whether each file is there, and decode them if told to.

    Args:
        processes: How many processes decode every image and mask, 0 for this one; None decodes nothing.
        published: Whether to compare with the publishers' counts.
        track: Shows progress.

    Raises:
        ConfigError: The data cannot be listed at all.
    """
    sets: dict[str, SetCount] = {}
    findings: list[Finding] = []
    should = published_counts(config) if published else {}
    for name, images in _sets(build_data(_tolerant(config))).items():
        sets[name], wrong = _look(images, processes, _named(track or _untracked, name))
        wrong += _empty_classes(config, name, sets[name])
        if name in should:
            wrong += _unlike(config, name, sets[name], should[name])
        findings += [Finding(name, message) for message in wrong]
    return Checked(sets, findings)


def _untracked(steps: Iterable[object], _: str, __: int) -> Iterable[object]:
    return steps


def _named(track: Track, name: str) -> Track:
    return lambda steps, what, num: track(steps, f"{name}: {what}", num)


def _tolerant(config: DataConfig) -> DataConfig:
    """Return the config for which a missing file is no error, so that all of them are found, and no copy is read."""
    if isinstance(config, SpuriousDigits):
        return config
    shift = {name: section.model_copy(update={"on_error": "skip"}) for name, section in config.shift.items()}
    return config.model_copy(update={"on_error": "skip", "shift": shift, "cache": None})


def _sets(bundle: DataBundle) -> dict[str, ImageSet]:
    """Return the sets by name, in the training set each image once."""
    shift = {f"shift.{name}": images for name, images in bundle.shift.items()}
    return {"train": bundle.train_unaugmented, "val": bundle.val, **shift}


def _look(images: ImageSet, processes: int | None, track: Track) -> tuple[SetCount, list[str]]:
    if not isinstance(images, ImageFiles):
        return _drawn(images), []
    files = stat_files(images, track)
    wrong = [
        f"{len(paths)} files are {what}: {first_few(paths)}; bring them back, or leave them out with data.on_error=skip"
        for paths, what in ((files.missing, "missing"), (files.empty, "empty"))
        if paths
    ]
    labels: Iterable[int | None] = (image_file.label for image_file in images.entries)
    if processes is not None:
        labels, broken = decode_files(images, files.usable, processes=processes, track=track)
        wrong += [f"{message}; bring it back, or leave it out with data.on_error=skip" for message in broken]
    num = len(images)
    return SetCount(num, files.num_masks, num - files.num_masks, _by_class(labels, images.class_names)), wrong


def _drawn(images: ImageSet) -> SetCount:
    """Count what is drawn and not read."""
    batch = images.__getitems__([Draw(index, 0) for index in range(len(images))])
    masked = int(batch.has_mask_B.sum())
    classes = _by_class(batch.labels_B.tolist(), images.class_names)
    return SetCount(len(batch), masked, len(batch) - masked, classes)


def _by_class(labels: Iterable[int | None], class_names: tuple[str, ...]) -> dict[str, int] | None:
    count = Counter(labels)
    return None if None in count else {name: count[label] for label, name in enumerate(class_names)}


def _empty_classes(config: DataConfig, name: str, found: SetCount) -> Iterator[str]:
    """Yield a message where a training or validation set has none of a class; those that are drawn may."""
    empty = [class_name for class_name, num in (found.classes or {}).items() if not num]
    if empty and not name.startswith("shift.") and not isinstance(config, SpuriousDigits):
        remedy = ", or set data.labels=present_breed" if isinstance(config, OxfordPet) else ""
        yield f"{len(empty)} classes have no image: {first_few(empty)}; add some{remedy}"


def _unlike(config: DataConfig, name: str, found: SetCount, published: Count) -> Iterator[str]:
    """Yield a message where a set holds more or less than its publisher's; where all have masks, one is enough."""
    remedy = "complete it"
    if name.startswith("shift."):
        remedy = f"complete it in data.{name}.root, or in data.root"
    elif isinstance(config, ImageNetS):
        remedy = "campaign data prepare imagenet-s adds what is not there"
    elif getattr(config, "download", None) is False:
        remedy = "data.download=true fetches it"
    counts = [("images", found.images, published.images)]
    if found.without_mask or published.with_mask < published.images:
        counts.append(("images with masks", found.with_mask, published.with_mask))
    for what, num, should in counts:
        if num != should:
            more = f"{abs(num - should)} {'more' if num > should else 'fewer'}"
            yield f"{num} {what}, {more} than the {should} published; {remedy}, or take --subset if it is meant so"
