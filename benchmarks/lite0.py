"""Rank the right ImageNet class of real images by EfficientNet-Lite0's own weights, and write it to docs/models.md.

`python -m benchmarks.lite0 ROOT` needs Oxford-IIIT Pet below ROOT, all or some of its breeds.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from benchmarks.models import PAGE, with_tables
from trainables.config import OxfordPet, Timm
from trainables.data import build_data, evaluation_batches
from trainables.models import Classifier, build_model
from trainables.models.efficientnet_lite0 import PACKAGE, lite0_file, named_as_in_timm

BEGIN, END = "<!-- begin: python -m benchmarks.lite0 -->\n", "<!-- end of lite0 -->\n"
IMAGE_SIZE = 160
RIGHT_CLASSES = {"american pit bull terrier": 180, "basset hound": 161, "beagle": 162}
"""Breed -> ImageNet class of the same dogs. The other breeds of the first six have none."""


class BreedRanks(NamedTuple):
    """The ranks of the right class, 1 for the highest logit, in the images of a breed."""

    breed: str
    ranks: Sequence[int]

    @property
    def mean(self) -> float:
        return sum(self.ranks) / len(self.ranks)

    def share_within(self, rank: int) -> float:
        return sum(found <= rank for found in self.ranks) / len(self.ranks)


def imagenet_classifier() -> Classifier:
    """Return the network with the linear layer of its 1000 classes, for images of values in [0, 1]."""
    config = Timm(kind="timm", name="tf_efficientnet_lite0", pretrained=True, weights_package=PACKAGE, head_bias=True)
    model = build_model(config, num_classes=1000, image_size=IMAGE_SIZE).model
    tensors = named_as_in_timm(torch.load(lite0_file(), weights_only=True))
    model.head.load_state_dict({name: tensors[f"classifier.{name}"] for name in ("weight", "bias")})
    return model.eval()


def ranks_of(logits_BK: Tensor, right: int) -> list[int]:
    """Return how many classes have a logit as high as that of the right one, itself included."""
    ranks: list[int] = (logits_BK >= logits_BK[:, right : right + 1]).sum(1).tolist()
    return ranks


@torch.no_grad()
def breed_ranks(root: Path) -> list[BreedRanks]:
    """Return the ranks in all images below `root`, of whichever split, since nothing is trained on them."""
    data = build_data(OxfordPet(root=str(root), labels="present_breed", image_size=IMAGE_SIZE))
    model = imagenet_classifier()
    found: dict[str, list[int]] = {}
    for images in (data.train, data.val, data.test):
        for batch in evaluation_batches(images, batch_size=32):
            logits_BK = model(batch.images_BCHW).logits
            for label in sorted({*batch.labels_B.tolist()}):
                breed = data.class_names[label].replace("_", " ").lower()
                if breed in RIGHT_CLASSES:
                    ranks = ranks_of(logits_BK[batch.labels_B == label], RIGHT_CLASSES[breed])
                    found.setdefault(breed, []).extend(ranks)
    return [BreedRanks(breed, ranks) for breed, ranks in sorted(found.items())]


def table(found: Sequence[BreedRanks]) -> str:
    """Return a row for each breed, and one for all images of them."""
    every = BreedRanks("all", [rank for one in found for rank in one.ranks])
    rows = [
        f"| {one.breed} | {len(one.ranks)} | {one.mean:.1f} | {one.share_within(1):.2f} | {one.share_within(5):.2f} |"
        for one in (*found, every)
    ]
    head = ["| breed | images | mean rank of the right class of 1000 | ranked first | among the first five |"]
    return "\n".join([*head, "|---|---|---|---|---|", *rows, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path, help="the folder that holds oxford-iiit-pet")
    parser.add_argument("--page", type=Path, default=PAGE, help="the page whose table to write")
    arguments = parser.parse_args()
    text = arguments.page.read_text(encoding="utf-8")
    tables = table(breed_ranks(arguments.root))
    print(tables)
    arguments.page.write_text(with_tables(text, tables, BEGIN, END), encoding="utf-8")


if __name__ == "__main__":
    main()
