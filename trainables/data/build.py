"""From a data config to its data sets."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from trainables.config import (
    ConfigError,
    DataConfig,
    DogsVsCats,
    ExperimentConfig,
    HardImageNet,
    ImageNetS,
    LabelledFolder,
    LabelledTable,
    ShiftSet,
    SpuriousDigits,
    Table,
)
from trainables.data.dataset import DataBundle, ImageSet
from trainables.data.file_index import NO_INDEX, FileIndex
from trainables.data.file_reader import reader_of
from trainables.data.folders import list_folder
from trainables.data.hard_imagenet import build_hard_imagenet
from trainables.data.image_file import ImageFile
from trainables.data.image_files import ImageFiles, evaluation_of
from trainables.data.image_folder import build_image_folder, class_names_in, find_images
from trainables.data.image_list import ImageList, check_once
from trainables.data.image_names import composed, is_hidden
from trainables.data.image_subset import halve_validation, with_images_per_class
from trainables.data.imagenet_s import build_imagenet_s
from trainables.data.mask_subset import with_mask_subset
from trainables.data.masks.mask_format import MaskFormat, ObjectMask
from trainables.data.masks.rules import mask_format
from trainables.data.oxford_pet import build_oxford_pet
from trainables.data.pascal_voc import build_pascal_voc
from trainables.data.sbd import build_sbd
from trainables.data.sets import READERS, build_published_set
from trainables.data.spurious_digits import build_spurious_digits
from trainables.data.table import build_table, table_images
from trainables.data.table_columns import read_table

__all__ = ["BUILDERS", "DataBundle", "build_data", "build_trial_data"]

BUILDERS: Mapping[str, Callable[..., DataBundle]] = {
    "hard_imagenet": build_hard_imagenet,
    "image_folder": build_image_folder,
    "imagenet_s": build_imagenet_s,
    "oxford_pet": build_oxford_pet,
    "pascal_voc": build_pascal_voc,
    "sbd": build_sbd,
    "spurious_digits": build_spurious_digits,
    "table": build_table,
    **dict.fromkeys(READERS, build_published_set),
}
"""By `data.kind`."""
_FILE_NAME = re.compile(r"(cat|dog)\.(\d+)\.(?i:jpe?g)")


def build_data(config: DataConfig, file_index: FileIndex = NO_INDEX) -> DataBundle:
    """Return the training, validation, test and shifted sets of `config`; raise ConfigError where files do not fit.

    Args:
        config: The data section.
        file_index: Keeps lists of files, for the kinds that may have a million of them.
    """
    if isinstance(config, SpuriousDigits):
        return BUILDERS[config.kind](config)
    indexed = (file_index,) if isinstance(config, ImageNetS | HardImageNet) else ()
    bundle = BUILDERS[config.kind](config, *indexed)
    image_files = partial(
        ImageFiles,
        class_names=bundle.class_names,
        image_size=config.image_size,
        transform=evaluation_of(config),
        reader=reader_of(config),
    )

    def shifted(field: str, sections: Mapping[str, ShiftSet]) -> dict[str, ImageSet]:
        sets: dict[str, ImageSet] = {}
        for name, section in sections.items():
            where = f"data.{field}.{name}"
            images = _shifted_images(section, root=config.root, class_names=bundle.class_names, section=where)
            format_ = _shifted_masks(section)
            sets[name] = image_files(images, mask_format=format_, on_error=section.on_error, section=where)
        return sets

    shift = {**bundle.shift, **shifted("shift", config.shift)}
    return replace(bundle, shift=shift, val_shift=shifted("val_shift", config.val_shift))


def build_trial_data(config: ExperimentConfig, file_index: FileIndex = NO_INDEX) -> DataBundle:
    """Return the data of a trial: those of `config.data`, of which it trains on some images or masks where it says so.

    Where a fit takes validation images, half of them are left.
    """
    data, dfr = build_data(config.data, file_index), getattr(config.objective, "dfr", None)
    if not isinstance(config.data, SpuriousDigits) and config.data.images_per_class is not None:
        data = with_images_per_class(data, config.data.images_per_class, seed=config.data.validation.seed)
    if config.data.mask_subset is not None:
        few = partial(with_mask_subset, config=config.data.mask_subset, several_labels=data.several_labels)
        data = replace(data, train=few(data.train), train_unaugmented=few(data.train_unaugmented))
    return halve_validation(data) if dfr is not None and dfr.fit_on == "validation" else data


def _shifted_images(shift: ShiftSet, *, root: str, class_names: tuple[str, ...], section: str) -> ImageList:
    """Return the images of a shifted set; each of its classes must be one of `class_names`."""
    if isinstance(shift, DogsVsCats):
        labels = _training_labels(("cat", "dog"), class_names, section=section)
        return _dogs_vs_cats(Path(shift.root or root, "dogs-vs-cats", "train"), labels, section=section)
    if isinstance(shift, LabelledTable):
        return _labelled_table(shift, root, class_names, section=section)
    return _labelled_folder(shift, class_names, section=section)


def _shifted_masks(shift: ShiftSet) -> MaskFormat:
    return mask_format(shift.masks) if isinstance(shift, LabelledTable) else ObjectMask()


def _labelled_table(shift: LabelledTable, root: str, class_names: tuple[str, ...], *, section: str) -> ImageList:
    """Return the images of the rows whose split is the wanted one."""
    meaning = Table(
        root=shift.root or root,
        table=shift.table,
        images=shift.images,
        columns=shift.columns,
        masks=shift.masks,
        on_error=shift.on_error,
    )
    labels_of = partial(_training_labels, training=class_names, section=section)
    return table_images(read_table(meaning, section), meaning, shift.split, labels_of, section)


def _labelled_folder(shift: LabelledFolder, class_names: tuple[str, ...], *, section: str) -> ImageList:
    folder = Path(shift.root)
    labels = _training_labels(class_names_in(folder, section=section), class_names, section=section)
    return find_images(folder, labels, section=section)


def _dogs_vs_cats(folder: Path, labels: Mapping[str, int], *, section: str) -> ImageList:
    """Return the Asirra images `{cat,dog}.N.jpg` in `folder`, by class and number."""
    names = [name for name in list_folder(str(folder)).names if not is_hidden(name)]
    matches = [match for name in names if (match := _FILE_NAME.fullmatch(name))]
    if not matches:
        raise ConfigError(f"{section}: there is no cat.N.jpg or dog.N.jpg in {folder}; set {section}.root")
    matches.sort(key=lambda match: (match[1], int(match[2])))
    check_once(folder, [f"{match[1]}.{match[2]}" for match in matches])
    files = [ImageFile(folder / match[0], None, labels[match[1]], f"{match[1]}.{match[2]}") for match in matches]
    left_out = tuple(str(folder / name) for name in names if not _FILE_NAME.fullmatch(name))
    return ImageList(files, folder, left_out=left_out)


def _training_labels(own: Sequence[str], training: Sequence[str], *, section: str) -> dict[str, int]:
    """Return the training set's label of each class name; raise ConfigError where it has no such class."""
    labels = {composed(name): label for label, name in enumerate(training)}
    unknown = sorted(set(own) - set(labels))
    if unknown:
        raise ConfigError(
            f"{section}: its classes {', '.join(unknown)} are not classes of the training set; "
            f"it has {', '.join(own)}, and the training set has {', '.join(training)}"
        )
    return {name: labels[name] for name in own}
