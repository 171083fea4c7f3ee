"""The rules between sections: what breaks one is refused with both fields, what just keeps it is accepted."""

from typing import Any

import pytest

from trainables.config import ConfigError, experiment_from_tree

IMAGES = {"kind": "image_folder", "root": "/p"}
SHIFT = {"kind": "image_folder", "root": "/q"}
WITH_MASKS = (
    "data sets with masks: cub, hard_imagenet, imagenet_boxes, imagenet_s, oxford_pet, pascal_voc, rival10, "
    "salient_imagenet, sbd, spurious_digits, urbancars, waterbirds, and with data.masks "
    "image_folder and table"
)
NO_MASKS = f"masks, and data.masks = null has none; {WITH_MASKS}"
VOC = {"kind": "pascal_voc", "root": "/p"}
SEVERAL = "one label an image, and data.kind = pascal_voc has several; set"

SYNC, GPUS = {"sync_batchnorm": True}, {"workers": 2, "gpus": 1}
TWICE = (
    "does not go with objective.rrr, whose loss is a gradient, since torch cannot differentiate it once more then; "
    "set it to false, or objective.rrr to null"
)

CASES = [
    pytest.param(
        {"training": {"batch_size": 66, "accumulate": 4}},
        {"training": {"batch_size": 64, "accumulate": 4}},
        "training.batch_size = 66 is no multiple of 4, which is resources.workers = 0 (at least 1) times "
        "training.accumulate = 4",
        id="batch in parts",
    ),
    pytest.param(
        {"training": {"batch_size": 64, "accumulate": 2}, "resources": {"workers": 3}},
        {"training": {"batch_size": 66, "accumulate": 2}, "resources": {"workers": 3}},
        "training.batch_size = 64 is no multiple of 6, which is resources.workers = 3 (at least 1) times "
        "training.accumulate = 2",
        id="batch over workers",
    ),
    pytest.param(
        {"training": {"keep": "best"}},
        {"training": {"keep": "best", "keep_metric": "val/accuracy"}},
        "training.keep = best needs training.keep_metric, a validation metric such as val/accuracy; found null",
        id="best by nothing",
    ),
    pytest.param(
        {"training": {"keep_metric": "val/accuracy"}},
        {"training": {"keep": "last"}},
        "training.keep_metric = val/accuracy has no effect with training.keep = last; set training.keep to best, or "
        "training.keep_metric to null",
        id="metric of the last",
    ),
    pytest.param(
        {"training": {"epochs": 3, "early_stopping": {"metric": "val/loss", "patience": 3}}},
        {"training": {"epochs": 3, "early_stopping": {"metric": "val/loss", "patience": 2}}},
        "training.early_stopping.patience = 3 must be below training.epochs = 3; set training.early_stopping to null "
        "to train all epochs",
        id="patience",
    ),
    pytest.param(
        {"resources": {"workers": 1, "gpus": 0.5}},
        {"resources": {"workers": 0, "gpus": 0.5}},
        "resources.gpus = 0.5 is a fraction, which needs resources.workers = 0; found resources.workers = 1",
        id="fraction of a device",
    ),
    pytest.param(
        {"training": {"epochs": 3}, "optim": {"warmup_epochs": 3}},
        {"training": {"epochs": 3}, "optim": {"warmup_epochs": 2.9}},
        "optim.warmup_epochs = 3.0 must be below training.epochs = 3",
        id="warm-up",
    ),
    pytest.param(
        {"objective": {"kind": "contrastive"}, "data": {"kind": "image_folder", "root": "/p"}},
        {"objective": {"kind": "contrastive"}, "data": {"kind": "oxford_pet", "root": "/p"}},
        f"objective.kind = contrastive needs {NO_MASKS}",
        id="masks",
    ),
    pytest.param(
        {"objective": {"kind": "contrastive"}, "data": {"kind": "imagenet_s", "root": "/p", "train": "train"}},
        {"objective": {"kind": "contrastive"}, "data": {"kind": "imagenet_s", "root": "/p"}},
        f"objective.kind = contrastive needs masks, and data.train = train has none; {WITH_MASKS}",
        id="masks of imagenet-s",
    ),
    pytest.param(
        {"objective": {"kind": "binary_contrastive", "background_weight": 0.5}, "data": IMAGES},
        {"objective": {"kind": "binary_contrastive", "background_weight": 0}, "data": IMAGES},
        f"objective.background_weight = 0.5 needs {NO_MASKS}",
        id="masks of a binary loss",
    ),
    pytest.param(
        {"objective": {"divergence": {"weight": 50}, "background_noise": 0.1}, "data": IMAGES},
        {"objective": {"divergence": {"weight": 50}, "background_noise": 0.1}},
        f"objective.divergence.weight = 50.0 and objective.background_noise = 0.1 need {NO_MASKS}",
        id="masks of divergence and noise",
    ),
    pytest.param(
        {"objective": {"sliced_wasserstein": {"weight": 2}}, "data": IMAGES},
        {"objective": {"cutmix": {}}, "data": IMAGES},
        f"objective.sliced_wasserstein.weight = 2.0 needs {NO_MASKS}",
        id="masks of the sliced Wasserstein distance, and CutMix without any",
    ),
    pytest.param(
        {"objective": {"guidance": {"weight": 2}, "rrr": {"weight": 3}}, "data": IMAGES},
        {"objective": {"guidance": {"weight": 2}, "rrr": {"weight": 3}}},
        f"objective.guidance.weight = 2.0 and objective.rrr.weight = 3.0 need {NO_MASKS}",
        id="masks of guidance and RRR",
    ),
    pytest.param(
        {"data": VOC, "objective": {"kind": "binary_cross_entropy", "guidance": {"weight": 2}}},
        {"data": VOC, "objective": {"kind": "binary_cross_entropy", "rrr": {"weight": 2}}},
        f"objective.guidance.weight = 2.0 takes {SEVERAL} objective.guidance=null",
        id="guidance of several labels, and RRR on what is no object",
    ),
    pytest.param(
        {"objective": {"rrr": {"weight": 1}}, "training": {"compile": True}},
        {"objective": {"guidance": {"weight": 1}}, "training": {"compile": True}},
        f"training.compile = true {TWICE}",
        id="a compiled network and RRR",
    ),
    pytest.param(
        {"objective": {"rrr": {"weight": 1}}, "training": SYNC, "model": {"norm": "batch"}, "resources": GPUS},
        {"objective": {"rrr": {"weight": 1}}, "training": {"gradient_checkpointing": True}},
        f"training.sync_batchnorm = true {TWICE}",
        id="synchronised batch norms and RRR, and activations that are computed again",
    ),
    pytest.param(
        {"objective": {"kind": "contrastive", "background_weight_warmup": 3}, "training": {"epochs": 3}},
        {"objective": {"kind": "contrastive", "background_weight_warmup": 2}, "training": {"epochs": 3}},
        "objective.background_weight_warmup = 3 must be below training.epochs = 3, so that an epoch has the whole "
        "objective.background_weight = 1",
        id="a background weight that is never reached",
    ),
    pytest.param(
        {"objective": {"kind": "binary_contrastive", "background_weight_warmup": 1, "background_weight": 0}},
        {"objective": {"kind": "binary_contrastive", "background_weight_warmup": 1}},
        "objective.background_weight_warmup = 1 has no effect with objective.background_weight = 0; set the weight "
        "that it rises to, or the warm-up to 0",
        id="a background weight that stays 0",
    ),
    pytest.param(
        {"data": VOC},
        {"data": VOC, "objective": {"kind": "binary_cross_entropy"}},
        f"objective.kind = cross_entropy takes {SEVERAL} objective.kind=binary_contrastive (or binary_cross_entropy)",
        id="a loss for several labels",
    ),
    pytest.param(
        {"data": VOC, "objective": {"kind": "supcon"}},
        {"data": VOC, "objective": {"kind": "binary_contrastive"}},
        f"objective.kind = supcon takes {SEVERAL} objective.kind=binary_contrastive (or binary_cross_entropy)",
        id="no embedding for several labels",
    ),
    pytest.param(
        {"data": VOC, "objective": {"kind": "binary_contrastive", "cutmix": {"probability": 0.25}}},
        {"data": VOC, "objective": {"kind": "binary_contrastive", "background_noise": 0.2}},
        f"objective.cutmix.probability = 0.25 takes {SEVERAL} objective.cutmix=null",
        id="CutMix of several labels, and noise on what is no object",
    ),
    pytest.param(
        {
            "data": VOC,
            "objective": {
                "kind": "binary_cross_entropy",
                "divergence": {"weight": 50},
                "sliced_wasserstein": {"weight": 2},
            },
        },
        {"data": {**VOC, "kind": "oxford_pet"}, "objective": {"kind": "binary_cross_entropy", "cutmix": {}}},
        f"objective.divergence.weight = 50.0 and objective.sliced_wasserstein.weight = 2.0 take {SEVERAL} "
        "objective.divergence=null and objective.sliced_wasserstein=null",
        id="divergence and sliced Wasserstein distance of several labels",
    ),
    pytest.param(
        {"objective": {"cutmix": {}}, "training": {"batch_size": 8, "accumulate": 4}, "resources": {"workers": 2}},
        {"objective": {"cutmix": {}}, "training": {"batch_size": 8, "accumulate": 2}, "resources": {"workers": 2}},
        "objective.cutmix needs two images to mix, and training.batch_size = 8 leaves one in each micro-batch, of "
        "which there are resources.workers = 2 (at least 1) times training.accumulate = 4",
        id="a partner for CutMix",
    ),
    pytest.param(
        {"objective": {"background_swap": {}}, "training": {"batch_size": 8, "accumulate": 8}},
        {"objective": {"object_only": {}}, "training": {"batch_size": 8, "accumulate": 8}},
        "objective.background_swap needs two images to mix, and training.batch_size = 8 leaves one in each "
        "micro-batch, of which there are resources.workers = 0 (at least 1) times training.accumulate = 8",
        id="a lender of a background",
    ),
    pytest.param(
        {"objective": {"background_swap": {"probability": 0.75}, "object_only": {"probability": 0.5}}},
        {"objective": {"background_swap": {"probability": 0.5}, "object_only": {"probability": 0.5}}},
        "background_swap.probability = 0.75 and object_only.probability = 0.5 are shares of the images, each of which "
        "gets one background at most; let them add up to 1 or less",
        id="one background an image",
    ),
    pytest.param(
        {"objective": {"background_swap": {}}, "data": IMAGES},
        {"objective": {"background_swap": {}}, "data": {**IMAGES, "kind": "oxford_pet"}},
        f"objective.background_swap.probability = 1.0 needs {NO_MASKS}",
        id="masks of a swap",
    ),
    pytest.param(
        {"objective": {"object_only": {"probability": 0.5}}, "data": IMAGES},
        {
            "objective": {
                "kind": "binary_contrastive",
                "object_only": {"probability": 0.5},
                "background_swap": {"probability": 0.5},
            },
            "data": VOC,
        },
        f"objective.object_only.probability = 0.5 needs {NO_MASKS}",
        id="masks of objects alone, of several labels too",
    ),
    pytest.param(
        {"data": {"image_size": 63}, "model": {"kind": "resnet18"}},
        {"data": {"image_size": 64}, "model": {"kind": "resnet18"}},
        "data.image_size = 63 leaves a map of less than 2 x 2 cells at model.cam_stride = 32; "
        "lower the stride or enlarge the images",
        id="map size",
    ),
    pytest.param(
        {"data": {"num_train": 63}, "training": {"batch_size": 64}},
        {"data": {"num_train": 64}, "training": {"batch_size": 64}},
        "data.num_train = 63 is less than training.batch_size = 64, so that no batch is full",
        id="full batch",
    ),
    pytest.param(
        {"data": {**IMAGES, "shift": {"s": SHIFT}}, "evaluation": {"shift_every_epoch": True}},
        {"data": {**IMAGES, "val_shift": {"s": SHIFT}}, "evaluation": {"shift_every_epoch": True}},
        "evaluation.shift_every_epoch = true needs a shifted validation set, and data.kind = image_folder has none in "
        "data.val_shift; shifted test sets are measured by campaign evaluate, and at the end of a sweep or a study",
        id="shifted sets",
    ),
    pytest.param(
        {"evaluation": {"shift_every_epoch": True}},
        {"data": {"validation": {"source": "held_out"}}, "evaluation": {"shift_every_epoch": True}},
        "evaluation.shift_every_epoch = true needs a shifted validation set, and data.kind = spurious_digits has none "
        "in data.val_shift; shifted test sets are measured by campaign evaluate, and at the end of a sweep or a study",
        id="shifted sets of digits",
    ),
    pytest.param(
        {"evaluation": {"panel_every_epochs": 1, "panel_images": 0}},
        {"evaluation": {"panel_every_epochs": 1, "panel_images": 1}},
        "evaluation.panel_every_epochs = 1 has no effect with evaluation.panel_images = 0; "
        "set it to null, or draw an image or more",
        id="panels of no image",
    ),
    pytest.param(
        {"evaluation": {"panel_every_epochs": 3}, "training": {"epochs": 3}},
        {"evaluation": {"panel_every_epochs": 2}, "training": {"epochs": 3}},
        "evaluation.panel_every_epochs = 3 must be below training.epochs = 3; "
        "set it to null to draw panels at the end only",
        id="panels after the end",
    ),
    pytest.param(
        {"training": SYNC, "resources": {"workers": 2}},
        {"training": SYNC, "resources": {"workers": 2, "gpus": 1}},
        "training.sync_batchnorm = true needs resources.workers of 2 or more and resources.gpus of 1 or more, for "
        "torch's SyncBatchNorm works between GPUs alone; found resources.workers = 2 and resources.gpus = 0",
        id="SyncBatchNorm on CPUs",
    ),
    pytest.param(
        {"training": SYNC, "resources": {"workers": 1, "gpus": 1}},
        {"resources": {"workers": 1, "gpus": 1}},
        "training.sync_batchnorm = true needs resources.workers of 2 or more and resources.gpus of 1 or more, for "
        "torch's SyncBatchNorm works between GPUs alone; found resources.workers = 1 and resources.gpus = 1",
        id="SyncBatchNorm of one worker",
    ),
    pytest.param(
        {"training": SYNC, "resources": GPUS, "model": {"kind": "convnext_tiny", "cam_stride": 16}},
        {"training": SYNC, "resources": GPUS, "model": {"kind": "convnext_tiny", "cam_stride": 16, "norm": "batch"}},
        "training.sync_batchnorm = true has no effect: model.kind = convnext_tiny with model.norm = own has no batch "
        "norms",
        id="SyncBatchNorm without batch norms",
    ),
    pytest.param(
        {"training": SYNC, "resources": GPUS, "model": {"norm": "group"}},
        {"training": SYNC, "resources": GPUS, "model": {"kind": "resnet18", "cam_stride": 16}},
        "training.sync_batchnorm = true has no effect: model.kind = small_cnn with model.norm = group has no batch "
        "norms",
        id="SyncBatchNorm of other norms",
    ),
]


