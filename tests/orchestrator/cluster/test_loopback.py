"""Hosts that are the machine itself, in every notation."""

import pytest

from orchestrator.cluster.loopback import is_loopback


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost", "LOCALHOST", "localhost.", "[::1]", "127.1.2.3", "127.1", "0x7f.1", "2130706433"),
        *("0.0.0.0", "0", "[::]", "[::ffff:127.0.0.1]"),
    ],
)
def test_host_is_the_machine_itself(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["10.0.0.1", "mlflow.lab.org", "head", "[2001:db8::1]", "128.0.0.1", ""])
def test_host_is_another_machine(host: str) -> None:
    assert not is_loopback(host)
