"""The rules of fine-tuning: what cannot take effect is refused, and its nearest neighbour is not."""

from typing import Any

import pytest

from trainables.config import ConfigError, experiment_from_tree, override
from trainables.config.data import KINDS_WITH_MASKS

FROZEN: dict[str, Any] = {"training.freeze": {}}
TABLE: dict[str, Any] = {"data": {"kind": "table", "root": "/p", "table": "mine.csv"}}
VOC: dict[str, Any] = {"data": {"kind": "pascal_voc", "root": "/p"}, "objective.kind": "binary_contrastive"}
JTT: dict[str, Any] = {"training.jtt": {"epochs": 1, "upweight": 5}}
NEVER_TRAINED = (
    " has no effect with training.freeze.stages = all and training.freeze.epochs = null, which never train the "
    "backbone; leave it out, or set training.freeze.epochs"
)

CASES = [
    pytest.param(
        {"training.freeze.epochs": 10},
        {"training.freeze.epochs": 9},
        "training.freeze.epochs = 10 must be below training.epochs = 10; set it to null to freeze the stages for good",
        id="stages that never thaw",
    ),
    pytest.param(
        {"training.freeze.stages": 0},
        {"training.freeze.stages": 1},
        "training.freeze.stages = 0 freezes nothing; set it to 1 or more, to all, or training.freeze to null",
        id="no stage",
    ),
    pytest.param(
        {**FROZEN, "objective.kind": "triplet"},
        {**FROZEN, "objective.kind": "supcon"},
        "training.freeze.stages = all leaves nothing to train with objective.kind = triplet, which trains the backbone "
        "alone; freeze fewer stages, or set training.freeze to null",
        id="nothing to train",
    ),
    pytest.param(
        {**FROZEN, "optim.layer_decay": 0.5},
        {"training.freeze.stages": 3, "optim.layer_decay": 0.5},
        f"optim.layer_decay = 0.5{NEVER_TRAINED}",
        id="rates of a frozen backbone",
    ),
    pytest.param(
        {**FROZEN, "training.gradient_checkpointing": True},
        {**FROZEN, "training.freeze.epochs": 1, "training.gradient_checkpointing": True},
        f"training.gradient_checkpointing = true{NEVER_TRAINED}",
        id="activations of a frozen backbone",
    ),
    pytest.param(
        {**FROZEN, "training.sync_batchnorm": True, "resources": {"workers": 2, "gpus": 1}},
        {"training.sync_batchnorm": True, "resources": {"workers": 2, "gpus": 1}},
        f"training.sync_batchnorm = true{NEVER_TRAINED}",
        id="statistics of a frozen backbone",
    ),
    pytest.param(
        {"training.gradient_checkpointing": True, "training.compile": True},
        {"training.gradient_checkpointing": True},
        "training.gradient_checkpointing = true does not go with training.compile = true, which cannot keep batch "
        "statistics as they are while it computes activations again; set one of them to false",
        id="compiled activations",
    ),
    pytest.param(
        {"optim.head_multiplier": 10, "objective.kind": "triplet"},
        {"optim.head_multiplier": 10, "objective.kind": "supcon"},
        "optim.head_multiplier = 10 has no effect with objective.kind = triplet, which trains the backbone alone; set "
        "it to 1",
        id="head of an embedding",
    ),
    pytest.param(
        {**TABLE, "training.sampling": "group_balanced"},
        {**TABLE, "data.groups": ["label"], "training.sampling": "group_balanced"},
        "training.sampling = group_balanced needs groups, and data.kind = table has none; name the columns that make "
        "them in data.groups of a table, take one of the data sets with groups (metashift, nico_pp, spawrious, "
        "urbancars, waterbirds), or set it to uniform",
        id="groups",
    ),
    pytest.param(
        {**TABLE, "objective.group_dro": {}},
        {**TABLE, "data.groups": ["label"], "objective.group_dro": {}},
        "objective.group_dro needs groups, and data.kind = table has none; name the columns that make them in "
        "data.groups of a table, take one of the data sets with groups (metashift, nico_pp, spawrious, urbancars, "
        "waterbirds), or set it to null",
        id="groups to weigh",
    ),
    pytest.param(
        {"objective.group_dro": {}, "data.correlation": 1},
        {"objective.group_dro": {}, "data.correlation": 0.99},
        "objective.group_dro has no effect with data.correlation = 1, by which all digits are of one group; set it "
        "between 0 and 1",
        id="one group of digits",
    ),
    pytest.param(
        {"objective.group_dro": {}, "training.accumulate": 2},
        {"objective.group_dro": {}, "objective.kind": "contrastive"},
        "objective.group_dro weighs groups by their losses in the whole batch, and training.accumulate = 2 shows a "
        "part of it at a time: set it to 1, and spread a large batch over resources.workers",
        id="groups of micro-batches",
    ),
    pytest.param(
        {"objective.group_dro": {}, "objective.cutmix": {}},
        {"objective.group_dro": {}, "objective.background_noise": 0.1},
        "objective.group_dro takes one group an image, and objective.cutmix joins images of two groups; set one of "
        "them to null",
        id="groups of mixed images",
    ),
    pytest.param(
        {"objective.group_dro": {}, "objective.background_swap": {}},
        {"objective.group_dro": {}, "objective.object_only": {}},
        "objective.group_dro takes one group an image, and objective.background_swap joins images of two groups; set "
        "one of them to null",
        id="groups of swapped backgrounds",
    ),
    pytest.param(
        {**JTT, "objective.kind": "supcon"},
        {**JTT, "objective.kind": "contrastive"},
        "training.jtt takes the mistakes of a classifier, and objective.kind = supcon trains none; set training.jtt "
        "to null",
        id="mistakes of an embedding",
    ),
    pytest.param(
        {**VOC, **JTT},
        VOC,
        "training.jtt takes one label an image, and data.kind = pascal_voc has several; set it to null",
        id="mistakes of several labels",
    ),
    pytest.param(
        {**JTT, "training.sampling": "group_balanced"},
        {**JTT, "training.sampling": "uniform"},
        "training.jtt upweights mistakes, and training.sampling = group_balanced weighs images by another rule; leave "
        "one of them out",
        id="mistakes and strata",
    ),
    pytest.param(
        {**JTT, "objective.group_dro": {}},
        {**JTT, "objective.class_weights": "balanced"},
        "training.jtt upweights mistakes, and objective.group_dro weighs images by another rule; leave one of them out",
        id="mistakes and groups",
    ),
    pytest.param(
        {**JTT, "data": {"kind": "imagenet_s", "root": "/p", "oversample_masked": 2}},
        {**JTT, "data": {"kind": "imagenet_s", "root": "/p"}},
        "training.jtt upweights mistakes, and data.oversample_masked = 2 weighs images by another rule; leave one of "
        "them out",
        id="mistakes and masks",
    ),
    pytest.param(
        {**JTT, "training.jtt.epochs": 3, "training.freeze.epochs": 3},
        {**JTT, "training.jtt.epochs": 3, "training.freeze.epochs": 2},
        "training.freeze.epochs = 3 must be below training.jtt.epochs = 3, so that the first network is trained as the "
        "second is; set training.jtt.epochs to 4 or more, or lower training.freeze.epochs",
        id="a first network that never thaws",
    ),
    pytest.param(
        {**JTT, "objective.kind": "contrastive", "objective.background_weight_warmup": 1},
        {**JTT, "objective.kind": "contrastive", "objective.background_weight_warmup": 0},
        "objective.background_weight_warmup = 1 must be below training.jtt.epochs = 1, so that the first network is "
        "trained as the second is; set training.jtt.epochs to 2 or more, or lower objective.background_weight_warmup",
        id="a first network without the whole background weight",
    ),
    pytest.param(
        {**TABLE, "objective.dfr.fit_on": "training"},
        {**TABLE, "data.groups": ["label"], "objective.dfr.fit_on": "training"},
        "objective.dfr.fit_on = training needs groups, and data.kind = table has none; name the columns that make them "
        "in data.groups of a table, take one of the data sets with groups (metashift, nico_pp, spawrious, urbancars, "
        "waterbirds), or set it to object_only, which needs masks",
        id="groups of a last layer",
    ),
    pytest.param(
        {"objective.dfr.fit_on": "validation", "data.validation.source": "held_out"},
        {"objective.dfr.fit_on": "training", "data.validation.source": "held_out"},
        "objective.dfr.fit_on = validation needs validation images of its own, and data.validation.source = held_out "
        "reports on them; set data.validation.source to cut, or objective.dfr.fit_on to training",
        id="half of a held-out set",
    ),
    pytest.param(
        {**VOC, "objective.dfr.fit_on": "object_only"},
        VOC,
        "objective.dfr.fit_on = object_only takes one label an image, and data.kind = pascal_voc has several; set "
        "objective.dfr=null",
        id="last layer of several labels",
    ),
    pytest.param(
        {**TABLE, "objective.dfr.fit_on": "object_only"},
        {**TABLE, "data.masks": {"kind": "nonzero"}, "objective.dfr.fit_on": "object_only"},
        "objective.dfr.fit_on = object_only needs masks, and data.masks = null has none; data sets with masks: "
        f"{', '.join(sorted(KINDS_WITH_MASKS))}, and with data.masks image_folder and table",
        id="objects without masks",
    ),
    pytest.param(
        {**VOC, "training.sampling": "class_balanced"},
        VOC,
        "training.sampling = class_balanced takes one label an image, and data.kind = pascal_voc has several; set it "
        "to uniform",
        id="classes to sample",
    ),
    pytest.param(
        {**VOC, "objective.class_weights": "balanced"},
        {**VOC, "objective.label_smoothing": 0.1},
        "objective.class_weights takes one label an image, and data.kind = pascal_voc has several; set "
        "objective.class_weights=null",
        id="classes to weigh",
    ),
    pytest.param(
        {**TABLE, "data.columns.weight": "w", "objective.kind": "supcon"},
        {**TABLE, "data.columns.weight": "w"},
        "data.columns.weight = w has no effect with objective.kind = supcon, whose loss compares images with each "
        "other; set it to null",
        id="weights of an embedding",
    ),
    pytest.param(
        {**TABLE, "data.augmentation.color_jitter": {"brightness": 0, "contrast": 0, "saturation": 0}},
        {**TABLE, "data.augmentation.color_jitter": {"brightness": 0, "contrast": 0, "saturation": 0, "hue": 0.1}},
        "data.augmentation.color_jitter changes nothing, for all of it is 0; set it to null",
        id="no jitter",
    ),
    pytest.param(
        {**TABLE, "data.augmentation.random_erasing": {"scale_min": 0.5}},
        {**TABLE, "data.augmentation.random_erasing": {"scale_min": 0.5, "scale_max": 0.5}},
        "data.augmentation.random_erasing.scale_min = 0.5 is more than scale_max = 0.33; exchange them",
        id="range backwards",
    ),
]


