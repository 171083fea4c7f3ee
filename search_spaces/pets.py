"""Spaces over the Oxford-IIIT Pet photos."""

import optuna

from search_spaces.space import Goal, Space


def suggest_species(trial: optuna.Trial) -> None:
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
    goals=(Goal("val/accuracy", "max"), Goal("background/influence_share", "min")),
    num_trials=12,
    first_points=tuple(_point(weight) for weight in (None, 0.03, 0.1, 0.3, 1.0)),
)
