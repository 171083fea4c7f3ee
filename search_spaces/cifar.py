"""Spaces over CIFAR-10, which has no masks."""

from typing import TYPE_CHECKING

from search_spaces.space import Goal, Space

if TYPE_CHECKING:
    import optuna


def suggest_embedding(trial: "optuna.Trial") -> None:
    """Cross-entropy, or an embedding with its own settings and what names classes from it."""
    kind = trial.suggest_categorical("objective.kind", ["cross_entropy", "supcon", "triplet"])
    if kind == "supcon":
        trial.suggest_float("objective.temperature", 0.03, 0.5, log=True)
        trial.suggest_categorical("objective.projection_size", [64, 128, 256])
    if kind == "triplet":
        trial.suggest_float("objective.margin", 0.05, 1, log=True)
    if kind != "cross_entropy":
        classifiers = ["linear_probe", "nearest_centroid", "nearest_neighbours"]
        trial.suggest_categorical("objective.classifier.kind", classifiers)
    trial.suggest_float("optim.learning_rate", 3e-4, 3e-3, log=True)


EMBEDDING = Space(
    name="cifar-embedding",
    summary="Supervised contrastive and triplet embeddings against cross-entropy, and how best to classify by them.",
    base="cifar10",
    suggest=suggest_embedding,
    goals=(Goal("val/accuracy", "max"), Goal("val/calibration_error", "min")),
    num_trials=16,
    first_points=(
        {"objective.kind": "cross_entropy", "optim.learning_rate": 1e-3},
        {
            "objective.kind": "supcon",
            "objective.temperature": 0.07,
            "objective.projection_size": 128,
            "objective.classifier.kind": "linear_probe",
            "optim.learning_rate": 1e-3,
        },
        {
            "objective.kind": "triplet",
            "objective.margin": 0.3,
            "objective.classifier.kind": "linear_probe",
            "optim.learning_rate": 1e-3,
        },
    ),
)
