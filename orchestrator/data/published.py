"""How many images data sets have as published."""

from pathlib import Path
from typing import NamedTuple

from trainables.config import (
    DataConfig,
    DogsVsCats,
    ImageNetS,
    OxfordPet,
    PascalVoc,
    Sbd,
    Spawrious,
    StandardSet,
    UrbanCars,
)
from trainables.data.sets.metashift import TABLE


class Count(NamedTuple):
    """Images of a set, and how many of them have masks."""

    images: int
    with_mask: int | None
    """None where it is not known."""
    source: str = "published"
    """Where the number is from, for messages; "as remembered" where no publication was looked up."""


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
_SBD = (8498, 2857)
"""Of `train` and `val` (Hariharan et al. 2011, ICCV)."""
_URBANCARS = (8000, 1000, 1000)
"""Of two cars each 4000, 500 and 500 images, as the publisher's script makes them (Li et al. 2023, CVPR)."""
_SPAWRIOUS = 8 * 3168
"""Of training and of test images in every split (Lynch et al. 2023)."""
_IMAGENET_9 = 4050
"""Of the test images, and of each variant of them that shows an object (Xiao et al. 2021, ICLR)."""
_WITH_OBJECT = ("mixed_same", "mixed_rand", "mixed_next", "only_fg")
_REMEMBERED = "as remembered"
"""No publication was looked up."""
_METASHIFT = (Count(2276, 0, _REMEMBERED), Count(349, 0, _REMEMBERED), Count(874, 0, _REMEMBERED))
"""By SubpopBench's table; without it the images are the same, but split otherwise."""


def _masked(train: int, *others: int) -> dict[str, Count]:
    """Return the counts of training, perhaps validation, and test images, all of them with masks."""
    *val, test = (Count(num, num) for num in others)
    return {"train": Count(train, train), **({"val": val[0]} if val else {}), "test": test}


_SETS: dict[str, dict[str, Count]] = {
    "cub": _masked(5994, 5794),
    "imagenet_9": {
        "test": Count(_IMAGENET_9, _IMAGENET_9),
        **{f"shift.{variant}": Count(_IMAGENET_9, 0) for variant in _WITH_OBJECT},
    },
    "imagenet_boxes": {"train": Count(1281167, 544546, _REMEMBERED), "test": Count(50000, 50000)},
    "rival10": {"train": Count(21098, None, _REMEMBERED), "test": Count(5286, None, _REMEMBERED)},
    "waterbirds": _masked(4795, 1199, 5794),
}
"""By `data.kind`: Wah et al. 2011; Russakovsky et al. 2015, IJCV 115; Moayeri et al. 2022, CVPR; Sagawa et al. 2020,
ICLR."""


def published_counts(config: DataConfig) -> dict[str, Count]:
    """Return the published counts of `train`, `val`, `test` and `shift.<name>`, where they are known.

    Without a count of `val`, those of `train` or `test` count its images too.
    """
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
        case OxfordPet(labels="breed" | "species", breeds=None):
            return _masked(*_PETS)
        case PascalVoc(year=year) if year in _VOC:
            return _masked(*_VOC[year])
        case UrbanCars(ratio=0.95):
            return _masked(*_URBANCARS)
        case Spawrious():
            return {"train": Count(_SPAWRIOUS, 0), "test": Count(_SPAWRIOUS, 0)}
        case Sbd(train="train"):
            return _masked(*_SBD)
        case StandardSet(kind="metashift", root=root) if Path(root, TABLE).exists():
            return dict(zip(("train", "val", "test"), _METASHIFT, strict=True))
    return dict(_SETS.get(config.kind, {}))