@pytest.mark.parametrize(("broken", "kept", "message"), CASES)
def test_rule(broken: dict[str, Any], kept: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        experiment_from_tree(broken)
    assert str(caught.value) == f"config: {message}"
    experiment_from_tree(kept)


@pytest.mark.parametrize(
    ("data", "resources", "processes"),
    [
        ({"kind": "oxford_pet", "root": "/p"}, {}, 0),
        ({"kind": "oxford_pet", "root": "/p"}, {"gpus": 1, "cpus": 8}, 8),
        ({"kind": "oxford_pet", "root": "/p"}, {"gpus": 0.5, "cpus": 1.5}, 2),
        ({"kind": "oxford_pet", "root": "/p", "loader_processes": 0}, {"gpus": 1, "cpus": 8}, 0),
        ({"kind": "oxford_pet", "root": "/p", "loader_processes": 3}, {}, 3),
        ({"kind": "spurious_digits"}, {"gpus": 1, "cpus": 8}, 0),
    ],
)
def test_images_keep_up_with_a_gpu_unless_told_otherwise(
    data: dict[str, Any], resources: dict[str, Any], processes: int
) -> None:
    assert experiment_from_tree({"data": data, "resources": resources}).loader_processes == processes


@pytest.mark.parametrize("processes", [{}, {"loader_processes": 0}])
def test_prefetching_needs_processes(processes: dict[str, int]) -> None:
    data = {"kind": "oxford_pet", "root": "/p", "prefetch_batches": 4}
    with pytest.raises(
        ConfigError, match=r"prefetch_batches = 4 has no effect without loader processes; data\.loader_p"
    ):
        experiment_from_tree({"data": {**data, **processes}})
    config = experiment_from_tree({"data": {**data, "loader_processes": 2}})
    assert config.data.prefetch_batches == 4