@pytest.mark.parametrize(("overrides", "accepted", "message"), CASES)
def test_what_cannot_take_effect_is_refused(overrides: dict[str, Any], accepted: dict[str, Any], message: str) -> None:
    experiment_from_tree(override({}, accepted))
    with pytest.raises(ConfigError) as caught:
        experiment_from_tree(override({}, overrides))
    assert str(caught.value) == f"config: {message}"


def test_random_erasing_of_whole_images_is_refused() -> None:
    erasing = {"data.augmentation.random_erasing": {"scale_min": 1, "scale_max": 1}}
    with pytest.raises(ConfigError) as caught:
        experiment_from_tree(override({}, {**TABLE, **erasing}))
    assert str(caught.value) == (
        "config: data.augmentation.random_erasing.scale_min: found 1; input should be less than 1"
    )


@pytest.mark.parametrize("value", ["balance", {}, {"a": -1}, {"a": True}, {"a": "x"}, 3, [1, 2]])
def test_class_weights_are_balanced_or_by_name(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"objective\.class_weights: found .*; input should be balanced, or a weight"):
        experiment_from_tree({"objective": {"class_weights": value}})


def test_names_of_classes_may_be_numbers() -> None:
    config = experiment_from_tree({"objective": {"class_weights": {3: 2, "cat": 0.5}}})
    assert config.objective.model_dump()["class_weights"] == {"3": 2.0, "cat": 0.5}


