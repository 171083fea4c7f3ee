"""Whether a network has the stages that the settings of its training name."""

from trainables.config import ConfigError, ExperimentConfig
from trainables.config.recipe_rules import check_recipe
from trainables.models import Classifier, build_model, recomputed_modules, stages_of


def check_stages(config: ExperimentConfig, model: Classifier | None = None) -> None:
    """Raise ConfigError where a network's stages are not those that a setting needs to take effect.

    Args:
        config: The experiment.
        model: Its network; built from the config, without weights, where it is needed and not given.
    """
    needs = _needed_stages(config)
    if not needs:
        return
    size = config.data.image_size
    network = model or build_model(config.model, num_classes=2, pretrained=False, image_size=size).model
    names = [" + ".join(stage) for stage in network.stages]
    for setting, wanted in needs.items():
        if not names:
            raise ConfigError(
                f"{setting} needs the stages of a network, and model.kind = {config.model.kind} names none; leave it "
                "out, or name them in its Backbone"
            )
        if wanted > len(names):
            raise ConfigError(
                f"{setting} is more than the {len(names)} stages of model.kind = {config.model.kind}: "
                f"{', '.join(names)}; lower it, or set it to all"
            )
    _activations_are_computed_again(config, network)
    _all_stages_are_all(config, num_stages=len(names))


def _activations_are_computed_again(config: ExperimentConfig, network: Classifier) -> None:
    if config.training.gradient_checkpointing and not recomputed_modules(stages_of(network)):
        raise ConfigError(
            f"training.gradient_checkpointing = true has no effect: no stage of model.kind = {config.model.kind} has "
            "submodules whose activations could be computed again; set it to false"
        )


def _all_stages_are_all(config: ExperimentConfig, *, num_stages: int) -> None:
    """Apply the rules of `training.freeze.stages = all` to their number."""
    freeze = config.training.freeze
    if freeze is None or freeze.stages != num_stages:
        return
    training = config.training.model_copy(update={"freeze": freeze.model_copy(update={"stages": "all"})})
    try:
        check_recipe(config.data, config.objective, config.optim, training)
    except ValueError as error:
        raise ConfigError(
            f"training.freeze.stages = {num_stages} are all stages of model.kind = {config.model.kind}: {error}"
        ) from error


def _needed_stages(config: ExperimentConfig) -> dict[str, int]:
    """Return the settings that name stages, as `field = value`, each with the number that it needs."""
    training, optim = config.training, config.optim
    needs: dict[str, int] = {}
    if training.freeze is not None:
        stages = training.freeze.stages
        needs[f"training.freeze.stages = {stages}"] = 1 if stages == "all" else stages
    if training.gradient_checkpointing:
        needs["training.gradient_checkpointing = true"] = 1
    for name in ("layer_decay", "head_multiplier"):
        if (value := getattr(optim, name)) != 1:
            needs[f"optim.{name} = {value:g}"] = 1
    return needs
