"""ImageNet-S: pictures of ImageNet, some with the class of every pixel (Gao et al. 2023, TPAMI 45, arXiv 2106.03149).

Layout `<root>/<folder>`: `{train,train-semi,validation}/<class>/*.JPEG`, and the masks of the last two in
`{train-semi,validation}-segmentation/<class>/*.png`. A mask's pixel has the id R + 256 * G: 0 other, 1 to K the classes
in the order of their sorted names, 1000 ignored.
"""

import re
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from trainables.config import ConfigError, ImageNetS
from trainables.data.class_folders import check_same_classes, class_folders, missing_files, picture_names
from trainables.data.dataset import DataBundle
from trainables.data.file_list import FileList
from trainables.data.list_file import check_once, first_few, read_lines
from trainables.data.photos import IGNORED, OBJECT, Photos
from trainables.data.transforms import Transform, evaluation_transform, training_transform

IGNORE_ID = 1000
_VALIDATION, _SEMI = "validation", "train-semi"


def build_imagenet_s(config: ImageNetS) -> DataBundle:
    """Read the chosen training folders as the training set and `validation` as the validation set."""
    folder = Path(config.root, config.folder)
    class_names = _class_names(config)
    train, val = _training_names(config, class_names), _names(folder, _VALIDATION, class_names)
    if config.on_error == "raise":
        _check_masks(folder, [name for name in train + val if mask_name(name)])
    repeated = [name for name in train for _ in range(config.masked_repeats if mask_name(name) else 1)]

    def photos(names: list[str], transform: Transform) -> Photos:
        labels = {name: label for label, name in enumerate(class_names)}
        return Photos(
            FileList(folder, names, [labels[name.split("/")[1]] for name in names], mask_name=mask_name),
            class_names=class_names,
            root=folder,
            image_size=config.image_size,
            transform=transform,
            mask_values=mask_ids,
            read_mask=partial(own_class, num_classes=len(class_names)),
            on_error=config.on_error,
        )

    return DataBundle(
        train=photos(repeated, training_transform(config.image_size, config.augmentation)),
        val=photos(val, evaluation_transform(config.image_size)),
        reference=photos(train, evaluation_transform(config.image_size)),
        class_names=class_names,
        config=config,
    )


def mask_name(name: str) -> str | None:
    """Return the mask of a picture `<split>/<class>/<file>`; None for `train`, which has none."""
    split, class_name, file = name.split("/")
    return None if split == "train" else f"{split}-segmentation/{class_name}/{file.rpartition('.')[0]}.png"


def mask_ids(picture: Image.Image) -> npt.NDArray[np.int32]:
    """Return the id of each pixel, R + 256 * G; raise ValueError for a file without these two."""
    if picture.mode not in ("RGB", "RGBA"):
        raise ValueError(f"it has no colours (mode {picture.mode}); a mask of ImageNet-S has ids of R + 256 * G")
    values_HWC = np.array(picture)
    return values_HWC[..., 0].astype(np.int32) + 256 * values_HWC[..., 1].astype(np.int32)


def own_class(ids_HW: Tensor, label: int | None, *, num_classes: int) -> Tensor:
    """Return OBJECT on the picture's own class, IGNORED where nothing is known, BACKGROUND elsewhere, in 8 bits.

    Raises:
        ValueError: It holds an id that no class has.
    """
    assert label is not None, "the folder says what a picture shows"
    ignored_HW = ids_HW == IGNORE_ID
    others_HW = (ids_HW > num_classes) & ~ignored_HW
    if others_HW.any():
        others = first_few([str(other) for other in sorted(set(ids_HW[others_HW].tolist()))])
        raise ValueError(
            f"has the ids {others}; with {num_classes} classes an id is 0 (other), 1 to {num_classes} (classes) or "
            f"{IGNORE_ID} (ignored)"
        )
    return (ids_HW == label + 1).to(torch.uint8) * OBJECT + ignored_HW.to(torch.uint8) * IGNORED


def _class_names(config: ImageNetS) -> tuple[str, ...]:
    """Return the classes by label: their sorted names, which a categories file may hold in another order."""
    folder = Path(config.root, config.folder)
    names = class_folders(folder / _VALIDATION, remedy=_remedy(config))
    if len(names) >= IGNORE_ID:
        raise ConfigError(f"data.root: {folder / _VALIDATION} has {len(names)} classes, and id {IGNORE_ID} is ignored")
    places = [folder / "categories", folder, Path(config.root, "categories"), Path(config.root, "data", "categories")]
    listed = [place / f"ImageNetS_categories_im{len(names)}.txt" for place in places]
    path = next((path for path in listed if path.is_file()), None)
    if path is not None:
        rows = [line.strip() for line in read_lines(path, remedy="").values()]
        check_once(path, rows)
        check_same_classes(path, rows, folder / _VALIDATION, names)
    elif not re.fullmatch(rf"ImageNetS{len(names)}", folder.name):
        raise ConfigError(
            f"data.root: {folder / _VALIDATION} has {len(names)} classes, and nothing tells that these are all, "
            f"so that ids may mean others; looked for {', '.join(map(str, listed))}; put one class name a line there"
        )
    return names


def _remedy(config: ImageNetS) -> str:
    try:
        found = sorted(entry.name for entry in Path(config.root).iterdir() if (entry / _VALIDATION).is_dir())
    except OSError:
        found = []
    return (
        f"looked for {{train,train-semi,validation}}/<class>/*.JPEG and {{train-semi,validation}}-segmentation/<class>/"
        f"*.png in {Path(config.root, config.folder)}; set data.root to the folder that holds {config.folder}, or "
        f"data.folder to what lies in {config.root}: {', '.join(found) or 'found none with a validation folder there'}"
    )


def _training_names(config: ImageNetS, class_names: tuple[str, ...]) -> list[str]:
    """Return the pictures of the chosen folders; one that lies in both is that with a mask."""
    folder = Path(config.root, config.folder)
    for split in ("train", _SEMI) if config.train == "both" else (config.train,):
        check_same_classes(
            folder / split, class_folders(folder / split, remedy=_remedy(config)), folder / _VALIDATION, class_names
        )
    if config.train != "both":
        return _names(folder, config.train, class_names)
    masked = _names(folder, _SEMI, class_names)
    stems = {_stem(name) for name in masked}
    return [name for name in _names(folder, "train", class_names) if _stem(name) not in stems] + masked


def _names(folder: Path, split: str, class_names: tuple[str, ...]) -> list[str]:
    return [f"{split}/{name}/{file}" for name in class_names for file in picture_names(folder / split / name)]


def _stem(name: str) -> str:
    """Return `<class>/<file without ending>`, which tells a picture in all folders."""
    return name.partition("/")[2].rpartition(".")[0]


def _check_masks(folder: Path, names: list[str]) -> None:
    masks = [mask for name in names if (mask := mask_name(name))]
    missing = missing_files(folder, masks)
    if missing:
        raise ConfigError(
            f"data.root: {len(missing)} of {len(masks)} masks are missing in {folder}: {first_few(missing)}; complete "
            "them, or set data.on_error=skip to go on without those pictures"
        )
