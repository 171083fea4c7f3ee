"""Whether a network has the stages that the settings of its training name."""

from trainables.config import ConfigError, ExperimentConfig
from trainables.models import Classifier, build_model


def check_stages(config: ExperimentConfig, model: Classifier | None = None) -> None:
    """Raise ConfigError where a network has fewer stages than a setting asks for.

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
