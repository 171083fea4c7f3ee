"""The rules between the settings of fine-tuning and the other sections."""

from trainables.config.data import KINDS_WITH_SEVERAL_LABELS, DataConfig, SpuriousDigits, Table
from trainables.config.dfr import Dfr
from trainables.config.objective import BinaryContrastive, Contrastive, ObjectiveConfig, SupCon, Triplet
from trainables.config.optim import OptimConfig
from trainables.config.sets import SETS_WITH_GROUPS
from trainables.config.training import Freeze, Jtt, Training


def check_recipe(data: DataConfig, objective: ObjectiveConfig, optim: OptimConfig, training: Training) -> None:
    """Raise ValueError where a setting of fine-tuning cannot take effect."""
    _strata_are_there(data, training)
    _weights_take_effect(data, objective)
    _background_weight_rises(objective, training)
    if getattr(objective, "rrr", None) is not None:
        _network_can_be_differentiated_twice(training)
    if getattr(objective, "group_dro", None) is not None:
        _groups_have_losses(data, objective, training)
    if training.jtt is not None:
        _mistakes_are_upweighted(data, objective, training)
        _first_network_gets_as_far(training.jtt, objective, training.freeze)
    if (dfr := getattr(objective, "dfr", None)) is not None:
        _last_layer_has_images(dfr, data)
    if training.freeze is not None:
        _something_is_trained(training.freeze, objective)
        if training.freeze.leaves_the_head_alone:
            _head_alone(optim, training)
    if isinstance(objective, Triplet) and optim.head_multiplier != 1:
        raise ValueError(
            f"optim.head_multiplier = {optim.head_multiplier:g} has no effect with objective.kind = triplet, which "
            "trains the backbone alone; set it to 1"
        )


def _strata_are_there(data: DataConfig, training: Training) -> None:
    if training.sampling == "class_balanced" and data.kind in KINDS_WITH_SEVERAL_LABELS:
        raise ValueError(
            f"training.sampling = class_balanced takes one label an image, and data.kind = {data.kind} has several; "
            "set it to uniform"
        )
    if training.sampling == "group_balanced":
        _groups_are_there(data, "training.sampling = group_balanced", "uniform")


def _groups_are_there(data: DataConfig, setting: str, other: str) -> None:
    if not data.has_groups:
        raise ValueError(
            f"{setting} needs groups, and data.kind = {data.kind} has none; name the columns that make them in "
            "data.groups of a table, take one of the data sets with groups "
            f"({', '.join(sorted(SETS_WITH_GROUPS))}), or set it to {other}"
        )


def _groups_have_losses(data: DataConfig, objective: ObjectiveConfig, training: Training) -> None:
    """Refuse GroupDRO where images have no groups, or the groups of a batch no losses."""
    _groups_are_there(data, "objective.group_dro", "null")
    if isinstance(data, SpuriousDigits) and data.correlation in (0, 1):
        raise ValueError(
            f"objective.group_dro has no effect with data.correlation = {data.correlation:g}, by which all digits are "
            "of one group; set it between 0 and 1"
        )
    if training.accumulate > 1:
        raise ValueError(
            f"objective.group_dro weighs groups by their losses in the whole batch, and training.accumulate = "
            f"{training.accumulate} shows a part of it at a time: set it to 1, and spread a large batch over "
            "resources.workers"
        )
    for name in ("cutmix", "background_swap"):
        if getattr(objective, name, None) is not None:
            raise ValueError(
                f"objective.group_dro takes one group an image, and objective.{name} joins images of two groups; set "
                "one of them to null"
            )


def _mistakes_are_upweighted(data: DataConfig, objective: ObjectiveConfig, training: Training) -> None:
    """Refuse JTT where a mistake is not defined, or something else says how often or how much an image counts."""
    if isinstance(objective, SupCon | Triplet):
        raise ValueError(
            "training.jtt takes the mistakes of a classifier, and objective.kind = "
            f"{objective.kind} trains none; set training.jtt to null"
        )
    if data.kind in KINDS_WITH_SEVERAL_LABELS:
        raise ValueError(
            f"training.jtt takes one label an image, and data.kind = {data.kind} has several; set it to null"
        )
    repeats = {
        f"training.sampling = {training.sampling}": training.sampling != "uniform",
        f"data.oversample_masked = {getattr(data, 'oversample_masked', 1)}": getattr(data, "oversample_masked", 1) > 1,
        "objective.group_dro": objective.group_dro is not None,
    }
    for setting in (setting for setting, is_set in repeats.items() if is_set):
        raise ValueError(
            f"training.jtt upweights mistakes, and {setting} weighs images by another rule; leave one of them out"
        )


