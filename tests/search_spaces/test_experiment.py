"""A config by its name, with what the command line sets."""

from pathlib import Path

import pytest

from search_spaces import find_experiment
from trainables.config import ConfigError


def test_base_has_the_fields_that_are_set() -> None:
    config = find_experiment("digits", ["training.epochs=3", "optim.learning_rate=0.5"])
    assert (config.data.kind, config.training.epochs, config.optim.learning_rate) == ("spurious_digits", 3, 0.5)
    assert find_experiment("digits").training.epochs == 8


def test_file_is_found_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("training:\n  epochs: 7\n")
    assert find_experiment(str(path)).training.epochs == 7


def test_error_names_the_config() -> None:
    with pytest.raises(ConfigError, match=r"digits: training\.epochs: found 'many'"):
        find_experiment("digits", ["training.epochs=many"])
