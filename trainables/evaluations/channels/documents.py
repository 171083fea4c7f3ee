"""What pages show of the channels: JSON documents, and cards of crops.

N images, M those of a class, F channels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from trainables.evaluations.channels.card import ChannelRow, draw_card, strongest_rows
from trainables.evaluations.channels.class_pairs import ClassPair, class_pairs
from trainables.evaluations.channels.contributions import background_share, effective_number, num_needed
from trainables.evaluations.channels.crops import best_crops
from trainables.evaluations.channels.sample import Sample
from trainables.evaluations.galleries.class_names import file_names, readable_names

NUM_CARDS = 12
"""Pairs of classes with a card, at most: those of most images."""
STRONGEST = "strongest"
Document = dict[str, Any]


def channel_document(sample: Sample) -> tuple[Document, Image.Image]:
    """Return each channel's means over all images, by its number, and a card of the strongest channels."""
    size_F = sample.contribution_NF.abs().mean(0)
    object_F, background_F = (part_NF.abs().nanmean(0) for part_NF in (sample.object_NF, sample.background_NF))
    everything = torch.arange(len(sample.batch))
    rows = with_crops(sample, strongest_rows(size_F, object_F, background_F), everything, sample.pooled.rivals_N)
    document = {
        "mean_contribution": sample.contribution_NF.mean(0).tolist(),
        "mean_absolute_contribution": size_F.tolist(),
        "mean_activation": sample.pooled.features_NF.mean(0).tolist(),
        "background_share": background_share(object_F, background_F).tolist(),
        "strongest": [asdict(row) for row in rows],
        "card": STRONGEST,
    }
    title = f"The channels with the largest mean absolute contribution, over {len(sample.batch)} images"
    return document, draw_card(title, rows, sample.batch.images_BCHW, sign="-")


def pair_documents(sample: Sample) -> tuple[list[Document], dict[str, Image.Image]]:
    """Return the pairs of classes, and cards by name of those of most images."""
    files, names = file_names(sample.class_names), readable_names(sample.class_names)
    labels_N, rivals_N = sample.batch.labels_B, sample.pooled.rivals_N
    pairs = class_pairs(sample.pooled.features_NF, sample.pooled.background_NF, sample.weight_KF, labels_N, rivals_N)
    documents, cards = [], {}
    for number, pair in enumerate(pairs):
        rows, card = strongest_rows(pair.contribution_F, pair.object_F, pair.background_F), None
        if number < NUM_CARDS:
            rows = with_crops(sample, rows, pair.indices_M, torch.full_like(pair.indices_M, pair.rival))
            card = f"{files[pair.label]}-vs-{files[pair.rival]}"
            title = f"{names[pair.label]} against {names[pair.rival]}: means over {_images(len(pair.indices_M))}"
            cards[card] = draw_card(title, rows, sample.batch.images_BCHW)
        documents.append({**_pair(sample, pair), "strongest": [asdict(row) for row in rows], "card": card})
    return documents, cards


def _pair(sample: Sample, pair: ClassPair) -> Document:
    contribution_1F = pair.contribution_F.unsqueeze(0)
    return {
        "label": sample.class_names[pair.label],
        "rival": sample.class_names[pair.rival],
        "num_pictures": len(pair.indices_M),
        "num_with_mask": int(sample.batch.has_mask_B[pair.indices_M].sum()),
        "num_rival": pair.num_rival,
        "margin": float(pair.contribution_F.sum() + sample.bias_K[pair.label] - sample.bias_K[pair.rival]),
        "bias": float(sample.bias_K[pair.label] - sample.bias_K[pair.rival]),
        "object": float(pair.object_F.sum()),
        "background": float(pair.background_F.sum()),
        "effective_number": float(effective_number(contribution_1F)),
        "num_for_90_percent": float(num_needed(contribution_1F)),
        "background_share": float(background_share(pair.object_F, pair.background_F, 0)),
    }


def image_documents(sample: Sample, values: Mapping[str, Tensor]) -> list[Document]:
    """Return each image with its margin, its values by name, and its strongest channels."""
    parts = zip(sample.contribution_NF, sample.object_NF, sample.background_NF, strict=True)
    return [
        {
            "image": image,
            "label": sample.class_names[int(sample.batch.labels_B[index])],
            "rival": sample.class_names[int(sample.pooled.rivals_N[index])],
            "margin": float(sample.pooled.margin_N[index]),
            "bias": float(sample.bias_N[index]),
            "object": float(object_F.sum()),
            "background": float(background_F.sum()),
            **{name: float(value_N[index]) for name, value_N in values.items()},
            "strongest": [asdict(row) for row in strongest_rows(contribution_F, object_F, background_F)],
        }
        for index, (image, (contribution_F, object_F, background_F)) in enumerate(
            zip(sample.batch.ids, parts, strict=True)
        )
    ]


def with_crops(sample: Sample, rows: Sequence[ChannelRow], indices_M: Tensor, rivals_M: Tensor) -> list[ChannelRow]:
    """Return the rows with the best crops of their channels among some images."""
    return [replace(row, crops=best_crops(sample, row.channel, indices_M, rivals_M)) for row in rows]


def _images(num: int) -> str:
    return f"{num} image" if num == 1 else f"{num} images"