def _first_network_gets_as_far(jtt: Jtt, objective: ObjectiveConfig, freeze: Freeze | None) -> None:
    """Refuse what begins only after so many epochs as the first network does not have."""
    first = {
        "training.freeze.epochs": None if freeze is None else freeze.epochs,
        "objective.background_weight_warmup": getattr(objective, "background_weight_warmup", None),
    }
    for setting, epochs in first.items():
        if epochs is not None and epochs >= jtt.epochs:
            raise ValueError(
                f"{setting} = {epochs} must be below training.jtt.epochs = {jtt.epochs}, so that the first network is "
                f"trained as the second is; set training.jtt.epochs to {epochs + 1} or more, or lower {setting}"
            )


def _last_layer_has_images(dfr: Dfr, data: DataConfig) -> None:
    """Refuse to fit the last layer to images without groups, or to those on which the trial is reported."""
    if dfr.needs_groups:
        _groups_are_there(data, f"objective.dfr.fit_on = {dfr.fit_on}", "object_only, which needs masks")
    if dfr.fit_on == "validation" and data.validation.source == "held_out":
        raise ValueError(
            "objective.dfr.fit_on = validation needs validation images of its own, and data.validation.source = "
            "held_out reports on them; set data.validation.source to cut, or objective.dfr.fit_on to training"
        )


def _weights_take_effect(data: DataConfig, objective: ObjectiveConfig) -> None:
    column = data.columns.weight if isinstance(data, Table) else None
    if column is not None and isinstance(objective, SupCon | Triplet):
        raise ValueError(
            f"data.columns.weight = {column} has no effect with objective.kind = {objective.kind}, whose loss compares "
            "images with each other; set it to null"
        )


def _background_weight_rises(objective: ObjectiveConfig, training: Training) -> None:
    if not isinstance(objective, Contrastive | BinaryContrastive) or not objective.background_weight_warmup:
        return
    setting = f"objective.background_weight_warmup = {objective.background_weight_warmup}"
    if not objective.background_weight:
        raise ValueError(
            f"{setting} has no effect with objective.background_weight = 0; set the weight that it rises to, or the "
            "warm-up to 0"
        )
    if objective.background_weight_warmup >= training.epochs:
        raise ValueError(
            f"{setting} must be below training.epochs = {training.epochs}, so that an epoch has the whole "
            f"objective.background_weight = {objective.background_weight:g}"
        )


def _network_can_be_differentiated_twice(training: Training) -> None:
    """Refuse what has no gradient of a gradient."""
    found = {
        "training.compile = true": training.compile,
        "training.sync_batchnorm = true": training.sync_batchnorm,
    }
    for setting in (setting for setting, is_set in found.items() if is_set):
        raise ValueError(
            f"{setting} does not go with objective.rrr, whose loss is a gradient, since torch cannot differentiate it "
            "once more then; set it to false, or objective.rrr to null"
        )


def _something_is_trained(freeze: Freeze, objective: ObjectiveConfig) -> None:
    if isinstance(objective, Triplet) and freeze.stages == "all":
        raise ValueError(
            "training.freeze.stages = all leaves nothing to train with objective.kind = triplet, which trains the "
            "backbone alone; freeze fewer stages, or set training.freeze to null"
        )


def _head_alone(optim: OptimConfig, training: Training) -> None:
    """Refuse what changes the training of a backbone that is frozen for good."""
    found = {
        f"optim.layer_decay = {optim.layer_decay:g}": optim.layer_decay != 1,
        "training.gradient_checkpointing = true": training.gradient_checkpointing,
        "training.sync_batchnorm = true": training.sync_batchnorm,
    }
    for setting in (setting for setting, is_set in found.items() if is_set):
        raise ValueError(
            f"{setting} has no effect with training.freeze.stages = all and training.freeze.epochs = null, which never "
            "train the backbone; leave it out, or set training.freeze.epochs"
        )
