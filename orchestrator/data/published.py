"""How many images data sets have as published."""

from typing import NamedTuple

from trainables.config import DataConfig, DogsVsCats, ImageNetS, OxfordPet, PascalVoc


class Count(NamedTuple):
    """Images of a set, and how many of them have masks."""

    images: int
    with_mask: int


class _ImageNetS(NamedTuple):
    train: int
    semi: int
    validation: int


_IMAGENET_S = {
    "ImageNetS50": _ImageNetS(64431, 500, 752),
    "ImageNetS300": _ImageNetS(384862, 3000, 4097),
    "ImageNetS919": _ImageNetS(1183322, 9190, 12419),
}
"""By `data.folder` (github.com/LUSSeg/ImageNet-S)."""
_VOC = {2007: (209, 213), 2012: (1464, 1449)}
"""Images of `train` and `val` with segmentations, by year (Everingham et al. 2010 and 2015, IJCV 88 and 111)."""
_PETS = (3680, 3669)
"""Of `trainval` and `test` (Parkhi et al. 2012, CVPR)."""
_DOGS_VS_CATS = 25000


def published_counts(config: DataConfig) -> dict[str, Count]:
    """Return the published counts of `train`, `test` and `shift.<name>`, where they are known."""
    counts = _own_counts(config)
    shift = {} if config.kind == "spurious_digits" else config.shift
    for name, section in shift.items():
        if isinstance(section, DogsVsCats):
            counts[f"shift.{name}"] = Count(_DOGS_VS_CATS, 0)
    return counts


def _own_counts(config: DataConfig) -> dict[str, Count]:
    match config:
        case ImageNetS(folder=folder, train=train) if folder in _IMAGENET_S:
            published = _IMAGENET_S[folder]
            by_choice = {
                "both": Count(published.train, published.semi),  # The second are in the first too.
                "train": Count(published.train, 0),
                "train-semi": Count(published.semi, published.semi),
            }
            return {"train": by_choice[train], "test": Count(published.validation, published.validation)}
        case OxfordPet(labels="breed" | "species"):
            return _all_masked(*_PETS)
        case PascalVoc(year=year) if year in _VOC:
            return _all_masked(*_VOC[year])
    return {}


def _all_masked(train: int, test: int) -> dict[str, Count]:
    return {"train": Count(train, train), "test": Count(test, test)}
