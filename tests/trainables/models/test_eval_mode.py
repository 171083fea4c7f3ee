"""A network goes back to the mode that it had."""

import pytest
from torch import nn

from trainables.models import in_eval_mode


@pytest.mark.parametrize("mode", [True, False])
def test_the_mode_comes_back_even_after_an_error(mode: bool) -> None:
    network = nn.Sequential(nn.Dropout()).train(mode)

    def fail() -> None:
        with in_eval_mode(network):
            assert not network[0].training
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert network.training is network[0].training is mode
