"""The Semantic Boundaries Dataset: images of PASCAL VOC with masks of 20 classes (Hariharan et al. 2011, ICCV).

Layout `<root>/{img/*.jpg,cls/*.mat,train.txt,val.txt,train_noval.txt}`, as torchvision's `SBDataset` has it, or the
same in `<root>/sbd` or `<root>/benchmark_RELEASE/dataset`.
"""

from pathlib import Path

from trainables.config import ConfigError, Sbd
from trainables.data.dataset import DataBundle
from trainables.data.folders import first_few
from trainables.data.image_file import ImageFile
from trainables.data.image_files import image_bundle
from trainables.data.image_list import ImageList, check_apart, check_once, read_lines
from trainables.data.masks.mask_format import ClassMask
from trainables.data.pascal_voc import CLASSES

_FOLDERS = (".", "sbd", "benchmark_RELEASE/dataset")
_REMEDY = (
    "unpack https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/semantic_contours/benchmark.tgz there; "
    "train_noval.txt comes from https://www.cs.cornell.edu/~bharathh/train_noval.txt"
)


def build_sbd(config: Sbd) -> DataBundle:
    """Read a list of images to train and validate on, and val as the test set."""
    folder = _folder(Path(config.root))
    train, val = (_listed(folder, name) for name in (config.train, "val"))
    check_apart(folder / f"{config.train}.txt", _ids(train), folder / "val.txt", _ids(val))
    if config.on_error == "raise":
        _check_files(train + val)
    return image_bundle(
        config,
        train=ImageList(train, folder),
        test=ImageList(val, folder),
        class_names=CLASSES,
        mask_format=ClassMask(len(CLASSES)),
    )


def _folder(root: Path) -> Path:
    folders = [root / name for name in _FOLDERS]
    found = next((folder for folder in folders if (folder / "cls").is_dir()), None)
    if found is None:
        raise ConfigError(f"data.root: none of {', '.join(map(str, folders))} holds cls, the masks; {_REMEDY}")
    return found


def _listed(folder: Path, name: str) -> list[ImageFile]:
    path = folder / f"{name}.txt"
    stems = [line.strip() for line in read_lines(path, remedy=_REMEDY).values()]
    check_once(path, stems)
    return [ImageFile(folder / "img" / f"{stem}.jpg", folder / "cls" / f"{stem}.mat", None, stem) for stem in stems]


def _ids(image_files: list[ImageFile]) -> list[str]:
    return [image_file.id for image_file in image_files]


def _check_files(image_files: list[ImageFile]) -> None:
    paths = [path for image_file in image_files for path in (image_file.path, image_file.mask_path) if path is not None]
    missing = [str(path) for path in paths if not path.is_file()]
    if missing:
        raise ConfigError(
            f"data.root: {len(missing)} of the listed images and masks are missing: {first_few(missing)}; {_REMEDY}; "
            "or set data.on_error=skip to go on without those images"
        )
