"""PASCAL VOC segmentation: images with one or several of 20 classes (Everingham et al. 2010, IJCV 88).

Layout `<root>/VOCdevkit/VOC<year>`: `JPEGImages/*.jpg`, `SegmentationClass/*.png`,
`ImageSets/Segmentation/{train,val}.txt`.
"""

from pathlib import Path

from filelock import FileLock
from torchvision.datasets import VOCSegmentation
from torchvision.datasets.voc import DATASET_YEAR_DICT

from trainables.config import ConfigError, PascalVoc
from trainables.data.dataset import DataBundle
from trainables.data.folders import as_on_disk, first_few
from trainables.data.image_file import ImageFile
from trainables.data.image_files import image_bundle
from trainables.data.image_list import ImageList, check_apart, check_once, read_lines
from trainables.data.masks.mask_format import ClassMask

CLASSES = (
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
)
"""By the value of a mask's pixels less one; 0 is background, and 255 the border between objects, which is neither."""


def build_pascal_voc(config: PascalVoc) -> DataBundle:
    """Read train as the images to train and validate on, and val, whose masks are public, as the test set."""
    if config.download:
        _download(config)
    train, val = (_listed(config, name) for name in ("train", "val"))
    check_apart(
        _list(config, "train"),
        [image_file.id for image_file in train],
        _list(config, "val"),
        [image_file.id for image_file in val],
    )
    if config.on_error == "raise":
        _check_files(config, train + val)

    return image_bundle(
        config,
        train=ImageList(train, _folder(config)),
        test=ImageList(val, _folder(config)),
        class_names=CLASSES,
        mask_format=ClassMask(len(CLASSES)),
    )


def _folder(config: PascalVoc) -> Path:
    return Path(config.root, DATASET_YEAR_DICT[str(config.year)]["base_dir"])


def _list(config: PascalVoc, name: str) -> Path:
    return _folder(config) / "ImageSets" / "Segmentation" / f"{name}.txt"


def _listed(config: PascalVoc, name: str) -> list[ImageFile]:
    folder, path = _folder(config), _list(config, name)
    remedy = (
        f"looked for {folder}/JPEGImages/*.jpg, {folder}/SegmentationClass/*.png and {path.parent}/{{train,val}}.txt; "
        f"set data.root to the folder that holds {folder.relative_to(config.root)}, data.year to a year that is "
        "there, or data.download=true to fetch it"
    )
    stems = [_stem(line, where=where) for where, line in read_lines(path, remedy=remedy).items()]
    check_once(path, stems)
    return [
        ImageFile(
            as_on_disk(folder / "JPEGImages" / f"{stem}.jpg"),
            as_on_disk(folder / "SegmentationClass" / f"{stem}.png"),
            None,
            stem,
        )
        for stem in stems
    ]


def _stem(line: str, *, where: str) -> str:
    stem = line.strip()
    if len(stem.split()) != 1 or Path(stem).name != stem:
        raise ConfigError(f"{where}: found {line!r}; expected an image's name without its ending, as in 2007_000032")
    return stem


def _missing(image_files: list[ImageFile]) -> list[Path]:
    paths = [path for image_file in image_files for path in (image_file.path, image_file.mask_path) if path is not None]
    return [path for path in paths if not path.is_file()]


def _check_files(config: PascalVoc, image_files: list[ImageFile]) -> None:
    folder = _folder(config)
    missing = [path.relative_to(folder).as_posix() for path in _missing(image_files)]
    if missing:
        raise ConfigError(
            f"data.root: {len(missing)} of the files that {folder}/ImageSets/Segmentation/{{train,val}}.txt list are "
            f"missing in {folder}: {first_few(missing)}; complete it, with data.download=true for example, or set "
            "data.on_error=skip to go on without those images"
        )


def _download(config: PascalVoc) -> None:
    """Fetch the data set if a file of it is missing; only one worker of a machine does so at a time."""
    root, name = Path(config.root), f"PASCAL VOC {config.year}"
    try:
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(root / ".pascal-voc.lock"):
            if not _is_complete(config):  # torchvision would unpack a complete set again.
                VOCSegmentation(root, year=str(config.year), image_set="train", download=True)
    except (OSError, RuntimeError) as error:
        raise ConfigError(f"data.download: {name} could not be fetched into {root}: {error}") from error


def _is_complete(config: PascalVoc) -> bool:
    names = ("train", "val")
    return all(_list(config, name).is_file() and not _missing(_listed(config, name)) for name in names)
