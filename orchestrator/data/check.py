"""The check of a data set: what it holds, what is missing or broken, and what it should hold."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.data.contact_sheet import choose, draw_contact_sheet, evenly
from orchestrator.data.duplicates import MAX_READ, Shared, Sized, paths_of, same_bytes, shared
from orchestrator.data.files import Track
from orchestrator.data.published import Count, published_counts
from orchestrator.data.set_check import SAMPLE, Seen, look_at, turned
from trainables.config import ConfigError, DataConfig, ImageNetS, OxfordPet, SpuriousDigits
from trainables.data import Draw, ImageSet, build_data
from trainables.data.folders import first_few
from trainables.data.image_files import ImageFiles
from trainables.data.image_names import composed

_NUM_PAIRS = 3


@dataclass(frozen=True, slots=True)
class SetCount:
    """What one set holds."""

    images: int
    with_mask: int
    without_mask: int
    classes: Mapping[str, int] | None
    """Images by class; None where the classes are in masks that were not all read."""
    read: int = 0
    """Images that were decoded."""


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
    notes: list[Problem] = field(default_factory=list)
    """What is no problem, but should be known."""


def check_data_set(
    config: DataConfig,
    *,
    full: bool = False,
    processes: int = 0,
    published: bool = True,
    sheet: Path | None = None,
    track: Track | None = None,
) -> Checked:
    """Count images and masks, look for each file, and read a sample of the images with their masks.

    Args:
        full: Whether to read every image, and to compare all of them.
        processes: How many processes decode; 0 is this process.
        published: Whether to compare with the publishers' counts.
        sheet: Where a contact sheet is written, as PNG.
        track: Shows progress.

    Raises:
        ConfigError: The data cannot be listed at all, or the sheet cannot be written.
    """
    sets = build_data(_tolerant(config)).named()
    seen = {
        name: look_at(images, full=full, processes=processes, track=_named(track or _untracked, name))
        for name, images in sets.items()
        if isinstance(images, ImageFiles)
    }
    counts = {name: _count(images, seen.get(name)) for name, images in sets.items()}
    checked = Checked(counts, [], [])
    for name, images in sets.items():
        _add(checked, name, seen.get(name), [*_empty_classes(config, name, counts[name])])
        _add(checked, name, None, list(turned(images, _masked(images, seen.get(name)))))
    _compare(sets, seen, checked, full=full)
    expected = published_counts(config) if published else {}
    for name, count in (counts if "val" in expected else _as_published(config, counts)).items():
        _add(checked, name, None, list(_unlike_published(config, name, count, expected.get(name))))
    if sheet is not None:
        _write_sheet(config, sets, seen, counts, sheet)
    return checked


def _add(checked: Checked, name: str, seen: Seen | None, wrong: list[str]) -> None:
    """Add what is wrong with a set, and what was seen of its files."""
    checked.findings.extend(Problem(name, message) for message in [*(seen.wrong if seen else ()), *wrong])
    checked.notes.extend(Problem(name, message) for message in (seen.notes if seen else ()))


def _count(images: ImageSet, seen: Seen | None) -> SetCount:
    if seen is None:
        return _drawn(images)
    assert isinstance(images, ImageFiles)
    labels: Iterable[int | None] = (image_file.label for image_file in images.entries)
    classes = _by_class(labels, images.class_names)
    if classes is None and len(seen.looks) == len(seen.files.usable):
        classes = _by_class((look.label for look in seen.looks), images.class_names)
    num, masked = len(images), seen.files.num_masks
    return SetCount(num, masked, num - masked, classes, len(seen.looks))


def _masked(images: ImageSet, seen: Seen | None) -> list[int]:
    """Return the indices of images whose masks show an object."""
    if seen is None:
        return evenly(range(len(images)), SAMPLE)
    return [look.index for look in seen.looks if look.shows_object]


def _compare(sets: Mapping[str, ImageSet], seen: Mapping[str, Seen], checked: Checked, *, full: bool) -> None:
    """Add what sets share, and folders whose names differ by their Unicode form alone."""
    files = {name: images for name, images in sets.items() if isinstance(images, ImageFiles)}
    sizes = {name: set(seen[name].files.sizes) for name in files}
    common = {size for size, count in Counter(size for each in sizes.values() for size in each).items() if count > 1}
    same, num_read, num_same_size = same_bytes(
        (
            Sized(name, images.entries[index].path, size)
            for name, images in files.items()
            for index, size in zip(seen[name].files.usable, seen[name].files.sizes, strict=True)
            if size in common
        ),
        max_read=None if full else MAX_READ,
    )
    some = f" of {num_read} read, of {num_same_size} of equal size" if num_read < num_same_size else ""
    for each in same:
        _add_shared(checked, each, f"files of the same bytes as in {each.first}", some, sets)
    if full:
        by_bytes = {pair for each in same for pair in each.pairs}
        pixels = shared(
            (name, images.entries[look.index].path, look.pixels)
            for name, images in files.items()
            for look in seen[name].looks
        )
        for each in pixels:
            others = Shared(each.first, each.second, [pair for pair in each.pairs if pair not in by_bytes])
            if others.pairs:
                _add_shared(checked, others, f"images of the same pixels as in {each.first}", "", sets)
    checked.notes.extend(_unicode_forms(files))


def _add_shared(checked: Checked, each: Shared, what: str, some: str, sets: Mapping[str, ImageSet]) -> None:
    """Add what two sets share: a note where both are of one split, since a shifted set may show its images again."""
    text = f"{what} ({len(each.pairs)}{some}): {paths_of(each, _NUM_PAIRS)}"
    if _split_of(each.first, sets) == _split_of(each.second, sets):
        checked.notes.append(Problem(each.second, text))
    else:
        checked.findings.append(Problem(each.second, f"{text}; an image must be in one split alone"))


def _split_of(name: str, sets: Mapping[str, ImageSet]) -> str:
    """Return the split of a set's images; of shifted test sets it is `val` where one held-out set is both."""
    test = "test" if "test" in sets else "val"
    return {"shift": test, "val_shift": "val"}.get(name.partition(".")[0], name)


