"""Spaces over the embedded digits."""

import optuna

from search_spaces.space import Goal, Space


def suggest_background_weight(trial: optuna.Trial) -> None:
    """Objective and its background weight, learning rate, and the edits that shape the map."""
    if trial.suggest_categorical("objective.kind", ["cross_entropy", "contrastive"]) == "contrastive":
        trial.suggest_float("objective.background_weight", 0.01, 10, log=True)
    trial.suggest_float("optim.learning_rate", 5e-4, 4e-3, log=True)
    trial.suggest_categorical("model.head_bias", [True, False])
    trial.suggest_categorical("model.final_norm", [True, False])
    trial.suggest_categorical("model.final_relu", [True, False])


BACKGROUND_WEIGHT = Space(
    name="digits-background-weight",
    summary="Does penalising the background free the digits from their textures?",
    base="digits",
    suggest=suggest_background_weight,
    goals=(Goal("shift/random_background/accuracy", "max"),),
    num_trials=12,
    first_points=(
        {
            "objective.kind": "cross_entropy",
            "optim.learning_rate": 2e-3,
            "model.head_bias": False,
            "model.final_relu": True,
            "model.final_norm": True,
        },
        {
            "objective.kind": "contrastive",
            "objective.background_weight": 1.0,
            "optim.learning_rate": 2e-3,
            "model.head_bias": False,
            "model.final_relu": True,
            "model.final_norm": True,
        },
    ),
)
