"""The Asirra images of dogs and cats, without masks: a shifted test set of a cat/dog model."""

import re
from pathlib import Path

from trainables.config import ConfigError, DogsVsCats
from trainables.data.image_cache import ImageCache
from trainables.data.image_file import ImageFile
from trainables.data.image_files import ImageFiles
from trainables.data.labels import training_labels
from trainables.data.transforms import evaluation_transform

_CLASS_NAMES = ("cat", "dog")
_FILE_NAME = re.compile(r"(cat|dog)\.(\d+)\.jpg")


def build_dogs_vs_cats(
    config: DogsVsCats,
    *,
    root: str,
    class_names: tuple[str, ...],
    image_size: int,
    section: str,
    cache: ImageCache | None = None,
) -> ImageFiles:
    """Read `<root>/dogs-vs-cats/train/{cat,dog}.N.jpg`; `root` is where the section names none."""
    labels = training_labels(_CLASS_NAMES, class_names, section=section)
    folder = Path(config.root or root, "dogs-vs-cats", "train")
    matches = [match for path in folder.glob("*.jpg") if (match := _FILE_NAME.fullmatch(path.name))]
    if not matches:
        raise ConfigError(f"{section}: found no cat.N.jpg or dog.N.jpg in {folder}; set {section}.root")
    matches.sort(key=lambda match: (match[1], int(match[2])))
    return ImageFiles(
        [ImageFile(folder / match[0], None, labels[match[1]], f"{match[1]}.{match[2]}") for match in matches],
        class_names=class_names,
        root=folder,
        image_size=image_size,
        transform=evaluation_transform(image_size),
        on_error=config.on_error,
        section=section,
        cache=cache,
    )
