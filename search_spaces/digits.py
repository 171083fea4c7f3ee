"""Spaces over the built-in digits."""

from typing import TYPE_CHECKING

from search_spaces.space import Goal, Space

if TYPE_CHECKING:
    import optuna


def suggest_background_weight(trial: "optuna.Trial") -> None:
    """Objective and its background weight, learning rate, and the edits that shape the map."""
    if trial.suggest_categorical("objective.kind", ["cross_entropy", "contrastive"]) == "contrastive":
        trial.suggest_float("objective.background_weight", 0.01, 10, log=True)
    trial.suggest_float("optim.learning_rate", 5e-4, 4e-3, log=True)
    trial.suggest_categorical("model.head_bias", [True, False])
    trial.suggest_categorical("model.final_norm", [True, False])
    trial.suggest_categorical("model.final_relu", [True, False])


def _point(background_weight: float | None) -> dict[str, object]:
    objective: dict[str, object] = {"objective.kind": "cross_entropy"}
    if background_weight is not None:
        objective = {"objective.kind": "contrastive", "objective.background_weight": background_weight}
    edits = {"model.head_bias": False, "model.final_norm": True, "model.final_relu": True}
    return {**objective, "optim.learning_rate": 2e-3, **edits}


BACKGROUND_WEIGHT = Space(
    name="digits-background-weight",
    summary="Does penalising the background free the digits from their textures?",
    base="digits",
    suggest=suggest_background_weight,
    goals=(Goal("val/worst_group_accuracy", "max"),),
    num_trials=12,
    first_points=tuple(_point(weight) for weight in (None, 1.0, 0.1, 0.3, 3.0)),
)
