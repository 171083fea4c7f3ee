import pytest

from trainables.config import ConfigError, experiment_from_tree
from trainables.config.suite import NoiseSet, Suite


@pytest.mark.parametrize("name", ["near", "far"])
def test_a_set_may_not_be_called_as_the_means_over_sets(name: str) -> None:
    tree = {"evaluation": {"suite": {"ood": {"sets": {name: {"kind": "noise", "role": "far"}}}}}}
    tree |= {"data": {"kind": "spurious_digits"}, "model": {"kind": "small_cnn"}}
    with pytest.raises(ConfigError, match=f"sets may not be called {name}: ood/near and ood/far are means over sets"):
        experiment_from_tree(tree)


def test_other_names_are_free() -> None:
    suite = Suite.model_validate({"ood": {"sets": {"nearby": {"kind": "noise", "role": "far"}}}})
    assert suite.ood.sets == {"nearby": NoiseSet(role="far")}