def _unicode_forms(files: Mapping[str, ImageFiles]) -> Iterator[Problem]:
    """Yield a note for each folder's name that the sets have in two Unicode forms."""
    forms: dict[str, dict[str, str]] = {}
    for name, images in files.items():
        for parent in {image_file.path.parent for image_file in images.entries}:
            if not parent.name.isascii():
                forms.setdefault(composed(parent.name), {}).setdefault(parent.name, name)
    for folder, found in forms.items():
        if len(found) > 1:
            both = ", ".join(f"{form!a} in {name}" for form, name in found.items())
            yield Problem(list(found.values())[-1], f"{folder} is in two Unicode forms, which count as one: {both}")


def _write_sheet(
    config: DataConfig,
    sets: Mapping[str, ImageSet],
    seen: Mapping[str, Seen],
    counts: Mapping[str, SetCount],
    path: Path,
) -> None:
    """Write the contact sheet; ConfigError where that is not possible."""
    drawn = {}
    class_names = next(iter(sets.values())).class_names
    for name, images in sets.items():
        indices = choose(_labels(images, seen.get(name)))
        batch = images.__getitems__([Draw(index, 0) for index in indices])
        drawn[name] = (f"{name}: {counts[name].images} images, {counts[name].with_mask} with masks", batch)
    try:
        draw_contact_sheet(f"{config.kind}: masks on images", drawn, class_names).save(path, format="PNG")
    except OSError as error:
        raise ConfigError(f"--sheet: {path} cannot be written ({error.strerror})") from error


def _labels(images: ImageSet, seen: Seen | None) -> list[tuple[int, int]]:
    """Return pairs of index and label of the images that were read."""
    if seen is not None:
        return [(look.index, look.label) for look in seen.looks]
    indices = evenly(range(len(images)), SAMPLE)
    batch = images.__getitems__([Draw(index, 0) for index in indices])
    return list(zip(indices, batch.labels_B.tolist(), strict=True))


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


def _drawn(images: ImageSet) -> SetCount:
    """Count images that are drawn, not read from files."""
    batch = images.__getitems__([Draw(index, 0) for index in range(len(images))])
    masked = int(batch.has_mask_B.sum())
    classes = _by_class(batch.labels_B.tolist(), images.class_names)
    return SetCount(len(batch), masked, len(batch) - masked, classes, len(batch))


def _by_class(labels: Iterable[int | None], class_names: tuple[str, ...]) -> dict[str, int] | None:
    count = Counter(labels)
    return None if None in count else {name: count[label] for label, name in enumerate(class_names)}


def _empty_classes(config: DataConfig, name: str, count: SetCount) -> Iterator[str]:
    """Yield a message where classes of a set that is not shifted have no image; drawn sets may lack some."""
    empty = [class_name for class_name, num in (count.classes or {}).items() if not num]
    if empty and "shift." not in name and not isinstance(config, SpuriousDigits):
        remedy = ", or set data.labels=present_breed" if isinstance(config, OxfordPet) else ""
        yield f"classes without an image ({len(empty)}): {first_few(empty)}; add images{remedy}"


def _unlike_published(config: DataConfig, name: str, count: SetCount, published: Count | None) -> Iterator[str]:
    """Yield a message for each count that differs from the published one, where there is one."""
    if published is None:
        return
    remedy = "complete it"
    if name.removeprefix("shift.") in getattr(config, "shift", ()):
        remedy = f"complete it in data.{name}.root or data.root"
    elif isinstance(config, ImageNetS):
        remedy = "campaign data prepare imagenet-s adds what is missing"
    elif getattr(config, "download", None) is False:
        remedy = "data.download=true fetches it"
    counts = [("images", count.images, published.images)]
    # Where all images have masks, one count says both.
    if published.with_mask is not None and (count.without_mask or published.with_mask < published.images):
        counts.append(("images with masks", count.with_mask, published.with_mask))
    for what, num, expected in counts:
        if num != expected:
            more = f"{abs(num - expected)} {'more' if num > expected else 'fewer'}"
            yield (
                f"{num} {what}, {more} than the {expected} {published.source}; {remedy}, or pass --subset if this is "
                "intended"
            )
