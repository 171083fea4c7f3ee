"""Spaces over the Oxford-IIIT Pet images."""

from typing import TYPE_CHECKING

from search_spaces.space import Goal, Space

if TYPE_CHECKING:
    import optuna

_GOALS = (Goal("val/accuracy", "max"), Goal("val/background/influence_share", "min"))


def suggest_species(trial: "optuna.Trial") -> None:
    """Cross-entropy, or contrastive cross-entropy at some background weight, on the base's network."""
    if trial.suggest_categorical("objective.kind", ["cross_entropy", "contrastive"]) == "contrastive":
        trial.suggest_float("objective.background_weight", 0.01, 3, log=True)
    trial.suggest_float("optim.learning_rate", 5e-4, 3e-3, log=True)


def _point(background_weight: float | None) -> dict[str, object]:
    if background_weight is None:
        return {"objective.kind": "cross_entropy", "optim.learning_rate": 1e-3}
    return {
        "objective.kind": "contrastive",
        "objective.background_weight": background_weight,
        "optim.learning_rate": 1e-3,
    }


SPECIES = Space(
    name="pets-species",
    summary="Cat or dog, by the animal: accuracy against the background's share of influence.",
    base="pets-species",
    suggest=suggest_species,
    goals=_GOALS,
    num_trials=12,
    first_points=tuple(_point(weight) for weight in (None, 0.03, 0.1, 0.3, 1.0)),
)


def suggest_objective(trial: "optuna.Trial") -> None:
    """Loss and background weight, and each regulariser or none of it."""
    if trial.suggest_categorical("objective.kind", ["cross_entropy", "contrastive"]) == "contrastive":
        trial.suggest_float("objective.background_weight", 0.01, 3, log=True)
    if trial.suggest_categorical("divergence", [False, True]):
        trial.suggest_categorical("objective.divergence.where", ["map", "foreground"])
        trial.suggest_float("objective.divergence.weight", 0.1, 50, log=True)
    if trial.suggest_categorical("sliced_wasserstein", [False, True]):
        trial.suggest_float("objective.sliced_wasserstein.weight", 1, 300, log=True)
    if trial.suggest_categorical("noise", [False, True]):
        trial.suggest_float("objective.background_noise", 0.05, 1, log=True)
    if trial.suggest_categorical("cutmix", [False, True]):
        trial.suggest_float("objective.cutmix.probability", 0.1, 1)
    trial.suggest_float("optim.learning_rate", 5e-4, 3e-3, log=True)


def suggest_architecture(trial: "optuna.Trial") -> None:
    """The edits of a ResNet-18 under the contrastive objective."""
    trial.suggest_categorical("objective.kind", ["contrastive"])
    trial.suggest_float("objective.background_weight", 0.03, 3, log=True)
    trial.suggest_categorical("model.cam_stride", [8, 16])
    trial.suggest_categorical("model.norm", ["batch", "running", "group", "dynamic_tanh"])
    trial.suggest_categorical("model.activation", ["relu", "elu", "gelu"])
    trial.suggest_categorical("model.final_norm", [True, False])
    trial.suggest_categorical("model.final_relu", [True, False])
    trial.suggest_float("optim.learning_rate", 5e-4, 3e-3, log=True)
    trial.suggest_float("optim.weight_decay", 1e-5, 1e-1, log=True)


_NO_REGULARISERS = {"divergence": False, "sliced_wasserstein": False, "noise": False, "cutmix": False}

OBJECTIVE = Space(
    name="pets-objective",
    summary="Which objective with which regularisers: accuracy against the background's share of influence.",
    base="pets-species",
    suggest=suggest_objective,
    goals=_GOALS,
    num_trials=24,
    first_points=tuple({**_point(weight), **_NO_REGULARISERS} for weight in (None, 0.1, 1.0)),
)

ARCHITECTURE = Space(
    name="pets-architecture",
    summary="Which edits of the network and which optimisation, under the contrastive objective.",
    base="pets-species",
    suggest=suggest_architecture,
    goals=_GOALS,
    num_trials=24,
    first_points=(
        {
            "objective.kind": "contrastive",
            "objective.background_weight": 1.0,
            "model.cam_stride": 8,
            "model.norm": "batch",
            "model.activation": "relu",
            "model.final_norm": True,
            "model.final_relu": True,
            "optim.learning_rate": 1e-3,
            "optim.weight_decay": 5e-4,
        },
    ),
)
