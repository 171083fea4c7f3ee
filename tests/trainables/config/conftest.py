"""One config tree for each kind of every section."""

from typing import Any

import pytest

IMAGES: dict[str, Any] = {
    "root": "/images",
    "cache": "/local",
    "loader_processes": 2,
    "shift": {
        "elsewhere": {"kind": "image_folder", "root": "/other"},
        "asirra": {"kind": "dogs_vs_cats", "root": "/asirra"},
    },
    "val_shift": {"turned": {"kind": "image_folder", "root": "/turned"}},
}

TREES: dict[str, dict[str, Any]] = {
    "defaults": {},
    "spurious_digits": {"data": {"kind": "spurious_digits", "correlation": 0.5}},
    "oxford_pet": {"data": {"kind": "oxford_pet", "labels": "species", **IMAGES}},
    "pascal_voc": {"data": {"kind": "pascal_voc", "year": 2007, **IMAGES}, "objective": {"kind": "binary_contrastive"}},
    "imagenet_s": {"data": {"kind": "imagenet_s", "folder": "ImageNetS919", **IMAGES}},
    "hard_imagenet": {"data": {"kind": "hard_imagenet", **IMAGES}},
    "image_folder": {"data": {"kind": "image_folder", "augmentation": {"flip": False}, **IMAGES}},
    "table": {
        "data": {
            "kind": "table",
            "table": "mine.csv",
            "images": "images",
            "masks": {"kind": "equal", "folder": "masks"},
            **IMAGES,
        }
    },
    "standard_set": {"data": {"kind": "waterbirds", **IMAGES}},
    "urbancars": {"data": {"kind": "urbancars", "ratio": 0.8, **IMAGES}},
    "spawrious": {"data": {"kind": "spawrious", **IMAGES}},
    "nico_pp": {"data": {"kind": "nico_pp", "held_out": ["dim"], **IMAGES}},
    "sbd": {"data": {"kind": "sbd", **IMAGES}, "objective": {"kind": "binary_contrastive"}},
    "small_cnn": {"model": {"kind": "small_cnn", "norm": "group"}},
    **{
        kind: {"model": {"kind": kind, "cam_stride": 16, "weights": "DEFAULT", "weights_file": "/w.pth"}}
        for kind in ("resnet18", "regnet_y_16gf", "efficientnet_v2_s", "densenet121")
    },
    "cross_entropy": {"objective": {"kind": "cross_entropy"}},
    "binary_cross_entropy": {"objective": {"kind": "binary_cross_entropy"}},
    "binary_contrastive": {"objective": {"kind": "binary_contrastive", "background_weight": 0.3}},
    "contrastive": {"objective": {"kind": "contrastive", "background_weight": 0.3}},
    "adamw": {"optim": {"kind": "adamw", "learning_rate": 1.0e-4}},
    "adam": {"optim": {"kind": "adam", "weight_decay": 0.1}},
    "sgd": {"optim": {"kind": "sgd", "momentum": 0.5}, "resources": {"workers": 2, "gpus": 2}},
}


@pytest.fixture(params=TREES.values(), ids=TREES.keys())
def tree(request: pytest.FixtureRequest) -> dict[str, Any]:
    """A valid config tree; together they hold every section of every kind."""
    return dict(request.param)
