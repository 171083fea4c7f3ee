"""From a data config to its data sets."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from trainables.config import DataConfig, DogsVsCats, HardImageNet, ImageNetS, ShiftSet, SpuriousDigits
from trainables.data.dataset import DataBundle, ImageSet
from trainables.data.dogs_vs_cats import build_dogs_vs_cats
from trainables.data.file_index import NO_INDEX, FileIndex
from trainables.data.hard_imagenet import build_hard_imagenet
from trainables.data.image_cache import cache_of
from trainables.data.image_folder import build_image_folder, build_labelled_folder
from trainables.data.imagenet_s import build_imagenet_s
from trainables.data.oxford_pet import build_oxford_pet
from trainables.data.pascal_voc import build_pascal_voc
from trainables.data.spurious_digits import build_spurious_digits

__all__ = ["BUILDERS", "DataBundle", "build_data"]

BUILDERS: Mapping[str, Callable[..., DataBundle]] = {
    "hard_imagenet": build_hard_imagenet,
    "image_folder": build_image_folder,
    "imagenet_s": build_imagenet_s,
    "oxford_pet": build_oxford_pet,
    "pascal_voc": build_pascal_voc,
    "spurious_digits": build_spurious_digits,
}
"""By `data.kind`."""


def build_data(config: DataConfig, file_index: FileIndex = NO_INDEX) -> DataBundle:
    """Return the training, validation and shifted test sets of `config`; raise ConfigError where files do not fit.

    Args:
        manifests: Where lists of files are kept, for the kinds that may have a million of them.
    """
    if isinstance(config, ImageNetS | HardImageNet):
        bundle = BUILDERS[config.kind](config, file_index)
    else:
        bundle = BUILDERS[config.kind](config)
    if isinstance(config, SpuriousDigits):
        return bundle
    shift = {
        name: _build_shift(section, config, class_names=bundle.class_names, section=f"data.shift.{name}")
        for name, section in config.shift.items()
    }
    return replace(bundle, shift=shift)


def _build_shift(shift: ShiftSet, config: Any, *, class_names: tuple[str, ...], section: str) -> ImageSet:
    size, cache = config.image_size, cache_of(config)
    if isinstance(shift, DogsVsCats):
        return build_dogs_vs_cats(
            shift, root=config.root, class_names=class_names, image_size=size, section=section, cache=cache
        )
    return build_labelled_folder(shift, class_names=class_names, image_size=size, section=section, cache=cache)
