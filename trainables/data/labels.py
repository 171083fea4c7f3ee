"""A shifted test set's labels in the terms of the training set."""

from collections.abc import Sequence

from trainables.config import ConfigError


def training_labels(own: Sequence[str], training: Sequence[str], *, section: str) -> dict[str, int]:
    """Return the training set's label of each of the class names `own`; raise ConfigError where one has none."""
    unknown = sorted(set(own) - set(training))
    if unknown:
        raise ConfigError(
            f"{section}: its classes {', '.join(unknown)} are none of the training set's; "
            f"found {', '.join(own)}, the training set has {', '.join(training)}"
        )
    return {name: training.index(name) for name in own}
