"""The default warm-up fits the epochs; one that was set is refused where it does not."""

from pathlib import Path
from typing import Any

import pytest

from trainables.config import (
    ConfigError,
    ExperimentConfig,
    Training,
    config_hash,
    experiment_from_tree,
    load_experiment,
    override,
    to_yaml,
)

ONE: dict[str, Any] = {"training": {"epochs": 1}}
OF_EARLIER_VERSIONS = ("learning_rate", "weight_decay", "warmup_epochs", "final_fraction", "kind")
"""The fields of a resolved `optim`."""


@pytest.mark.parametrize("optim", [{}, {"kind": "sgd"}, {"learning_rate": 0.1}])
@pytest.mark.parametrize(("epochs", "warmup"), [(1, 0.5), (2, 1.0), (10, 1.0)])
def test_default_is_at_most_half_of_the_epochs(optim: dict[str, Any], epochs: int, warmup: float) -> None:
    config = experiment_from_tree({"training": {"epochs": epochs}, "optim": optim})
    assert config.optim.warmup_epochs == warmup


def test_default_is_clipped_in_python_too() -> None:
    assert ExperimentConfig(training=Training(epochs=1)).optim.warmup_epochs == 0.5
    assert ExperimentConfig().optim.warmup_epochs == 1.0


@pytest.mark.parametrize("warmup", [1, 1.0, 2])
def test_what_was_set_is_refused(warmup: float) -> None:
    message = rf"optim\.warmup_epochs = {float(warmup)} must be below training\.epochs = 1"
    with pytest.raises(ConfigError, match=message):
        experiment_from_tree({**ONE, "optim": {"warmup_epochs": warmup}})
    with pytest.raises(ConfigError, match=message):
        experiment_from_tree(override({"optim": {"warmup_epochs": warmup}}, {"training.epochs": 1}))
    with pytest.raises(ConfigError, match=message):
        experiment_from_tree(override({}, {"training.epochs": 1, "optim.warmup_epochs": warmup}))


def test_resolved_config_replays(tmp_path: Path) -> None:
    config = experiment_from_tree(ONE)
    (tmp_path / "config.yaml").write_text(to_yaml(config), encoding="utf-8")
    again = load_experiment(tmp_path / "config.yaml")
    assert again.model_dump() == config.model_dump()
    assert config_hash(again) == config_hash(config)


@pytest.mark.parametrize("overrides", [{"training.epochs": 1}, {"training": {"epochs": 1}}])
def test_resolved_config_takes_one_epoch(overrides: dict[str, Any]) -> None:
    """A sweep's base and a promoted trial hold every field, the default warm-up too."""
    resolved = ExperimentConfig().model_dump(mode="json")
    assert experiment_from_tree(override(resolved, overrides)).optim.warmup_epochs == 0.5
    assert resolved["optim"]["warmup_epochs"] == 1.0
    longer = experiment_from_tree(override(resolved, {"training.epochs": 20}))
    assert longer.optim.warmup_epochs == 1.0
    with pytest.raises(ConfigError, match=r"optim\.warmup_epochs = 1\.0 must be below training\.epochs = 1"):
        experiment_from_tree(override(resolved, {**overrides, "optim.warmup_epochs": 1}))
    earlier = {**resolved, "optim": {name: resolved["optim"][name] for name in OF_EARLIER_VERSIONS}}
    assert experiment_from_tree(override(earlier, overrides)).optim.warmup_epochs == 0.5
    set_by_hand = override(resolved, {"optim.warmup_epochs": 2})
    with pytest.raises(ConfigError, match=r"optim\.warmup_epochs = 2"):
        experiment_from_tree(override(set_by_hand, overrides))


def test_hash_of_a_config_that_set_no_warm_up_stays() -> None:
    """Computed before the default was clipped."""
    held_out = {"data.validation.source": "held_out"}
    without = override({**ONE, "optim": {"warmup_epochs": 0}}, held_out)
    assert config_hash(experiment_from_tree(without)) == "d54a5c7abfda"
    assert config_hash(experiment_from_tree(override({}, held_out))) == "54dc0d91dff4"