@pytest.mark.parametrize("kind", ["supcon", "triplet"])
@pytest.mark.parametrize("field", ["label_smoothing", "class_weights", "group_dro", "dfr"])
def test_an_embedding_has_neither_smoothing_nor_weights_nor_another_last_layer(kind: str, field: str) -> None:
    with pytest.raises(ConfigError, match=rf"objective\.{field}: unknown field .* needs objective\.kind = "):
        experiment_from_tree({"objective": {"kind": kind, field: 0.1}})


@pytest.mark.parametrize("value", ["some", 1.5, True, -1])
def test_stages_are_a_number_or_all(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"training\.freeze\.stages"):
        experiment_from_tree({"training": {"freeze": {"stages": value}}})


@pytest.mark.parametrize("name", ["rand_augment", "color_jitter", "random_erasing"])
def test_any_augmentation_makes_two_views_of_an_image(name: str) -> None:
    fixed = {"data": {"kind": "image_folder", "root": "/p", "augmentation": {"crop_scale_min": 1, "flip": False}}}
    tree = override(fixed, {"objective.kind": "supcon"})
    with pytest.raises(ConfigError, match="learns from two views"):
        experiment_from_tree(tree)
    experiment_from_tree(override(tree, {f"data.augmentation.{name}": {}}))
