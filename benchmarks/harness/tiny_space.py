"""The search space of `trial_overhead.py`: two parameters of a very small training."""

import optuna

from search_spaces import Goal, Space


def suggest_rates(trial: optuna.Trial) -> None:
    """Learning rate and weight decay."""
    trial.suggest_float("optim.learning_rate", 1e-4, 1e-2, log=True)
    trial.suggest_float("optim.weight_decay", 1e-5, 1e-2, log=True)


SPACE = Space(
    name="benchmark-tiny",
    summary="A training so small that what surrounds it shows.",
    base="digits",
    suggest=suggest_rates,
    goals=(Goal("val/loss", "min"),),
    num_trials=8,
)
